"""The registry of fields and types."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from postledger.events import EVENT_TYPES, FIELDS, STATE_OF_TYPE, STATES, Kind, state_of
from postledger.intake.record import NATIVE


def test_names_are_unique() -> None:
    """A field stands once in the registry."""
    names = [field.name for field in FIELDS]
    assert sorted(set(names)) == sorted(names)


def test_each_type_leads_to_a_state() -> None:
    """A new event type asks for a decision on what becomes of the message."""
    assert set(EVENT_TYPES) == set(STATE_OF_TYPE)
    assert set(STATES) >= set(STATE_OF_TYPE.values())


def test_the_sample_of_each_field_is_accepted() -> None:
    """What the reference page shows can be sent."""
    import msgspec

    for field in FIELDS:
        if field.name != "received_at":
            event = {"type": "bounce", "timestamp": 1763630000, field.name: field.sample}
            assert NATIVE.problem(msgspec.json.encode(event), 0) is None, field.name


def test_a_flag_is_not_few() -> None:
    """`few` is for texts and numbers: the store picks their encoding by it."""
    assert not [f.name for f in FIELDS if f.few and f.kind in {Kind.BOOLEAN, Kind.OBJECT}]


@given(st.lists(st.sampled_from(list(EVENT_TYPES))), st.randoms())
def test_the_order_of_events_does_not_change_the_state(types: list[str], chance: Random) -> None:
    """A late event counts as if it had come in time."""
    shuffled = sorted(types, key=lambda _: chance.random())
    assert state_of(types) == state_of(shuffled)


@given(st.lists(st.sampled_from(list(EVENT_TYPES))))
def test_more_events_never_weaken_the_state(types: list[str]) -> None:
    """A delivery that comes after a complaint does not undo it."""
    for kind in EVENT_TYPES:
        assert STATES.index(state_of(types)) <= STATES.index(state_of([*types, kind]))


def test_a_complaint_outweighs_all() -> None:
    """The strongest of all is the complaint, the weakest no event."""
    assert "complained" == state_of(EVENT_TYPES)
    assert "unknown" == state_of([])
    assert "clicked" == state_of(["click", "delivery", "open"])
    assert "bounced" == state_of(["delivery", "out_of_band"])
