"""Wire APIs of others over the one query model: tables and pure functions, one module each."""

from postledger.dialects import netcore, smtpeter, sparkpost, unosend
from postledger.dialects.wire import Dialect

DIALECTS: tuple[Dialect, ...] = (netcore, smtpeter, sparkpost, unosend)
