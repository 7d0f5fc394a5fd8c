"""Events by what their messages are, told by whichever event of these."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import EPOCH, Event, examples, iso
from postledger.query import EventQuery, Filter, Match

DAY = timedelta(days=1)
START = EPOCH + timedelta(days=20_000)
END = START + 2 * DAY
TAGS = [Filter("rcpt_tags", Match.MEMBER, (tag,)) for tag in "ab"]
TEMPLATE = Filter("template_id", Match.EQUAL, ("t",))
MESSAGE = Filter("message_id", Match.EQUAL, ("m", ""))
OPENED = Filter("type", Match.EQUAL, ("open",))
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["injection", "open"]),
        "message_id": st.sampled_from(["", "m", "n"]),
        "timestamp": st.sampled_from([-32, -31, -1, 0, 1, 2]).map(lambda n: iso(START + n * DAY)),
    },
    optional={
        "rcpt_tags": st.lists(st.sampled_from("ab"), unique=True),
        "template_id": st.sampled_from("tu"),
    },
)


def asked(workspace: str, *of_messages: Filter) -> EventQuery:
    return EventQuery(workspace, START, END, of_messages=of_messages)


def found(store: Store, query: EventQuery) -> list[str]:
    return sorted(json.loads(line)["event_id"] for line in store.read("page", query).events)


def matches(filter_: Filter, event: Event) -> bool:
    value = event.get(filter_.field, "")
    values = value if isinstance(value, list) else [value]
    return any(each in filter_.values for each in values)


def expected(events: Sequence[Event], query: EventQuery) -> list[str]:
    """What a question finds, by its definition."""

    def told(event: Event, filter_: Filter) -> bool:
        others = [each for each in events if each["message_id"] == event["message_id"] != ""]
        return matches(filter_, event) or any(
            matches(filter_, each)
            for each in others
            if START - 31 * DAY <= datetime.fromisoformat(each["timestamp"]) < END
        )

    return [
        f"e{number:04}"
        for number, event in enumerate(events)
        if START <= datetime.fromisoformat(event["timestamp"]) < END
        and all(matches(each, event) for each in query.filters)
        and all(told(event, each) for each in query.of_messages)
    ]


@examples(20)
@given(
    events=st.lists(EVENTS, max_size=8),
    of_messages=st.lists(st.sampled_from([*TAGS, TEMPLATE]), min_size=1, unique=True),
    filters=st.lists(st.sampled_from([OPENED, MESSAGE]), unique=True),
)
def test_an_event_of_the_message_tells(
    store: Store, events: list[Event], of_messages: list[Filter], filters: list[Filter]
) -> None:
    """The event itself, or another one of its message up to 31 days before the range; each filter
    may be told by another event. Without a message the event itself. The total is as many."""
    query = replace(asked(store.add(events), *of_messages), filters=tuple(filters))
    wanted = expected(events, query)
    assert wanted == found(store, query)
    assert len(wanted) == store.read("count", query)


def test_what_is_told_later(store: Store) -> None:
    """An event that did not match does when another one has told of its message."""
    times = [iso(START + n * timedelta(minutes=1)) for n in range(2)]
    bare: Event = {"type": "open", "timestamp": times[0], "message_id": "m"}
    query = asked(store.add([bare]), TAGS[0])
    assert [] == found(store, query) == found(store, query)
    tagged = bare | {"timestamp": times[1], "event_id": "e1", "rcpt_tags": ["a"]}
    store.send(query.workspace, [tagged])
    assert ["e0000", "e1"] == found(store, query)
    assert 2 == store.read("count", query)
