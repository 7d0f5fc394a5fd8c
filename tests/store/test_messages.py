"""Messages and what became of them, read from the real engine and held against a plain model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import EPOCH, Event, examples, iso
from postledger.events import EVENT_TYPES
from postledger.query import Filter, Match, Message, MessagePage, MessagePlace, MessageQuery, Stage

_FEWER = examples(20)
MS, MINUTE, HOUR, DAY = (timedelta(milliseconds=n) for n in (1, 60_000, 3_600_000, 86_400_000))

START = EPOCH + timedelta(days=20_000)
END = START + DAY
STAGES = (
    Stage("processed", ("injection", "delay")),
    Stage("dropped", ("policy_rejection",)),
    Stage("soft", ("bounce", "out_of_band")),
    Stage("hard", ("bounce", "out_of_band"), (10, 30)),
    Stage("sent", ("delivery",)),
    Stage("open", ("open", "amp_open")),
    Stage("click", ("click",)),
)


class Ledger:
    """A store that is asked for messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def store(self, *events: Event) -> MessageQuery:
        """Events in a workspace of their own, and a question for all of its messages of a day."""
        return MessageQuery(self._store.add(events), START, END, STAGES)

    def ask(self, query: MessageQuery) -> MessagePage:
        page: MessagePage = self._store.read("messages", query)
        return page

    def found(self, query: MessageQuery) -> list[tuple[str, str, datetime, str]]:
        return [_row(message) for message in self.ask(query).messages]


def _row(message: Message) -> tuple[str, str, datetime, str]:
    return message.message_id, message.rcpt_to, message.sent, message.state


@pytest.fixture(scope="module")
def ledger(store: Store) -> Ledger:
    return Ledger(store)


# -- the model

FIRST = {"injection", "policy_rejection", "generation_failure", "generation_rejection"}


def told(event: Event) -> datetime | None:
    """When its message was injected, as an event tells it."""
    if "injection_time" in event:
        return datetime.fromisoformat(event["injection_time"])
    return when(event) if event["type"] in FIRST else None


def when(event: Event) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def sent(events: Sequence[Event]) -> datetime:
    times = [time for event in events if (time := told(event))]
    return min(times or map(when, events))


def stage(events: Sequence[Event]) -> int:
    """The number of the last stage that an event brings, from 1; 0: none does."""
    return max(
        (
            number
            for number, each in enumerate(STAGES, 1)
            for event in events
            if event["type"] in each.types
            and (each.classes is None or event.get("bounce_class") in each.classes)
        ),
        default=0,
    )


def matches(filter_: Filter, event: Event) -> bool:
    value = event.get(filter_.field, "")
    match filter_.match:
        case Match.CONTAINS:
            return any(str(v).lower() in value.lower() for v in filter_.values)
        case Match.MEMBER:
            return any(v in value for v in filter_.values)
        case Match.ADDRESS:
            return value.lower().rpartition("<")[2].rstrip("> ") in filter_.values
    return value in filter_.values


def expected(events: Sequence[Event], query: MessageQuery) -> list[tuple[str, str, datetime, str]]:
    """All messages that a question finds, whatever its page, by their ids. Events of types that
    bring no message to a stage say nothing of it."""
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if event["message_id"] and any(event["type"] in each.types for each in STAGES):
            groups.setdefault((event["message_id"], event["rcpt_to"]), []).append(event)
    found = [
        (message_id, rcpt_to, sent(group), STAGES[stage(group) - 1].name)
        for (message_id, rcpt_to), group in groups.items()
        if query.start <= sent(group) < query.end
        and stage(group)
        and all(any(matches(f, event) for event in group) for f in query.filters)
        and (
            not query.alternatives
            or any(matches(f, event) for event in group for f in query.alternatives)
        )
    ]
    return sorted(row for row in found if not query.states or row[3] in query.states)


# -- what may happen

IDS = st.sampled_from(["m1", "m2", "m3", "", "Ä'\"\\ {p0}\n\t\0", "日本", "m1 "])
RECIPIENTS = st.sampled_from(["ann@x.example", "bob@x.example", "'\"\\,[]()@x.example", ""])
SUBJECTS = ("Winter Coats", "coats: 40 % off", "ŻÓŁW_", "")
SENDERS = ("News <News@shop.example>", "news@shop.example", "b@shop.example")
BOUNDS = [START, START + MS, START - MS, START + HOUR, END - MS, END, END + MS, START + DAY / 2]


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """A time at or about the ends of the range, or days away from it."""
    away = draw(st.sampled_from([-40, -2, -1, 0, 0, 0, 0, 1, 2, 40]))
    moment: datetime = draw(st.sampled_from(BOUNDS))
    return moment + away * DAY


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events of one message for one recipient. The clocks of those who report differ a little."""
    ids = {"message_id": draw(IDS), "rcpt_to": draw(RECIPIENTS)}
    injected = draw(moments())
    return [draw(_events(injected)) | ids for _ in range(draw(st.integers(1, 5)))]


@st.composite
def _events(draw: st.DrawFn, injected: datetime) -> Event:
    kind = draw(st.sampled_from(list(EVENT_TYPES)))
    skew = draw(st.sampled_from([0, 0, 0, 1, -1, 1500, -1500, 600_000])) * MS
    later = draw(st.sampled_from([0, 0, 1, 1000, 3_600_000, 86_400_000, 50 * 86_400_000])) * MS
    made: Event = {"type": kind, "timestamp": iso(injected + skew + later)}
    if draw(st.booleans()):
        made["injection_time"] = iso(injected + skew)
    elif kind in FIRST:
        made["timestamp"] = iso(injected + skew)
    fields = {
        "bounce_class": st.sampled_from([1, 10, 30]),
        "subject": st.sampled_from(SUBJECTS),
        "friendly_from": st.sampled_from(SENDERS),
        "correlation_id": st.sampled_from(["o1", "o2"]),
        "rcpt_tags": st.lists(st.sampled_from(["a", "b"]), max_size=2),
    }
    for name in draw(st.lists(st.sampled_from(list(fields)), unique=True, max_size=4)):
        made[name] = draw(fields[name])
    return made


def _apart(found: list[list[Event]]) -> list[Event]:
    """One history for each message and recipient."""
    kept = {(group[0]["message_id"], group[0]["rcpt_to"]): group for group in found}
    return [event for group in kept.values() for event in group]


LEDGERS = (st.lists(histories(), max_size=2) | st.lists(histories(), min_size=3, max_size=10)).map(
    _apart
)


FILTERS = st.lists(
    st.sampled_from(
        [
            Filter("rcpt_to", Match.EQUAL, ("ann@x.example", "'\"\\,[]()@x.example")),
            Filter("message_id", Match.EQUAL, ("m1", "Ä'\"\\ {p0}\n\t\0")),
            Filter("subject", Match.CONTAINS, ("COAT",)),
            Filter("subject", Match.CONTAINS, ("żół", "%")),
            Filter("friendly_from", Match.ADDRESS, ("news@shop.example",)),
            Filter("correlation_id", Match.EQUAL, ("o1",)),
            Filter("rcpt_tags", Match.MEMBER, ("a",)),
            Filter("bounce_class", Match.EQUAL, (10, 1)),
        ]
    ),
    unique=True,
    max_size=2,
)
ALTERNATIVES = st.lists(
    st.sampled_from(
        [
            Filter("rcpt_to", Match.CONTAINS, ("N@X",)),
            Filter("subject", Match.CONTAINS, ("coat",)),
            Filter("friendly_from", Match.CONTAINS, ("news <",)),
        ]
    ),
    unique=True,
    max_size=3,
)
STATES = st.lists(st.sampled_from([each.name for each in STAGES]), unique=True, max_size=3)


# -- tests


@_FEWER
@given(
    events=LEDGERS,
    filters=FILTERS,
    others=ALTERNATIVES,
    states=STATES,
    down=st.booleans(),
    days=st.sampled_from([1, 40]),
)
def test_a_question_finds_what_the_model_finds(
    ledger: Ledger,
    *,
    events: list[Event],
    filters: list[Filter],
    others: list[Filter],
    states: list[str],
    down: bool,
    days: int,
) -> None:
    """State by the order of stages, time sent, filters and alternatives on any event, and the
    number of all, in short ranges and long ones."""
    query = replace(
        ledger.store(*events),
        start=END - timedelta(days=days),
        filters=tuple(filters),
        alternatives=tuple(others),
        states=tuple(states),
        descending=down,
    )
    page = ledger.ask(query)
    wanted = expected(events, query)
    assert wanted == sorted(map(_row, page.messages))
    times = [message.sent for message in page.messages]
    assert times == sorted(times, reverse=down)
    assert len(wanted) == page.total
    assert page.next is None
    for message in page.messages:
        _check_events(message, events)


def _check_events(message: Message, events: Sequence[Event]) -> None:
    """A message brings its events, the oldest first. What happened more than an hour before it was
    sent it may leave out, since clocks do not differ so much, but not that it was scheduled."""
    ids = message.message_id, message.rcpt_to
    mine = [event for event in events if (event["message_id"], event["rcpt_to"]) == ids]
    sure = [e for e in mine if when(e) >= message.sent - HOUR or e["type"] == "scheduled"]
    found = [msgspec.json.decode(event) for event in message.events]
    assert _kinds(sure) <= _kinds(found) <= _kinds(mine)
    assert found == sorted(found, key=lambda event: (event["timestamp"], event["event_id"]))


def _kinds(events: Sequence[Event]) -> Counter[tuple[str, str]]:
    return Counter((event["timestamp"], event["type"]) for event in events)


@_FEWER
@given(events=LEDGERS, states=STATES, down=st.booleans(), limit=st.integers(1, 4))
def test_pages_lose_and_repeat_nothing(
    ledger: Ledger, *, events: list[Event], states: list[str], down: bool, limit: int
) -> None:
    """By place and by offset, the pages together are the whole, and each tells how long that is."""
    whole = replace(ledger.store(*events), states=tuple(states), descending=down)
    wanted = [_row(message) for message in ledger.ask(whole).messages]
    assert expected(events, whole) == sorted(wanted)
    query = replace(whole, limit=limit)
    by_place: list[tuple[str, str, datetime, str]] = []
    by_offset = list(by_place)
    while True:
        page = ledger.ask(query)
        assert len(wanted) == page.total
        by_place += map(_row, page.messages)
        if page.next is None:
            break
        assert len(by_place) == page.next.count
        query = replace(query, after=page.next)
    for offset in range(0, len(wanted) + limit, limit):
        page = ledger.ask(replace(whole, limit=limit, offset=offset))
        assert len(wanted) == page.total
        by_offset += map(_row, page.messages)
    assert wanted == by_place
    assert wanted == by_offset


def test_two_ranges_next_to_each_other_share_no_message(ledger: Ledger) -> None:
    """A message that was sent on one day and opened on the next is one of the first day."""
    made = {"message_id": "m1", "rcpt_to": "ann@x.example"}
    query = ledger.store(
        made | {"type": "delivery", "timestamp": iso(START - HOUR)},
        made | {"type": "open", "timestamp": iso(START + HOUR)},
    )
    before = replace(query, start=START - DAY, end=START)
    assert [] == ledger.found(query)
    assert [("m1", "ann@x.example", START - HOUR, "open")] == ledger.found(before)


@pytest.mark.parametrize("kind", ["scheduled", "unknown", "response"])
def test_a_message_is_the_same_on_every_page(ledger: Ledger, kind: str) -> None:
    """What was told of it days before is seen whether an older message is on its page or not."""
    made = {"message_id": "m1", "rcpt_to": "ann@x.example"}
    stages = (Stage("scheduled", ("scheduled",)), *STAGES)
    query = ledger.store(
        made | {"type": kind, "timestamp": iso(START - 5 * DAY)},
        made | {"type": "injection", "timestamp": iso(START + HOUR)},
        {"message_id": "m2", "type": "injection", "timestamp": iso(START)},
        {"message_id": "m3", "type": "injection", "timestamp": iso(START - 9 * DAY)},
    )
    query = replace(query, stages=stages, start=START - 10 * DAY)
    for limit in (1, 3):
        message = ledger.ask(replace(query, limit=limit)).messages[0]
        assert ("m1", "processed", 2) == (message.message_id, message.state, len(message.events))


def test_nothing_of_another_workspace(ledger: Ledger) -> None:
    """A message with the same ids elsewhere is another message, and changes nothing."""
    made = {"message_id": "m1", "rcpt_to": "ann@x.example", "timestamp": iso(START + HOUR)}
    query = ledger.store(made | {"type": "open"})
    other = ledger.store(made | {"type": "click", "timestamp": iso(START - DAY)})
    assert ["open"] == [message.state for message in ledger.ask(query).messages]
    assert [1] == [len(message.events) for message in ledger.ask(query).messages]
    assert [] == ledger.found(other)


def test_many_messages_of_which_nothing_tells_when_they_were_sent(ledger: Ledger) -> None:
    """More than fit in one list: the same answer, by another way."""
    late = [
        {"message_id": f"l{n}", "rcpt_to": "a@x.example", "type": kind, "timestamp": iso(time)}
        for n in range(1200)
        for kind, time in (("delivery", START - DAY), ("open", START + HOUR))
    ]
    ours = [
        {"message_id": f"o{n}", "rcpt_to": "a@x.example", "type": "open", "timestamp": iso(START)}
        for n in range(3)
    ]
    query = replace(ledger.store(*late, *ours), descending=False)
    assert ["o0", "o1", "o2"] == sorted(row[0] for row in ledger.found(query))
    assert 3 == ledger.ask(query).total


def test_a_place_beyond_the_end_finds_nothing(ledger: Ledger) -> None:
    """Whoever goes on behind the last message gets an empty page, and the number of all."""
    made = {"message_id": "m1", "rcpt_to": "ann@x.example", "timestamp": iso(START + HOUR)}
    query = ledger.store(made | {"type": "injection"})
    place = MessagePlace(START + HOUR, "m1", "ann@x.example", 1)
    page = ledger.ask(replace(query, after=place))
    assert MessagePage([], 1, None) == page
    assert MessagePage([], 1, None) == ledger.ask(replace(query, offset=5))
