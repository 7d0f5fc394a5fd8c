"""Arrivals that share an insert are answered each for itself."""

from datetime import UTC, datetime

import pytest
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


@examples(25)
@given(pieces=PIECES, atomic=st.none() | st.lists(st.booleans(), min_size=4, max_size=4))
def test_together(store: Store, pieces: list[list[Event]], atomic: list[bool] | None) -> None:
    """An event counts as new where it is first; numbers of wrong ones are those of their own
    piece; all that is new is stored once. Of one that is refused whole, nothing has been seen."""
    seen: set[str] = set()
    expected = []
    for piece, whole in zip(pieces, atomic or [False] * 4, strict=False):
        wrong = [n for n, one in enumerate(piece) if one["timestamp"].startswith("18")]
        good = [one["event_id"] for n, one in enumerate(piece) if n not in wrong]
        if whole and wrong:
            expected.append((0, 0, wrong))
            continue
        new = set(good) - seen
        seen |= new
        expected.append((len(new), len(good) - len(new), wrong))
    workspace, found = store.send_together(pieces, atomic and atomic[: len(pieces)])
    assert expected == found
    store.flush()
    everything = EventQuery(
        workspace, datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    )
    assert len(seen) == store.read("count", everything)


MANY = 70_000
"""More lines than the engine has in one block."""


@pytest.mark.parametrize("atomic", [None, [False, False]])
def test_many_lines_keep_their_order(store: Store, atomic: list[bool] | None) -> None:
    """Of one body and of several: which line is wrong, and what is a repeat; and so does the
    feed."""
    made = [event(number) for number in range(MANY)]
    made[7] = event(7, timestamp="1800-01-01T00:00:00Z")
    again = [made[-1], *made[8:1000]]
    workspace, found = store.send_together([made, again], atomic)
    assert [(MANY - 1, 0, [7]), (0, len(again), [])] == found
    store.flush()
    (told,) = store.run(
        "SELECT count(), countIf(event_id > event_before) FROM (SELECT "
        "event_id, lagInFrame(event_id, 1, '') OVER (ORDER BY seq) AS event_before "
        f"FROM postledger.events WHERE workspace = '{workspace}')"
    )
    assert (MANY - 1, MANY - 1) == told
    store.fold_all()  # the next test has less to do
