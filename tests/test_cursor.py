"""Cursors: opaque places in a list."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from postledger import cursor
from postledger.errors import BadCursor

QUERIES = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)
PLACES = st.lists(st.text() | st.integers(-(2**63), 2**63), max_size=4)
ALPHABET = "abcXYZ0189-_=+/ é"


@given(QUERIES, PLACES)
def test_a_cursor_gives_its_place_back(query: object, place: cursor.Position) -> None:
    """What was put in comes out, for the same query."""
    assert place == cursor.decode(query, cursor.encode(query, place))


@given(QUERIES, QUERIES, PLACES)
def test_a_cursor_of_another_query_is_refused(
    query: object, other: object, place: cursor.Position
) -> None:
    """A cursor belongs to its query."""
    assume(query != other)
    with pytest.raises(BadCursor, match="another query"):
        cursor.decode(other, cursor.encode(query, place))


@given(PLACES, st.data())
def test_a_damaged_cursor_is_refused(place: cursor.Position, data: st.DataObject) -> None:
    """Any character changed, added or taken away is noticed."""
    text = cursor.encode("query", place)
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.sampled_from(ALPHABET) | st.just(""))
    width = data.draw(st.integers(0, 1))
    damaged = text[:at] + put + text[at + width :]
    assume(damaged.rstrip("=") != text)
    with pytest.raises(BadCursor):
        cursor.decode("query", damaged)


@pytest.mark.parametrize("text", ["", "x", "====", "a" * 5000, "Ünicode", "A\n"])
def test_nonsense_is_refused_and_the_parameter_named(text: str) -> None:
    """What never was a cursor is told to be damaged, with the name of the parameter."""
    with pytest.raises(BadCursor) as caught:
        cursor.decode("query", text, parameter="after")
    assert ("after",) == tuple(problem.parameter for problem in caught.value.problems)


def test_a_cursor_is_safe_in_a_link() -> None:
    """It has letters, digits, '-' and '_' only, so no client needs to encode it."""
    text = cursor.encode("query", ["ÿ" * 40, 2**62])
    assert text.replace("-", "").replace("_", "").isalnum()
    assert text.isascii()
