"""What is accepted as one event: a typed description of it, made from the field registry.

The description only checks; the bytes that came are what is stored. The store reads them with the
same meaning (`store.columns`), and a test holds the two together.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate, pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from postledger.errors import Problem
from postledger.events import EVENT_TYPES, FIELD, FIELDS, Kind

INT64 = 2**63
_CHUNK = 128 * 1024
_LEARNT_FROM = 20
"""Lines of a large body that tell the order in which a source writes its fields."""
_ORDERS = 32
_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])
MOST_DEEP = 500
"""Levels of arrays and objects in one event. The engine reads a thousand, Python's decoder as many
less the depth of the calls around it; what was stored must be read everywhere."""
Time = Annotated[datetime, Meta(tz=True)] | int | float
LooseTime = (
    Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{1,13}(\.[0-9]+)?"
            r"|(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
            r"[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
            r"([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9]))\Z"
        ),
    ]
    | int
    | float
)
"""Unix seconds or milliseconds also as a text, as SparkPost's webhooks write them."""

_Integer = Annotated[int, Meta(ge=-INT64, le=INT64 - 1)]
_ACCEPTED: Mapping[Kind, Any] = {
    Kind.TEXT: str,
    Kind.CODE: str | _Integer,
    Kind.INTEGER: _Integer | Annotated[str, Meta(pattern=r"^-?[0-9]{1,18}\Z")],
    Kind.BOOLEAN: bool | Literal[0, 1, "0", "1"],
    Kind.TIME: Time,
    Kind.TEXTS: list[str],
    Kind.OBJECT: dict[str, Any],
}
_OF_ITS_OWN: Mapping[str, Any] = {
    "received_at": Any,  # it is set here
    "event_id": Annotated[str, Meta(max_length=1000)] | _Integer | None,  # cursors have it in them
}
EventType = Literal[tuple(EVENT_TYPES)]  # type: ignore[valid-type]

NOT_JSON = "is not a JSON object in UTF-8"
_UNKNOWN_FIELD = "Object contains unknown field"
_PATH = re.compile(r"^(?P<what>.*) - at `\$(?:\[\d+\])?\.?(?P<path>.*)`$", re.DOTALL)
_FIELD = re.compile(r"`(\w+)`")
_TOO_DEEP = f"is nested too deep, more than {MOST_DEEP} levels"
_HALF = "a character beyond U+FFFF is cut in two; each needs both of its escapes, \\ud83d\\ude00"
_HALF_A_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_STEPS = bytes.maketrans(b"[{]}", bytes([1, 1, 255, 255]))
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


class Description:
    """Decoders for events of one source; `kind` and `time`: what it writes for type and times."""

    def __init__(self, kind: Any, time: Any) -> None:
        accepted = dict(_ACCEPTED) | {Kind.TIME: time}
        self._fields: dict[str, tuple[Any, ...]] = {
            "type": ("type", kind),
            "timestamp": ("timestamp", time),
        }
        for field in FIELDS:
            given = _OF_ITS_OWN.get(field.name, accepted[field.kind] | None)
            self._fields.setdefault(field.name, (field.name, given, None))
        self._order = tuple(self._fields)
        self._pairs: dict[tuple[str, str], None] = {}
        self._decoder = lru_cache(_ORDERS)(self._made)
        self._open = self._decoder(self._order, closed=False)

    def _made(self, order: Sequence[str], *, closed: bool) -> msgspec.json.Decoder[Any]:
        fields = [self._fields[name] for name in order]
        return msgspec.json.Decoder(
            msgspec.defstruct("Event", fields, forbid_unknown_fields=closed, gc=False, kw_only=True)
        )

    def _learn(self, chunk: bytes) -> None:
        """Put the fields in the order in which the first of these lines have them.

        The decoder looks for a name from the one after the last that it has found, so a source that
        writes its fields in an order of its own would cost it a third more, or half as much again.
        """
        try:
            lines = [_NAMES.decode(line) for line in chunk.split(b"\n", _LEARNT_FROM)[:-1]]
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return
        known = [[name for name in line if name in self._fields] for line in lines]
        pairs = dict.fromkeys(pair for names in known for pair in pairwise(names))
        place = {name: at for at, name in enumerate(self._order)}
        if all(place[before] < place[after] for before, after in pairs):
            return
        for told in (self._pairs | pairs, pairs):  # another source may contradict the last one
            sorter: TopologicalSorter[str] = TopologicalSorter()
            for before, after in told:
                sorter.add(after, before)
            with suppress(CycleError):
                learnt = dict.fromkeys(sorter.static_order())
                self._pairs, self._order = told, tuple(learnt | dict.fromkeys(self._order))
                return

    def all_good(self, lines: bytes, *, largest: int) -> tuple[int, bool] | None:
        """How many events these lines are, and whether one has fields that we do not know.

        None: at least one line is not one good event, or has more bytes than `largest`; `problem`
        says of each what is wrong.
        """
        if len(lines) > _CHUNK:
            self._learn(lines[:_CHUNK])
        order, total = self._order, 0
        decoder = closed = self._decoder(order, closed=True)
        for chunk in _chunks(lines):
            if len(chunk) > largest and max(map(len, chunk.split(b"\n"))) > largest:
                return None
            count = _count(chunk, b"\n") + 1
            try:
                try:
                    events = decoder.decode_lines(chunk)
                except msgspec.ValidationError as error:
                    if _UNKNOWN_FIELD not in str(error):
                        return None
                    decoder = self._decoder(order, closed=False)
                    events = decoder.decode_lines(chunk)
                if decoder is not closed:
                    chunk.decode()  # fields that we do not know are skipped above, bytes and all
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                return None
            if len(events) != count or not _is_shallow(chunk, count):
                return None
            total += count
        return total, decoder is not closed

    def problem(self, line: bytes, index: int) -> Problem | None:
        """What is wrong with this one event; None: nothing."""
        if _is_deep(line):
            return Problem(_TOO_DEEP, index=index)
        try:
            self._open.decode(line)
            line.decode()  # fields that we do not know are skipped above, bytes and all
        except msgspec.ValidationError as error:
            return _explain(str(error), index)
        except RecursionError:
            return Problem(_TOO_DEEP, index=index)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = _HALF if _HALF_A_PAIR.search(line) else error
            return Problem(f"{NOT_JSON}: {why}", index=index)
        return None


def _is_shallow(chunk: bytes, lines: int) -> bool:
    """Whether none of its lines is nested too deep. Each has one level at least, so most chunks
    show it by two counts."""
    if _openings(chunk) < MOST_DEEP + lines - 1:
        return True
    return not any(_is_deep(line) for line in chunk.split(b"\n"))


def _is_deep(line: bytes) -> bool:
    if _openings(line) <= MOST_DEEP:
        return False
    steps = array("b", _STRING.sub(b"", line).translate(_STEPS, _NO_BRACKETS))
    return max(accumulate(steps), default=0) > MOST_DEEP


def _openings(text: bytes) -> int:
    return _count(text, b"{") + _count(text, b"[")


def _count(text: bytes, byte: bytes) -> int:
    """`text.count(byte)`, which looks at one byte after the other; this jumps from one that is
    found to the next, and takes a sixth of the time where they are few."""
    return len(text) - len(text.replace(byte, b""))


def _chunks(lines: bytes) -> Iterator[bytes]:
    """`lines` cut at newlines: what is decoded is thrown away, and small pieces stay in the cache.

    That halves the time; it also lets other threads run between the pieces.
    """
    start = 0
    while start < len(lines):
        end = lines.find(b"\n", start + _CHUNK)
        end = len(lines) if end < 0 else end
        yield lines[start:end]
        start = end + 1


def _explain(error: str, index: int) -> Problem:
    found = _PATH.match(error)
    what, path = (found["what"], found["path"]) if found else (error, "")
    if what.startswith("Object missing required field"):
        named = _FIELD.search(what)
        return Problem("is required", index=index, field=named[1] if named else None)
    name = re.split(r"[.\[]", path)[0]
    if not name or name not in FIELD:
        return Problem(f"{what[0].lower()}{what[1:]}", index=index)
    if name == "type":
        return Problem(f"{what[0].lower()}{what[1:]}; see the event types", index=index, field=name)
    kind = FIELD[name].kind.value
    why = "" if "matching regex" in what else f" ({what[0].lower()}{what[1:]})"
    return Problem(f"expected {kind}{why}", index=index, field=name)


NATIVE = Description(EventType, Time)
LOOSE = Description(str, LooseTime)
