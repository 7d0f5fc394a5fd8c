"""Where the intervals of a time series start, in every time zone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postledger.intervals import LENGTHS, is_zone, runs, starts

MS = timedelta(milliseconds=1)
ZONES = sorted(available_timezones())
TIMES = st.datetimes(datetime(1973, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SKIPPED = datetime(2011, 12, 30, 9, 59, tzinfo=UTC)
"""In Apia, a minute before the clocks skip a day."""


@given(TIMES, st.sampled_from(sorted(LENGTHS)), st.integers(1, 40), st.sampled_from(ZONES))
@example(SKIPPED, "day", 3, "Pacific/Apia")
@example(SKIPPED, "half day", 3, "Pacific/Apia")
@example(datetime(2006, 10, 29, 2, tzinfo=UTC), "day", 2, "America/St_Johns")
def test_intervals_have_no_gap(start: datetime, interval: str, number: int, zone: str) -> None:
    """They follow one another, the first one has the start of the range in it, the last its end,
    and told as runs they are the same."""
    end = start + number * LENGTHS[interval]
    found = starts(start, end, interval, zone)
    assert found[0] <= start < found[1]
    assert found[-2] < end <= found[-1]
    assert all(one < other for one, other in pairwise(found))
    told = runs(found)
    for at, following in pairwise(found):
        run = max((run for run in told if run.first <= at), key=lambda run: run.first)
        assert following - at == run.length
        assert not (at - run.first) % run.length


@given(TIMES, st.sampled_from(ZONES))
@example(SKIPPED, "Pacific/Apia")
def test_where_they_start(start: datetime, zone: str) -> None:
    """Minutes where the clock shows a multiple of their number, an hour where it shows a full one;
    a day, a week and a month where the date of the day before ends, a week on Monday and a month on
    the first, unless the zone skipped these."""
    end = start + 400 * timedelta(days=1)
    for number in (5, 15):
        for at in starts(start, start + timedelta(hours=3), f"{number} minutes", zone):
            clock = at.astimezone(ZoneInfo(zone))
            assert (0, 0) == (clock.minute % number, clock.second)
    for at in starts(start, start + timedelta(days=3), "hour", zone):
        clock = at.astimezone(ZoneInfo(zone))
        assert (0, 0) == (clock.minute, clock.second)
    for interval in ("day", "week", "month"):
        for at in starts(start, end, interval, zone):
            local, before = (each.astimezone(ZoneInfo(zone)).date() for each in (at, at - MS))
            skipped = (local - before).days > 1
            assert local > before
            assert interval != "week" or local.weekday() == 0 or skipped
            assert interval != "month" or local.day == 1 or skipped


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Warsaw", "2026-03-29", 23),
        ("Europe/Warsaw", "2026-10-25", 25),
        ("America/St_Johns", "2026-03-08", 23),
        ("America/St_Johns", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Beirut", "2026-03-29", 23),
        ("America/Havana", "2026-11-01", 25),
        ("Asia/Kathmandu", "2026-10-25", 24),
    ],
)
def test_days_when_clocks_are_changed(zone: str, day: str, hours: float) -> None:
    """They are shorter or longer, by as much as the clocks are moved."""
    noon = datetime.fromisoformat(day + "T12:00").replace(tzinfo=ZoneInfo(zone))
    first, following = starts(noon.astimezone(UTC), noon.astimezone(UTC) + MS, "day", zone)
    assert timedelta(hours=hours) == following - first
    clock = starts(first, following, "hour", zone)
    assert int(hours) == len(clock) - 1


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("UTC", "2026-11-01T13:00", ["2026-11-01T12:00", "2026-11-02T00:00", "2026-11-02T12:00"]),
        (
            "Europe/Warsaw",
            "2026-10-25T00:00",
            ["2026-10-24T22:00", "2026-10-25T11:00", "2026-10-25T23:00", "2026-10-26T11:00"],
        ),
        (
            "Asia/Beirut",  # midnight is skipped
            "2026-03-28T22:00",
            ["2026-03-28T22:00", "2026-03-29T09:00", "2026-03-29T21:00", "2026-03-30T09:00"],
        ),
    ],
)
def test_half_days(zone: str, start: str, expected: list[str]) -> None:
    """They start at midnight and at noon of the zone, and are longer or shorter when its clock is
    changed."""
    at = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = starts(at, at + timedelta(hours=25), "half day", zone)
    assert expected == [time.strftime("%Y-%m-%dT%H:%M") for time in found][: len(expected)]


def test_an_empty_range() -> None:
    """It has no intervals."""
    assert [] == starts(SKIPPED, SKIPPED, "day", "UTC")
    assert [] == runs([])


def test_names_of_zones() -> None:
    """IANA names, and nothing that only looks like the name of a file."""
    assert is_zone("Europe/Warsaw")
    assert not any(map(is_zone, ("", "Europe", "europe/warsaw", "../UTC", "Warsaw")))
