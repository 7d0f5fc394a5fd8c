"""Events for tests: hypothesis strategies made from the registry, and what is to come back."""

import json
import os
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from postledger.events import EVENT_TYPES, FIELD, Kind

Event = dict[str, Any]

ALL_TIME = "from=1970-01-01&to=2200-01-01"
NDJSON = "application/x-ndjson"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


TIMES = int(os.environ.get("EXAMPLES", "1"))
"""How many times as many examples properties draw that ask the engine (`make properties`)."""


def examples(number: int, **more: Any) -> settings:
    """Settings for a property of so many examples, each of which takes a while."""
    return settings(max_examples=number * TIMES, deadline=None, **more)


def lines(*events: Event) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)


def event(number: int = 0, **fields: Any) -> Event:
    """An ordinary event; each number gives another one."""
    made = EPOCH + timedelta(days=20_000, seconds=number)
    return {"type": "delivery", "timestamp": iso(made), "event_id": f"e{number:06}"} | fields


def iso(time: datetime) -> str:
    """The form in which times are given back."""
    cut = (time.astimezone(UTC) - EPOCH) // _MILLISECOND * _MILLISECOND + EPOCH
    return cut.strftime("%Y-%m-%dT%H:%M:%S.") + f"{cut.microsecond // 1000:03}Z"


# -- what is accepted

TEXT = st.text(max_size=30)
INT64 = st.integers(-(2**63), 2**63 - 1)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


_FIRST, _LAST = 10**11, 7_258_118_400_000 - 1  # 1973 to 2199, in milliseconds
_WHENEVER = st.integers(_FIRST, _LAST)
_DAYS = 10 * 86_400_000
_NEAR = (
    st.shared(st.lists(_WHENEVER, min_size=1, max_size=2), key="near")
    .flatmap(st.sampled_from)
    .flatmap(lambda at: st.integers(max(at - _DAYS, _FIRST), min(at + _DAYS, _LAST)))
)
"""Near one of the two times that an example has. The store keeps months apart: with each event in
another one, all that is asked later goes through hundreds of parts."""


@st.composite
def times(draw: st.DrawFn, moments: st.SearchStrategy[int] = _WHENEVER) -> tuple[object, str]:
    """A time in one of the accepted forms, and the form in which it comes back."""
    milliseconds = draw(moments)
    time = EPOCH + timedelta(milliseconds=milliseconds)
    form = draw(st.integers(0, 4))
    if form == 0:
        return milliseconds, iso(time)
    if form == 1:
        return milliseconds // 1000, iso(EPOCH + timedelta(seconds=milliseconds // 1000))
    if form == 2:
        return milliseconds / 1000, iso(time)
    text = time.astimezone(draw(ZONES)).isoformat(timespec="milliseconds")
    if form == 3:
        text = text.replace("T", draw(st.sampled_from("Tt "))) + ""
        return text, iso(time)
    digits = draw(st.sampled_from(["", ".1", ".12", ".123456", ".123456789"]))
    whole = time.replace(microsecond=0)
    part = timedelta(milliseconds=int(digits[1:4].ljust(3, "0") or 0))
    return (
        whole.strftime("%Y-%m-%dT%H:%M:%S") + digits + draw(st.sampled_from("Zz")),
        iso(whole + part),
    )


_DIGITS = st.from_regex(r"\A-?[0-9]{1,18}\Z")
_BOOLEANS = {True: True, False: False, "0": False, "1": True}


def forms(kind: Kind) -> st.SearchStrategy[tuple[object, object]]:
    """Every form that is accepted for a kind, each with what comes back."""
    same = {
        Kind.TEXT: TEXT,
        Kind.TEXTS: st.lists(TEXT, max_size=4),
        Kind.OBJECT: st.dictionaries(TEXT, JSON, max_size=4),
    }
    if kind in same:
        return same[kind].map(lambda value: (value, value))
    other: dict[Kind, st.SearchStrategy[tuple[object, object]]] = {
        Kind.CODE: (TEXT | INT64).map(lambda value: (value, str(value))),
        Kind.INTEGER: (INT64 | _DIGITS).map(lambda value: (value, int(value))),
        Kind.BOOLEAN: st.sampled_from([True, False, 0, 1, "0", "1"]).map(
            lambda value: (value, _BOOLEANS[value])
        ),
        Kind.TIME: times(),
    }
    return other[kind]


_SET_HERE = {"received_at", "type", "timestamp", "event_id", "campaign_id"}
_OPTIONAL = [name for name in FIELD if name not in _SET_HERE]
_NULL = st.just((None, None))


@st.composite
def accepted(draw: st.DrawFn) -> tuple[Event, Event]:
    """An event as it may come in, and as it comes back, but for its id and `received_at`."""
    given: Event = {"type": draw(st.sampled_from(list(EVENT_TYPES)))}
    back: Event = dict(given)
    given["timestamp"], back["timestamp"] = draw(times(_NEAR))
    if draw(st.booleans()):
        given["event_id"] = "given"
    for name in draw(st.lists(st.sampled_from(_OPTIONAL), max_size=12, unique=True)):
        given[name], back[name] = draw(forms(FIELD[name].kind) | _NULL)
    unknown = st.dictionaries(TEXT.filter(lambda name: name not in FIELD), JSON, max_size=2)
    more = draw(st.just({}) | unknown)
    return given | more, derived(back) | more


_EMPTY_IS_ABSENT = {"message_id", "transmission_id", "rcpt_to", "raw_rcpt_to"}
_DOMAIN = re.compile(r"@([^@<>\s]+)>?\s*\Z", re.ASCII)


def derived(back: Event) -> Event:
    """With the fields that are made of others, and without the absent ones."""
    done = {
        name: value
        for name, value in back.items()
        if value is not None and (value != "" or name not in _EMPTY_IS_ABSENT)
    }
    address = done.get("rcpt_to") or ""
    if address:
        done["rcpt_to"] = address.lower()
        done["raw_rcpt_to"] = done.get("raw_rcpt_to") or address
    sender = done.get("friendly_from") or done.get("msg_from") or ""
    for name, source in (("recipient_domain", address), ("sending_domain", sender)):
        found = _DOMAIN.search(source)
        done[name] = done.get(name) or (found[1].lower() if found else "")
        if not done[name]:
            del done[name]
    return done


def comparable(event: Event) -> Event:
    """What came back, without what is different each time."""
    return {k: v for k, v in event.items() if k not in {"event_id", "received_at"}}


def same(expected: object, actual: object) -> bool:
    """Whether two JSON values are equal; a fraction may come back in another notation, and what
    looks like an integer beyond 64 bits as a string."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(
            same(value, actual[name]) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, float) and isinstance(actual, int):
        return expected == float(actual)
    if isinstance(expected, int) and isinstance(actual, str) and abs(expected) >= 2**63:
        return str(expected) == actual
    return expected == actual
