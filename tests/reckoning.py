"""Figures as a model counts them, one event after another, and questions for them."""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from making import EPOCH, Event, iso
from postledger.events import EVENT_TYPES
from postledger.intervals import LENGTHS
from postledger.metrics import GROUPS, METRICS, VENDOR_GROUPS
from postledger.query import Filter, Grouping, Match, MetricsQuery, MetricsRow

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


# -- the model: metrics

OPENED = "open initial_open amp_open amp_initial_open"
Test = Callable[[Event], bool]


def anything(_: Event) -> bool:
    return True


def of_class(*classes: int) -> Test:
    return lambda event: bool(event.get("bounce_class") in classes)


def first(event: Event) -> bool:
    return not event.get("num_retries")


def later(event: Event) -> bool:
    return not first(event)


def by_people(event: Event) -> bool:
    if event["type"] not in OPENED.split():
        return True
    parsed = event.get("user_agent_parsed", {})
    if "is_prefetched" in parsed:
        return not parsed["is_prefetched"]
    return event.get("user_agent") != "Mozilla/5.0"


HARD, ADMIN, BLOCK = (10, 30, 90), (25, 26, 80), (50, 51, 52, 53, 54)
SOFT = (20, 21, 22, 23, 24, 40, 60, 70, 100)
BOUNCED, REJECTED = (
    "bounce out_of_band",
    "policy_rejection generation_failure generation_rejection",
)
COUNTS: dict[str, tuple[str, Test]] = {
    "count_injected": ("injection", anything),
    "count_targeted": ("injection " + REJECTED, anything),
    "count_rejected": (REJECTED, anything),
    "count_policy_rejection": ("policy_rejection", anything),
    "count_generation_failed": ("generation_failure", anything),
    "count_generation_rejection": ("generation_rejection", anything),
    "count_delivered": ("delivery", anything),
    "count_delivered_first": ("delivery", first),
    "count_delivered_subsequent": ("delivery", later),
    "count_sent": ("delivery " + BOUNCED, anything),
    "count_bounce": (BOUNCED, anything),
    "count_inband_bounce": ("bounce", anything),
    "count_outofband_bounce": ("out_of_band", anything),
    "count_hard_bounce": (BOUNCED, of_class(*HARD)),
    "count_soft_bounce": (BOUNCED, of_class(*SOFT)),
    "count_block_bounce": (BOUNCED, of_class(*BLOCK)),
    "count_undetermined_bounce": (
        BOUNCED,
        lambda event: event.get("bounce_class") not in HARD + SOFT + BLOCK + ADMIN,
    ),
    "count_admin_bounce": (
        BOUNCED + " " + REJECTED,
        lambda event: event["type"] in REJECTED.split() or of_class(*ADMIN)(event),
    ),
    "count_delayed": ("delay", anything),
    "count_delayed_first": ("delay", first),
    "count_rendered": ("open", anything),
    "count_initial_rendered": ("initial_open", anything),
    "count_nonprefetched_rendered": ("open", by_people),
    "count_nonprefetched_initial_rendered": ("initial_open", by_people),
    "count_clicked": ("click amp_click", anything),
    "count_spam_complaint": ("spam_complaint", anything),
    "count_unsubscribe": ("list_unsubscribe link_unsubscribe", anything),
}
_ENGAGED = OPENED + " click initial_click amp_click"
UNIQUES: dict[str, tuple[str, Test]] = {
    "count_unique_rendered": ("open", anything),
    "count_unique_initial_rendered": ("initial_open", anything),
    "count_unique_confirmed_opened": (_ENGAGED, anything),
    "count_nonprefetched_unique_rendered": ("open", by_people),
    "count_nonprefetched_unique_initial_rendered": ("initial_open", by_people),
    "count_nonprefetched_unique_confirmed_opened": (_ENGAGED, by_people),
    "count_unique_clicked": ("click amp_click", anything),
}
TOTALS: dict[str, tuple[str, Test, str]] = {
    "total_msg_volume": ("delivery", anything, "msg_size"),
    "total_delivery_time_first": ("delivery", first, "queue_time"),
    "total_delivery_time_subsequent": ("delivery", later, "queue_time"),
}
RATES = {
    "delivery_rate": ("count_delivered", "count_sent"),
    "bounce_rate": ("count_bounce", "count_sent"),
    "open_rate": ("count_unique_confirmed_opened", "count_delivered"),
    "click_rate": ("count_unique_clicked", "count_delivered"),
    "complaint_rate": ("count_spam_complaint", "count_delivered"),
    "unsubscribe_rate": ("count_unsubscribe", "count_delivered"),
}
PERCENTILES = {f"delivery_time_p{level}": level / 100 for level in (50, 95, 99)}
PAID = {name for name in METRICS if re.search("panel|seed|moved_to", name)}


def value(name: str, events: Sequence[Event]) -> float:
    """A metric of these events."""
    if name in COUNTS:
        return len(_chosen(*COUNTS[name], events))
    if name in UNIQUES:
        found = _chosen(*UNIQUES[name], events)
        return len({(e["message_id"], e["rcpt_to"]) for e in found if e["message_id"]})
    if name in TOTALS:
        kinds, test, field = TOTALS[name]
        return sum(int(event.get(field, 0)) for event in _chosen(kinds, test, events))
    return _of_others(name, events)


def _of_others(name: str, events: Sequence[Event]) -> float:
    if name in RATES:
        part, whole = (value(each, events) for each in RATES[name])
        return part / whole if whole else 0
    if name in PERCENTILES:
        times = sorted(int(e["queue_time"]) for e in events if "queue_time" in e and delivered(e))
        return times[int(PERCENTILES[name] * len(times))] if times else 0
    if name == "count_accepted":
        return value("count_delivered", events) - value("count_outofband_bounce", events)
    assert name in PAID
    return 0


def _chosen(kinds: str, test: Test, events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event["type"] in kinds.split() and test(event)]


def delivered(event: Event) -> bool:
    return bool(event["type"] == "delivery")


def types(name: str) -> set[str]:
    """The types of events that a metric looks at."""
    if name in RATES:
        return set().union(*map(types, RATES[name]))
    if name in PERCENTILES or name in TOTALS:
        return {"delivery"}
    if name == "count_accepted":
        return {"delivery", "out_of_band"}
    found = COUNTS.get(name) or UNIQUES.get(name)
    return set(found[0].split()) if found else set()


# -- the model: groups and time


OTHERS: dict[str, Callable[[Event], str]] = {
    "account": lambda event: event.get("subaccount_id") or "0",
    "attempt": lambda event: ["1", "2", "3+"][min(event.get("num_retries", 0), 2)],
    "class": lambda event: str(event.get("bounce_class", 1)),
    "link_name": lambda event: event.get("target_link_name") or "Raw URL",
}
"""Groups that are not just a field."""


def keys(event: Event, group_by: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups that an event is in: for each of its tags."""
    found: list[tuple[str, ...]] = [()]
    for name in group_by:
        if name == "tag":
            values = list(dict.fromkeys(event.get("rcpt_tags") or [""]))
        elif name in OTHERS:
            values = [OTHERS[name](event)]
        else:
            values = [str(event.get((GROUPS | VENDOR_GROUPS)[name], ""))]
        found = [(*key, each) for key in found for each in values]
    return found


TICK = timedelta(minutes=15)
"""The offsets of all zones here are whole quarters of an hour."""
MINUTES = {"minute": MINUTE, "5 minutes": 5 * MINUTE, "15 minutes": 15 * MINUTE}
MARK: dict[str, Callable[[datetime], Any]] = {
    "half day": lambda local: (local.date(), local.hour < 12),
    "day": lambda local: local.date(),
    "week": lambda local: local.isocalendar()[:2],
    "month": lambda local: (local.year, local.month),
}


@cache
def all_starts(zone: str, interval: str, about: datetime) -> list[datetime]:
    """The starts of intervals for months around a time: where the local clock or calendar says so,
    seen by walking through all of it."""
    ticks = [about.replace(minute=0) + n * TICK for n in range(-96 * 80, 96 * 80)]
    local = [tick.astimezone(ZoneInfo(zone)) for tick in ticks]
    if interval == "hour":
        return [tick for tick, clock in zip(ticks, local, strict=True) if clock.minute == 0]
    mark = [MARK[interval](clock) for clock in local]
    return [ticks[n] for n in range(1, len(ticks)) if mark[n] != mark[n - 1]]


def slots(query: MetricsQuery, about: datetime) -> list[datetime]:
    assert query.interval
    if query.interval in MINUTES:
        step = MINUTES[query.interval]
        begin = query.start - (query.start - EPOCH) % step
        number = -((begin - query.end) // step) if query.end > query.start else 0
        return [begin + n * step for n in range(number)]
    found = all_starts(query.timezone, query.interval, about)
    begin = max(each for each in found if each <= query.start)
    return [each for each in found if begin <= each < query.end] if query.end > query.start else []


def expected(events: Sequence[Event], query: MetricsQuery, about: datetime) -> list[MetricsRow]:
    wanted = set().union(*map(types, query.metrics))
    chosen = [
        event
        for event in events
        if query.start <= when(event) < query.end
        and event["type"] in wanted
        and all(matches(filter_, event) for filter_ in query.filters)
        and all(
            (any if each.any_of else all)(matches(filter_, event) for filter_ in each.filters)
            for each in query.groupings
        )
    ]
    groups: dict[tuple[str, ...], list[Event]] = {} if query.group_by else {(): []}
    for event in chosen:
        for key in keys(event, query.group_by):
            groups.setdefault(key, []).append(event)
    by = query.order_by or query.metrics[0]
    order = sorted(groups, key=lambda key: (-value(by, groups[key]), _place(query, key)))
    rows = []
    for key in order[: query.limit]:
        parts: list[tuple[datetime | None, list[Event]]] = [(None, groups[key])]
        if query.interval:
            times = slots(query, about)
            parts = [(time, []) for time in times]
            for event in groups[key]:
                parts[bisect_right(times, when(event)) - 1][1].append(event)
        rows += [_row(query, key, time, part) for time, part in parts]
    return rows


_NUMBERS = {"bounce_class", "class"}


def _place(query: MetricsQuery, key: tuple[str, ...]) -> list[float | bytes]:
    """The place of a group among those of equal figures: by its values, none before all others."""
    return [
        (int(text) if text else -math.inf) if name in _NUMBERS else text.encode()
        for name, text in zip(query.group_by, key, strict=True)
    ]


def _row(
    query: MetricsQuery, key: tuple[str, ...], time: datetime | None, events: list[Event]
) -> MetricsRow:
    shown = (
        (int(text) if text else None) if name in _NUMBERS else text
        for name, text in zip(query.group_by, key, strict=True)
    )
    values = tuple(value(name, events) for name in query.metrics)
    return MetricsRow(time, tuple(shown), values)


def when(event: Event) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def matches(filter_: Filter, event: Event) -> bool:
    found = event.get(filter_.field, "")
    if filter_.match is Match.MEMBER:
        test = any(each in found for each in filter_.values)
    elif filter_.match is Match.CONTAINS:
        test = any(str(each).lower() in found.lower() for each in filter_.values)
    else:
        test = found in filter_.values
    return test != filter_.negated


# -- what may happen

ODD = "Ä'\"\\ {p0}\n\t"
TURNS = {
    "UTC": ["2026-03-01T00:00"],
    "Europe/Warsaw": ["2026-03-29T01:00", "2026-10-25T01:00"],
    "America/St_Johns": ["2026-03-08T05:30", "2026-11-01T04:30"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],
    "Asia/Kathmandu": ["2026-01-31T18:15"],
    "Asia/Kolkata": ["2026-05-31T18:30"],
    "Pacific/Chatham": ["2026-04-04T14:00", "2026-09-26T14:00"],
    "Asia/Beirut": ["2026-03-28T22:00", "2026-10-24T21:00"],
    "America/Havana": ["2026-03-08T05:00", "2026-11-01T05:00"],
    "Pacific/Apia": ["2011-12-30T10:00"],
}
"""Zones, and when their clocks are changed (UTC); in Beirut and Havana at midnight, in Apia by a
day."""


NEAR = (0, 0, 1, -1, 15, -15, 30, -30, 45)
"""Minutes."""


@st.composite
def moments(draw: st.DrawFn, about: datetime) -> datetime:
    near = draw(st.sampled_from([*NEAR, 60, -60, 90, 1440, -1440, 9000, -20_000]))
    late = draw(st.sampled_from([0, 0, 1, -1, 1_000_000, 3_599_999]))
    return about + near * MINUTE + timedelta(milliseconds=late)


@st.composite
def made(draw: st.DrawFn, about: datetime) -> Event:
    event: Event = {
        "type": draw(st.sampled_from(TYPES)),
        "timestamp": iso(draw(moments(about))),
        "message_id": draw(st.sampled_from(["m1", "m2", ""])),
        "rcpt_to": draw(st.sampled_from(["a@x.example", "b@y.example"])),
    }
    event["recipient_domain"] = event["rcpt_to"].partition("@")[2]
    for name in draw(st.lists(st.sampled_from(list(FIELDS)), unique=True, min_size=3)):
        event[name] = draw(FIELDS[name])
    return event


TYPES = [*EVENT_TYPES, *(["delivery", "bounce", "open", "initial_open", "click"] * 3)]
TEXTS = st.sampled_from(["a", "b", ODD])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "bounce_class": st.sampled_from([1, 10, 20, 25, 26, 30, 50, 54, 60, 80, 90, 100, 7, -1]),
    "num_retries": st.integers(0, 2),
    "queue_time": st.integers(0, 100_000),
    "msg_size": st.integers(0, 100_000),
    "rcpt_tags": st.lists(st.sampled_from(["t", "u", ODD, ""]), max_size=3),
    "user_agent": st.sampled_from(["Mozilla/5.0", "Mozilla/5.0 (X11)"]),
    "user_agent_parsed": st.sampled_from([{"is_prefetched": True}, {"is_prefetched": False}, {}]),
    **{
        name: TEXTS
        for name in (GROUPS | VENDOR_GROUPS).values()
        if name not in {"type", "recipient_domain", "bounce_class", "rcpt_tags", "num_retries"}
    },
}
FILTERS = st.lists(
    st.sampled_from(
        [
            Filter("campaign_id", Match.EQUAL, ("a", ODD)),
            Filter("rcpt_tags", Match.MEMBER, ("t", ODD)),
            Filter("rcpt_to", Match.EQUAL, ("a@x.example",)),
        ]
    ),
    unique=True,
    max_size=2,
)
SOME = st.lists(
    st.sampled_from(
        [
            Filter("campaign_id", Match.EQUAL, ("a", ODD)),
            Filter("campaign_id", Match.EQUAL, ("b",), negated=True),
            Filter("bounce_class", Match.EQUAL, (10, 20), negated=True),
            Filter("template_id", Match.CONTAINS, ("A", "P0")),
            Filter("subject", Match.CONTAINS, ("\n", "B"), negated=True),
        ]
    ),
    unique=True,
    min_size=1,
    max_size=3,
)
GROUPINGS = st.lists(st.builds(Grouping, st.booleans(), SOME.map(tuple)), max_size=2)


@st.composite
def questions(draw: st.DrawFn) -> tuple[datetime, list[Event], MetricsQuery]:
    """A time when something is up with the clocks, events around it, and a question."""
    zone = draw(st.sampled_from(list(TURNS)))
    about = datetime.fromisoformat(draw(st.sampled_from(TURNS[zone]))).replace(tzinfo=UTC)
    events = draw(st.lists(made(about), min_size=draw(st.sampled_from([0, 8, 16])), max_size=25))
    interval = draw(st.sampled_from([None, *LENGTHS]))
    longest = {"hour": 4 * DAY, "half day": 9 * DAY}.get(str(interval), 50 * DAY)
    longest = 180 * MINUTE if interval in MINUTES else longest
    start, end = about - longest / 2, about + longest / 2
    if draw(st.booleans()):
        start, end = max(draw(moments(about)), start), min(draw(moments(about)), end)
    names = st.sampled_from([*GROUPS, *VENDOR_GROUPS])
    groups = st.lists(names, unique=True, max_size=2) | st.just(["tag"])
    some = st.lists(st.sampled_from(list(METRICS)), unique=True, min_size=1, max_size=3)
    metrics = tuple(draw(some | st.permutations(list(METRICS))))
    query = MetricsQuery(
        "",
        min(start, end),
        max(start, end),
        metrics,
        tuple(draw(st.just([]) | FILTERS)),
        tuple(draw(groups)),
        interval,
        zone,
        draw(st.none() | st.sampled_from(metrics)),
        draw(st.sampled_from([1, 2, 1000])),
        groupings=tuple(draw(st.just([]) | GROUPINGS)),
    )
    return about, events, query
