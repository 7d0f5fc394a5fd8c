"""What is accepted as one event: a typed description of it, made from the field registry.

The description only checks; the bytes that came are what is stored. The store reads them with the
same meaning (`store.columns`), and a test holds the two together.
"""

import re
from array import array
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import accumulate
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from postledger.errors import Problem
from postledger.events import EVENT_TYPES, FIELD, FIELDS, Kind

INT64 = 2**63
_CHUNK = 128 * 1024
MOST_DEEP = 500
"""Levels of arrays and objects in one event. The engine reads a thousand, Python's decoder as many
less the depth of the calls around it; what was stored must be read everywhere."""
Time = Annotated[datetime, Meta(tz=True)] | int | float
LooseTime = (
    Annotated[
        str,
        Meta(
            pattern=r"^(\d{1,13}(\.\d+)?"
            r"|\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d))$"
        ),
    ]
    | int
    | float
)
"""Unix seconds or milliseconds also as a text, as SparkPost's webhooks write them."""

_ACCEPTED: Mapping[Kind, Any] = {
    Kind.TEXT: str,
    Kind.CODE: str | Annotated[int, Meta(ge=-INT64, le=INT64 - 1)],
    Kind.INTEGER: Annotated[int, Meta(ge=-INT64, le=INT64 - 1)]
    | Annotated[str, Meta(pattern=r"^-?[0-9]{1,18}$")],
    Kind.BOOLEAN: bool | Literal[0, 1, "0", "1"],
    Kind.TIME: Time,
    Kind.TEXTS: list[str],
    Kind.OBJECT: dict[str, Any],
}
EventType = Literal[tuple(EVENT_TYPES)]  # type: ignore[valid-type]

NOT_JSON = "is not a JSON object in UTF-8"
_SET_HERE = "received_at"
_UNKNOWN_FIELD = "Object contains unknown field"
_PATH = re.compile(r"^(?P<what>.*) - at `\$(?:\[\d+\])?\.?(?P<path>.*)`$", re.DOTALL)
_FIELD = re.compile(r"`(\w+)`")
_TOO_DEEP = f"is nested too deep, more than {MOST_DEEP} levels"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_STEPS = bytes.maketrans(b"[{]}", bytes([1, 1, 255, 255]))
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


class Description:
    """Decoders for events of one source; `kind` and `time`: what it writes for type and times."""

    def __init__(self, kind: Any, time: Any) -> None:
        accepted = dict(_ACCEPTED) | {Kind.TIME: time}
        fields: list[Any] = [("type", kind), ("timestamp", time)]
        fields += [
            (field.name, Any if field.name == _SET_HERE else accepted[field.kind] | None, None)
            for field in FIELDS
            if field.name not in {"type", "timestamp"}
        ]
        self._closed = msgspec.json.Decoder(_struct(fields, closed=True))
        self._open = msgspec.json.Decoder(_struct(fields, closed=False))

    def all_good(self, lines: bytes, *, largest: int) -> tuple[int, bool] | None:
        """How many events these lines are, and whether one has fields that we do not know.

        None: at least one line is not one good event, or has more bytes than `largest`; `problem`
        says of each what is wrong.
        """
        decoder, total = self._closed, 0
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
                    decoder = self._open
                    events = decoder.decode_lines(chunk)
                if decoder is self._open:
                    chunk.decode()  # fields that we do not know are skipped above, bytes and all
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                return None
            if len(events) != count or not _is_shallow(chunk, count):
                return None
            total += count
        return total, decoder is self._open

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
            return Problem(f"{NOT_JSON}: {error}", index=index)
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


def _struct(fields: list[Any], *, closed: bool) -> type[msgspec.Struct]:
    return msgspec.defstruct("Event", fields, forbid_unknown_fields=closed, gc=False)


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
    return Problem(f"expected {kind} ({what[0].lower()}{what[1:]})", index=index, field=name)


NATIVE = Description(EventType, Time)
LOOSE = Description(str, LooseTime)
