"""Days and times of the account's zone as instants, on days when its clock is changed too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
_EARLIEST, _LATEST = datetime(1969, 12, 30), datetime(2200, 1, 3)  # noqa: DTZ001 -- readings
"""Nothing is stored of times outside; beyond them are times that no zone can tell."""


def begins(reading: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which a clock in `zone` shows this, or more if it jumps over it."""
    local = _bounded(reading)
    return _jump(local, zone) or _instant(local, zone, 0)


def ends(reading: datetime, zone: ZoneInfo) -> datetime:
    """The end of the last second in which it shows this, or of those before if it jumps over it."""
    local = _bounded(reading)
    return _jump(local, zone) or _instant(local, zone, 1) + _SECOND


def shown(instant: datetime, zone: ZoneInfo) -> str:
    """What it shows then: `YYYY-MM-DD HH:MM:SS`."""
    return instant.astimezone(zone).isoformat(" ", "seconds")[:19]


def _bounded(reading: datetime) -> datetime:
    return min(max(reading, _EARLIEST), _LATEST)


def _instant(local: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _jump(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant at which the clock jumps over what `local` says; None: it shows that."""
    before, after = _instant(local, zone, 1), _instant(local, zone, 0)
    if before >= after:
        return None
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).replace(tzinfo=None) > local:
            after = middle
        else:
            before = middle
    return after


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(instant: datetime) -> int:
    """Since 1970."""
    return (instant - _EPOCH) // _MILLISECOND


def instant(since: int) -> datetime:
    """So many milliseconds since 1970."""
    return _EPOCH + since * _MILLISECOND
