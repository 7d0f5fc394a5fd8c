"""Times of requests and answers. Contract `bird-sparkpost.md`, section 3.

`YYYY-MM-DDTHH:MM:ssZ` is what the page names; clients leave out seconds and zone, and send
fractions and numeric offsets. A raw `+` in a query arrives as a space, and is meant.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from postledger.errors import BadInput

_FORM = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<clock>[0-9]{2}:[0-9]{2})(?P<seconds>:[0-9]{2}(?:\.[0-9]+)?)?"
    r"(?P<zone>[Zz]|[+ -][0-9]{2}:?[0-9]{2})?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(name: str, text: str, zone: tzinfo) -> datetime:
    """A time in UTC; `zone` is that of a text without one. A day alone is its midnight."""
    found = _FORM.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)  # noqa: TRY301 -- one message for all that is no time
        clock = (found["clock"] or "00:00") + (found["seconds"] or ":00")
        offset = (found["zone"] or "").upper().replace("Z", "+00:00").replace(" ", "+")
        time = datetime.fromisoformat(f"{found['day']}T{clock[:15]}{offset}")
        return (time if offset else time.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput.parameter(name, "expected a time such as 2026-11-20T09:30:00Z") from error


def zone_of(name: str) -> tzinfo:
    """The time zone with this name of the tz database. Raises BadInput when there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:  # names may be paths, too long, directories
        raise BadInput.parameter("timezone", "expected a name such as Europe/Warsaw") from error


def milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


def of_milliseconds(number: int) -> datetime:
    """Raises OverflowError when no time is so far away."""
    return _EPOCH + timedelta(milliseconds=number)


def text_of(time: datetime) -> str:
    """As `read` takes it, to the millisecond."""
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
