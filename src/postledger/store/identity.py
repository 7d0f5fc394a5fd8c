"""Which event a line is, told without the engine where that is certain.

A question to the engine costs as much for one line as for a hundred; lines with an id and an
ordinary time are told here. The engine stores them later, from the same bytes, so this must say
what `columns.identified` says; a test holds the two together.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from postledger.store.columns import EARLIEST, LATEST


class Identity(NamedTuple):
    """`milliseconds` since 1970. `fault` as in `columns.FAULTS`; 0: none."""

    workspace: str
    milliseconds: int
    event_id: str
    fault: int


class _Named(msgspec.Struct):
    """Times as numbers are left to the engine, which then reads the line with more care."""

    timestamp: str
    event_id: str
    injection_time: str | None = None
    scheduled_time: str | None = None


_NAMED = msgspec.json.Decoder(_Named)
_ORDINARY = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_VAST = re.compile(rb"[:,\[\s]-?[0-9][0-9.]*[eE][+-]?[0-9]{3}")
"""Perhaps a number out of range, which the engine cannot read; msgspec skips it unread. What is
before it keeps ids in hexadecimal from passing for one."""
_AS_ZEROS, _LONG = bytes.maketrans(b"123456789", b"0" * 9), b"0" * 200
"""Perhaps one of so many digits, told faster than by a pattern."""
_ESCAPED_NAME = re.compile(rb'\\u00[^"]*"\s*:')
"""Perhaps a name of ours with escapes, beside the plain one: two members of one name."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _END = (datetime.fromisoformat(f"{text}+00:00") for text in (EARLIEST, LATEST))
MILLISECOND = timedelta(milliseconds=1)


def of_line(workspace: str, line: bytes) -> Identity | None:
    """Who a line of our own form is; None: ask the engine."""
    if line.count(b'"event_id"') != 1 or line.count(b'"timestamp"') != 1:
        return None  # absent, written with escapes, given twice, or also somewhere inside
    if _VAST.search(line) or _LONG in line.translate(_AS_ZEROS):
        return None
    if b"\\u00" in line and _ESCAPED_NAME.search(line):
        return None
    try:
        named = _NAMED.decode(line)
        time = time_of(named.timestamp)
        _check(line, b'"injection_time"', named.injection_time)
        _check(line, b'"scheduled_time"', named.scheduled_time)
    except ValueError:
        return None
    ours = (time - _EPOCH) // MILLISECOND
    return Identity(workspace, ours, named.event_id, 0) if named.event_id else None


def _check(line: bytes, name: bytes, given: str | None) -> None:
    """Raises ValueError: a time that is none, or is not given as it is read."""
    if line.count(name) != (given is not None):
        raise ValueError(name)
    if given is not None:
        time_of(given)


def time_of(text: str) -> datetime:
    """An ordinary time. Raises ValueError: it is none, or out of range."""
    if not _ORDINARY.fullmatch(text):
        raise ValueError(text)
    time = datetime.fromisoformat(text.upper())
    if not _FIRST <= time < _END:
        raise ValueError(text)
    return time
