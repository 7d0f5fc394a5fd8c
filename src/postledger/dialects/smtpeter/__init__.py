"""SMTPeter's events call and log files: contract `smtpeter.md`.

* the key travels as query parameter `access_token`, nowhere else (section 1)
* `start` (inclusive) and `end` (exclusive) are days `yyyy-mm-dd`, UTC; at most a calendar month is
  answered, and the start leads (section 2.1)
* times are UTC, `YYYY-MM-DD hh:mm:ss` (section 4)
* tags are separated by `;`, in the path by `/` too, and a message must have all of them (section 2)
* values stand in the path as they are, or percent-encoded (section 2.2)
* no paging: all events of the period, by time and then event id
* what goes wrong is told in a sentence of plain text, never an empty body; an answer is
  `application/json` to the letter (sections 3 and 7)
* a log file has the events of one type and one day, UTC; CSV has commas, quotes as in RFC 4180, and
  LF (section 5, U-12); there is none without events
* a blank parameter counts as absent; of `start`, `end` and `access_token` the first value counts
"""

from collections.abc import Mapping

from postledger.dialects.smtpeter.files import (
    AskedFile,
    day_query,
    days,
    days_query,
    file,
    file_query,
    first_query,
    names,
    parse_day,
    parse_file,
)
from postledger.dialects.smtpeter.parse import Asked, key, parse, query
from postledger.dialects.smtpeter.render import refuse, render
from postledger.dialects.smtpeter.tables import (
    LOGFILES,
    LOGS,
    NAMED,
    OPERATIONS,
    OTHERS,
    PATHS,
    STATUS,
    TYPES,
)

__all__ = ["LONGEST_URI", "NAME", "OPERATIONS", "PATHS", "PREFIXES", "SECURITY", "STATUS", "TYPES"]
__all__ += ["LOGFILES", "LOGS", "NAMED", "Asked", "AskedFile", "day_query", "days", "days_query"]
__all__ += ["file", "file_query", "first_query", "key", "names", "parse", "parse_day", "parse_file"]
__all__ += ["query", "refuse", "render"]

NAME = "smtpeter"
SECURITY: Mapping[str, Mapping[str, str]] = {
    "smtpeter": {"type": "apiKey", "in": "query", "name": "access_token"}
}
PREFIXES: tuple[str, ...] = ("/v1/events/", "/v1/logfiles", *(f"/v1/{name}" for name in OTHERS))
LONGEST_URI = 16384
