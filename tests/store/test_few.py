"""Rows of few lines are made in Python, and are what the engine makes of them."""

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import Event, accepted, event, examples
from postledger.query import EventQuery
from postledger.store.few import COLUMNS, MOST, rows
from postledger.store.staging import came, kept

_NAMES = count()
_SEEN = "* EXCEPT(workspace, seq, rest), message_key, injected"
_CAREFUL: Event = {"type": "open", "timestamp": 1_700_000_000}
"""Has no id, and with it the engine makes the rows of all that waits."""


_LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "rcpt_to": st.sampled_from(["Ann@Mail.example", "bob@x.Example", "B <b@x.example> "]),
        "friendly_from": st.sampled_from(["News <News@Shop.example>", "shop"]),
        "bounce_class": st.sampled_from(["007", 10]),
    },
)
"""What chance hardly makes: an address has letters, a domain, white space."""


@st.composite
def plain(draw: st.DrawFn) -> Event:
    """Whatever is accepted, with an id and an ordinary time."""
    made, _ = draw(accepted())
    made |= draw(_LIKELY)
    return made | {"timestamp": draw(st.sampled_from(["2026-11-20T09:30:00.25+02:00", STAMP]))}


STAMP = "2026-02-28t23:59:59.9999z"


@examples(12)
@given(events=st.lists(plain(), min_size=4, max_size=20))
def test_python_and_the_engine_make_the_same(store: Store, events: list[Event]) -> None:
    """Each column, and each event as it is given back. What is left to the engine is sent apart:
    one such line in a group, and the engine would make all of its rows."""
    named = [one | {"event_id": f"e{number:02}"} for number, one in enumerate(events)]
    ordinary = [one for one in named if made(msgspec.json.encode(one))]
    unusual = [one for one in named if one not in ordinary]
    here, there = (f"few-{next(_NAMES)}-{side}" for side in ("here", "there"))
    for group in filter(None, (ordinary, unusual)):
        assert [1] * len(group) == store.send_small(here, group)
        store.flush()
    assert [1] * (len(named) + 1) == store.send_small(there, [*ordinary, *unusual, _CAREFUL])
    store.flush()
    found = seen(store, here, there)
    assert len(named) == len(found[here])
    assert found[there] == found[here]
    assert told(store, there) == told(store, here)


def seen(store: Store, *workspaces: str) -> dict[str, list[Any]]:
    """The rows of these workspaces that have an id of ours."""
    found: dict[str, list[Any]] = {name: [] for name in workspaces}
    rows_ = store.run(
        f"SELECT workspace, {_SEEN} FROM postledger.events WHERE workspace IN {workspaces} "
        "AND startsWith(event_id, 'e') AND length(event_id) = 3 ORDER BY event_id"
    )
    for workspace, *row in rows_:
        found[workspace].append(row)
    return found


def told(store: Store, workspace: str) -> list[Event]:
    query = EventQuery(
        workspace, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )
    found = [json.loads(one, parse_int=_number) for one in store.read("page", query).events]
    return [{k: v for k, v in one.items() if k != "received_at"} for one in found]


def _number(digits: str) -> int | float:
    """The engine writes some fractions without a point; they are the same double."""
    return int(digits) if len(digits) < 16 else float(digits)


def made(*lines: bytes) -> list[dict[str, Any]] | None:
    """The rows of lines, by column; None: they are left to the engine."""
    now = datetime(2026, 11, 20, 10, tzinfo=UTC)
    found = rows([kept(7, now, came("w", "native", line)) for line in lines])
    if found is None:
        return None
    return [dict(zip(COLUMNS, json.loads(row), strict=True)) for row in found.splitlines()]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"rcpt_to": "Ann@Mail.example", "friendly_from": "Żółw <a@Shop.example>"},
        {"injection_time": "2026-11-20T09:30:00Z", "scheduled_time": "2026-11-20T09:30:00+01:00"},
        {"bounce_class": "007", "error_code": 550, "transactional": 1, "rcpt_tags": ["ä", '"']},
        {"rcpt_meta": {"a": [1.50, None, {"b": "\n"}]}, "mine": None, "Ω": {"x": 1e5}},
    ],
)
def test_ordinary_lines_are_made_here(more: Event) -> None:
    """Without this the property would compare the engine with itself."""
    found = made(json.dumps(event(1, **more), ensure_ascii=False).encode())
    assert found is not None
    assert found[0]["seq"] == 7


LINE = b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a"%b}'


@pytest.mark.parametrize(
    "more",
    [
        b',"reason":"a","reason":"b"',
        b',"re\\u0061son":"a"',
        b',"rcpt_to":"\xc3\x84@x.example"',
        b',"friendly_from":"a@\xc3\x84.example"',
        b',"injection_time":"2026-11-20T09:30:00.1234567Z"',
        b',"bounce_class":12.0',
        b',"click_tracking":-0',
        b',"transactional":"\\u0031"',
        b',"campaign_id":-0',
        b',"mine":[18446744073709551616]',
    ],
)
def test_what_is_unusual_is_left_to_the_engine(more: bytes) -> None:
    """No guess where the two might differ."""
    assert made(LINE % b"") is not None
    assert made(LINE % b"", LINE % more) is None


def test_what_is_left_to_the_engine_is_stored(store: Store) -> None:
    """Alone, so that it is read as ordinary lines are, which need nothing looked up."""
    workspace = f"few-{next(_NAMES)}"
    unusual = event(1, timestamp=STAMP, rcpt_to="Ää@x.example", injection_time=STAMP)
    assert made(msgspec.json.encode(unusual)) is None
    assert [1] == store.send_small(workspace, [unusual])
    store.flush()
    assert ["ää@x.example"] == [each["rcpt_to"] for each in told(store, workspace)]


def test_many_lines_are_left_to_the_engine() -> None:
    """It needs less time for them."""
    lines = [LINE % b""] * MOST
    assert len(made(*lines) or ()) == MOST
    assert made(*lines, LINE % b"") is None


def test_what_came_is_kept_as_it_is() -> None:
    """Fractions that the engine writes in another way stay as they were sent."""
    found = made(LINE % b', "mine": [ 6.5e16, 1.50 ]')
    assert found is not None
    assert '"mine":[6.5e16,1.50]' in found[0]["rest"]
