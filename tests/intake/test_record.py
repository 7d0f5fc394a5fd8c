"""The description of an event takes on the order in which a source writes its fields."""

import json
from datetime import UTC, datetime
from random import Random

import pytest

from postledger import demo
from postledger.events import FIELD, FIELDS
from postledger.intake.record import NATIVE, Description, EventType, Time

END = datetime(2026, 11, 20, tzinfo=UTC)
EVENTS = [json.loads(line) for line in next(demo.batches(1000, size=1000, end=END)).splitlines()]
BAD = (b"[1]", b"{", b'{"\xff": 1}', b'{"subject": "\xff"}', b'{"a": ' + b"[" * 20_000)
NAMES = [field.name for field in FIELDS]


def lines(events: list[dict[str, object]], order: list[str]) -> bytes:
    """Each event with its fields in this order."""
    return b"\n".join(
        json.dumps({name: event[name] for name in order if name in event}).encode()
        for event in events
    )


@pytest.mark.parametrize("seed", range(5))
def test_an_order_is_learnt(seed: int) -> None:
    """After one large body, its fields stand as its lines have them, and none is lost: whatever was
    good or bad before still is."""
    description = Description(EventType, Time)
    order = NAMES.copy()
    Random(seed).shuffle(order)
    body = lines(EVENTS, order)
    assert description.all_good(body, largest=len(body)) == (len(EVENTS), False)
    assert sorted(description._order) == sorted(FIELD)
    place = {name: at for at, name in enumerate(description._order)}
    for event in EVENTS[:20]:
        assert sorted(event, key=order.index) == sorted(event, key=place.__getitem__)

    assert description.all_good(body, largest=len(body)) == (len(EVENTS), False)
    for name, value in {"msg_size": "big", "timestamp": None, "type": "none of them"}.items():
        bad = lines([*EVENTS, EVENTS[0] | {name: value}], order)
        assert description.all_good(bad, largest=len(bad)) is None
    odd = lines([*EVENTS, EVENTS[0] | {"theirs": 1}], [*order, "theirs"])
    assert description.all_good(odd, largest=len(odd)) == (len(EVENTS) + 1, True)


def test_sources_of_several_orders() -> None:
    """Each body is checked as it should be, also when the order changes from line to line, and when
    the first lines are no events."""
    description = Description(EventType, Time)
    for seed in range(40):  # more than are remembered
        order = Random(seed).sample(NAMES, len(NAMES))
        body = lines(EVENTS[::2], order) + b"\n" + lines(EVENTS[1::2], order[::-1])
        assert description.all_good(body, largest=len(body)) == (len(EVENTS), False)
        for first in BAD:
            assert description.all_good(first + b"\n" + body, largest=len(body)) is None
    assert NATIVE.problem(b'{"type": "open"}', 0) == description.problem(b'{"type": "open"}', 0)
