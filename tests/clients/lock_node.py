"""Strip npm's lock file to names, versions and hashes; `make lock` runs it after npm.

npm also writes who asks for money, licences and engines, with addresses among them.
"""

import json
import sys
from pathlib import Path

KEPT = (
    "version",
    "integrity",
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "dev",
    "optional",
    "peer",
    "devOptional",
    "inBundle",
)
"""What `npm ci` needs of an entry to build the same tree."""


def stripped(text: str) -> str:
    lock = json.loads(text)
    lock["packages"] = {
        path: {name: entry[name] for name in KEPT if name in entry}
        for path, entry in lock["packages"].items()
    }
    return json.dumps(lock, indent=2) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(stripped(path.read_text(encoding="utf-8")), encoding="utf-8")
