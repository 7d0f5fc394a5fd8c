"""`python -m postledger.cli` is `postledger`."""

import sys

from postledger.cli import main

sys.exit(main())
