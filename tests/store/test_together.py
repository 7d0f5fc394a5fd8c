"""Arrivals that share an insert are answered each for itself."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import Event, event, examples
from postledger.query import EventQuery

GOOD = st.integers(0, 12).map(event)
BAD = st.integers(0, 12).map(lambda n: event(n, timestamp=f"18{n + 10}-01-01T00:00:00Z"))
PIECES = st.lists(
    st.lists(GOOD | GOOD | GOOD | BAD, min_size=1, max_size=6), min_size=1, max_size=4
)


@examples(15)
@given(pieces=PIECES)
def test_together(store: Store, pieces: list[list[Event]]) -> None:
    """An event counts as new where it is first; numbers of wrong ones are those of their own
    piece; all that is new is stored once."""
    seen: set[str] = set()
    expected = []
    for piece in pieces:
        wrong = [n for n, one in enumerate(piece) if one["timestamp"].startswith("18")]
        good = [one["event_id"] for n, one in enumerate(piece) if n not in wrong]
        new = set(good) - seen
        seen |= new
        expected.append((len(new), len(good) - len(new), wrong))
    workspace, found = store.send_together(pieces)
    assert expected == found
    everything = EventQuery(
        workspace, datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    )
    assert len(seen) == store.read("count", everything)
