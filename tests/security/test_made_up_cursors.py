"""Cursors that were made up, with a digest that is right: anyone can make one, none breaks."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postledger import cursor
from postledger.dialects.netcore.parse import _place
from postledger.dialects.sparkpost import paging
from postledger.dialects.sparkpost.search import search
from postledger.dialects.wire import Call
from postledger.errors import BadCursor, BadInput
from postledger.http import parameters

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**10, 10**16)
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["\ud800", "9" * 99, "\0", 2**64, -(2**63), 253_402_300_800_000])
)
PLACES = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=2), inner)
)


def ends(identity: object, place: Any) -> str:
    return cursor.encode(identity, place)


def native(place: Any) -> None:
    identity = ["events", "shop", "desc", None, None]
    asked = parameters.events([("cursor", ends(identity, place))], "shop", NOW)
    assert asked.query.after is not None
    asked.query.after.event_id.encode()
    parameters.events_cursor(asked, asked.query.after)


def feed(place: Any) -> None:
    query, _ = parameters.feed([("after", ends(["feed", "shop"], place))], "shop")
    assert 0 <= query.after < 2**63


def sparkpost(place: Any) -> None:
    text = ends(paging._whose("shop"), place)
    found = search(Call("/api/v1/events/message", NOW, (("cursor", text),), workspace="shop"))
    assert 1 <= found.query.limit <= 10_000


def netcore(place: Any) -> None:
    _place(["netcore"], "scrollid", ends(["netcore"], place))


@pytest.mark.parametrize("read", [native, feed, sparkpost, netcore])
def test_a_place_that_is_none(read: Any) -> None:
    """Whatever stands in it, it is refused as a cursor, or is a place within all limits."""

    @settings(max_examples=80, deadline=None)
    @given(st.lists(SCALAR, max_size=7) | PLACES)
    def run(place: Any) -> None:
        with suppress(BadInput if read is sparkpost else BadCursor):  # it has parameters in it
            read(place)

    run()


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[1e999]", b"[" + b"9" * 5000 + b"]", b"\xff"])
def test_a_body_that_is_none(body: bytes) -> None:
    """Nor does JSON break that is nested too deep, or has numbers beyond all bounds."""
    digest = cursor._digest(["feed", "shop"], body)
    text = cursor._text(bytes([cursor.VERSION]) + digest + body)
    with pytest.raises(BadCursor):
        parameters.feed([("after", text)], "shop")
