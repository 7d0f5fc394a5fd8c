"""Small arrivals are told to be new without a question to the table only where that is so."""

from datetime import timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import EPOCH, Event, examples, iso
from postledger.store.identity import Identity
from postledger.store.recent import BACK, BUCKET_MS, HOUR_MS, Recent

_WORKSPACES = count()
_EVENTS = st.builds(
    lambda hour, number: {
        "event_id": f"e{number}",
        "type": "open",
        "timestamp": iso(EPOCH + timedelta(days=20_000, hours=hour, seconds=number)),
    },
    st.sampled_from([0, 1, 2, 3, 24, 30, 31, 100]),
    st.integers(0, 5),
)
_STEP: st.SearchStrategy[tuple[str, list[Event]]] = st.one_of(
    st.tuples(st.sampled_from(["small", "small", "large"]), st.lists(_EVENTS, min_size=1)),
    st.just(("flush", [])),
)


@examples(24)
@given(steps=st.lists(_STEP, min_size=2, max_size=12))
def test_each_is_stored_once(store: Store, steps: list[tuple[str, list[Event]]]) -> None:
    """In whatever order large and small arrivals come, with repeats of what is in the table, in the
    journal, and in the arrival itself."""
    workspace = f"recent{next(_WORKSPACES)}"
    model: set[tuple[object, object]] = set()
    for kind, events in steps:
        identities = [(event["timestamp"], event["event_id"]) for event in events]
        new = [
            int(each not in model and each not in identities[:at])
            for at, each in enumerate(identities)
        ]
        model.update(identities)
        if kind == "small":
            assert store.send_small(workspace, events) == new
        elif kind == "large":
            assert store.send(workspace, events) == sum(new)
        else:
            store.flush()
    store.flush()
    assert len(model) == sum(
        number
        for (number,) in store.run(
            f"SELECT count() FROM postledger.events WHERE workspace = '{workspace}'"
        )
    )


class Table:
    """Events that are asked for, and how often they are; the newest of a bucket come first."""

    def __init__(self, *times: int) -> None:
        ordered = sorted(times, key=lambda time: (time // BUCKET_MS, -time))
        self.rows = [(time, f"e{time}") for time in ordered]
        self.asked: list[int] = []

    def known(self, _: str, start: int, most: int) -> list[tuple[int, str]]:
        self.asked.append(start)
        return [row for row in self.rows if row[0] >= start][:most]


def identities(*times: int, workspace: str = "w") -> list[Identity]:
    return [Identity(workspace, time, f"e{time}", 0) for time in times]


NOW = 125 * BUCKET_MS


def test_a_stretch_is_read_once() -> None:
    """It begins a day earlier, has no end when that is all, and what is added is in it."""
    table = Table(NOW - 5, NOW + 5)
    recent = Recent(table.known, 10, patience=0)
    assert recent.learn(identities(NOW, NOW + 1), [("w", NOW + 7, f"e{NOW + 7}"), ("v", 1, "e")])
    assert table.asked == [NOW - BACK[0]]
    for time, is_new in {5: False, 6: True, 7: False, 10**9: True, -BACK[0] - 1: False}.items():
        (identity,) = identities(NOW + time)
        assert recent.rules_out(identity) == is_new, time
    recent.add(identities(NOW + 6))
    assert not recent.rules_out(*identities(NOW + 6))
    assert not recent.rules_out(*identities(NOW + 6, workspace="v"))


def test_too_many() -> None:
    """Then it begins an hour earlier, and ends before the bucket of the last one that was read;
    with too many in that too it is not tried again soon."""
    table = Table(*range(NOW - 9 * HOUR_MS, NOW + 9 * HOUR_MS, HOUR_MS // 4))
    recent = Recent(table.known, 24, patience=0)
    assert recent.learn(identities(NOW), [])
    assert table.asked == [NOW - each for each in BACK]
    assert recent.rules_out(Identity("w", NOW, "new", 0))
    assert recent.rules_out(Identity("w", NOW + BUCKET_MS - 1, "new", 0))
    assert not recent.rules_out(Identity("w", NOW + BUCKET_MS, "new", 0))
    crowded = Recent(table.known, 3, patience=1)
    for _ in range(60):
        assert not crowded.learn(identities(NOW), [])
        crowded.add(identities(NOW))
    assert len(table.asked) == 4


def test_what_is_not_worth_it() -> None:
    """The first ones, also after a large batch; those of several workspaces; a few late ones."""
    table = Table()
    recent = Recent(table.known, patience=2)
    two = identities(NOW, NOW + 1)

    def learnt(*others: Identity) -> bool:
        done = recent.learn([*two, *others], [])
        recent.add(two)
        return done

    assert [learnt() for _ in range(4)] == [False, False, True, False]
    late = identities(NOW - 2 * BACK[0])
    assert not any(learnt(*late) for _ in range(9))
    recent.forget("w")
    assert not recent.rules_out(two[0])
    assert not any(learnt(*identities(NOW, workspace="v")) for _ in range(9))
    recent.forget("w")
    assert [learnt() for _ in range(3)] == [False, False, True]
    assert len(table.asked) == 2


def test_how_much_is_kept() -> None:
    """What was read first is forgotten first."""
    recent = Recent(Table().known, 5, patience=0)
    for workspace in ("a", "b", "c"):
        assert recent.learn(identities(NOW, workspace=workspace), [])
        recent.add(identities(*range(NOW, NOW + 4), workspace=workspace))
    new = [recent.rules_out(*identities(NOW + 9, workspace=each)) for each in ("a", "b", "c")]
    assert new == [False, True, True]
