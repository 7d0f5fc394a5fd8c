"""Stored events as rows of an answer. Contract `bird-sparkpost.md`, sections 4.1, 5 and 6.

Each type is a struct that has its fields and no others, so decoding drops what the type does not
carry, and an absent field stays absent. A number becomes a string on the way: it is read as a
Decimal, which is written as a string. Events go through some at a time, so that they stay in the
processor's cache: that halves the time.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache, reduce
from operator import or_
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from postledger.dialects.sparkpost.tables import FIELDS, SERVED, Form

_AT_ONCE = 50
_COMMA = ord(",")

_READ: dict[Form, Any] = {
    Form.TEXT: str,
    Form.NUMBER: Decimal,
    Form.FLAG: bool,
    Form.FLAG_TEXT: bool,
    Form.ID: str,
    Form.TIME: str,
    Form.TEXTS: Raw,
    Form.OBJECT: Raw,
    Form.PLACE: dict[str, Raw],
    Form.KEPT: Raw,
    Form.KEPT_TEXT: Raw,
}


def _struct(name: str) -> type[msgspec.Struct]:
    own = set(SERVED[name].fields)
    fields = [
        (field, _READ[FIELDS[field].form] | UnsetType, UNSET) for field in FIELDS if field in own
    ]
    return msgspec.defstruct(name, fields, tag_field="type", tag=name, omit_defaults=True, gc=False)


_STRUCTS: dict[str, type[msgspec.Struct]] = {name: _struct(name) for name in SERVED}
_ANY_OF_THEM = reduce(or_, _STRUCTS.values())
_DECODER = msgspec.json.Decoder(_ANY_OF_THEM)
_ENCODER = msgspec.json.Encoder()

Rows = list[Any]


def rows(events: Sequence[bytes], *, first_clicks: bool = False) -> bytes:
    """A JSON array of rows. With `first_clicks`, clicks are told as `initial_click`."""
    return _array(events, _finish, first_clicks=first_clicks)


def old_rows(events: Sequence[bytes], *, first_clicks: bool = False) -> bytes:
    """The same as rows of the older API: ids and coordinates are strings, and times end in
    `+00:00`, the only form that gosparkpost can read."""
    return _array(events, _finish_old, first_clicks=first_clicks)


def _array(events: Sequence[bytes], finish: Callable[[Rows], None], *, first_clicks: bool) -> bytes:
    out = bytearray()
    for start in range(0, len(events), _AT_ONCE):
        lines = b"\n".join(events[start : start + _AT_ONCE])
        decoded = _DECODER.decode_lines(lines)
        if b"null" in lines:
            _drop_nulls(decoded)
        end = max(0, len(out) - 1)  # the bracket that closed the array goes on as a comma
        finish(decoded)
        _ENCODER.encode_into(_told_first(decoded) if first_clicks else decoded, out, end)
        if end:
            out[end] = _COMMA
    return bytes(out) or b"[]"


def _drop_nulls(decoded: Rows) -> None:
    """What is kept as it came may be null, which is no value, and so may a part of a place."""
    for row in decoded:
        place = getattr(row, _PLACE, UNSET)
        if place is not UNSET:
            setattr(row, _PLACE, {n: v for n, v in place.items() if bytes(v) != b"null"})
        for name in _KEPT[type(row)]:
            value = getattr(row, name)
            if value is not UNSET and bytes(value) == b"null":
                setattr(row, name, UNSET)


def _finish(decoded: Rows) -> None:
    for row in decoded:
        if row.subaccount_id is not UNSET:
            row.subaccount_id = number_or_text(row.subaccount_id)
        if row.customer_id is not UNSET:
            row.customer_id = number_or_text(row.customer_id)
        if row.transactional is not UNSET:
            row.transactional = _flag(row.transactional)
        for name, change in _CHANGES[type(row)]:
            value = getattr(row, name)
            if value is not UNSET:
                setattr(row, name, change(value))


def _told_first(decoded: Rows) -> Rows:
    click, initial = _STRUCTS["click"], _STRUCTS["initial_click"]
    return [
        initial(*msgspec.structs.astuple(row)) if type(row) is click else row for row in decoded
    ]


def _finish_old(decoded: Rows) -> None:
    for row in decoded:
        for name, change in _OLD_CHANGES[type(row)]:
            value = getattr(row, name)
            if value is not UNSET:
                setattr(row, name, change(value))


def _old_time(text: str) -> str:
    return text.removesuffix("Z") + "+00:00" if text.endswith("Z") else text


def _flag(value: bool) -> str:  # noqa: FBT001 -- it is the value
    return "1" if value else "0"


@lru_cache(4096)
def number_or_text(text: str) -> int | str:
    """Numbers are signed and of 32 bits there; larger ids are strings (section 2)."""
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        return text
    number = int(text)
    return number if number <= _LARGEST and str(number) == text else text


_LARGEST, _MOST_DIGITS = 2**31 - 1, 10
_PLAIN = re.compile(rb'"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)"')
_BOOLEANS = {b"true": b"1", b"false": b"0"}


def _number(value: Raw) -> Raw:
    """A number that came as a string; a code with a leading zero is none."""
    text = bytes(value)
    found = _PLAIN.fullmatch(text) if text[:1] == b'"' else None
    return value if found is None else Raw(found[1])


def _quoted(value: Raw) -> Raw | UnsetType:
    """A number or a boolean as a string; null is no value."""
    text = _BOOLEANS.get(bytes(value), bytes(value))
    if text == b"null":
        return UNSET
    return Raw(b'"%b"' % text) if text[:1] in b"-0123456789" else value


_PLACE = "geo_ip"
_COORDINATES = ("latitude", "longitude", "zip")


def _place(change: Callable[[Raw], Raw | UnsetType]) -> Callable[[dict[str, Raw]], object]:
    """The same change of each coordinate; an empty text is no value, and no place one without."""

    def changed(place: dict[str, Raw]) -> object:
        for name in _COORDINATES:
            if name in place:
                value = change(place.pop(name))
                if value is not UNSET and bytes(value) != b'""':
                    place[name] = value
        return place or UNSET

    return changed


Changes = list[tuple[str, Callable[[Any], object]]]


def _changes(by_form: dict[Form, Callable[[Any], object]]) -> dict[type[msgspec.Struct], Changes]:
    """What to change in each struct."""
    return {
        struct: [
            (name, by_form[FIELDS[name].form])
            for name in struct.__struct_fields__
            if FIELDS[name].form in by_form
        ]
        for struct in _STRUCTS.values()
    }


_CHANGES = _changes({Form.PLACE: _place(_number), Form.KEPT_TEXT: _quoted})
"""What `_finish` changes beside what all rows have."""
_OLD_CHANGES = _changes(
    {
        Form.PLACE: _place(_quoted),
        Form.KEPT_TEXT: _quoted,
        Form.TIME: _old_time,
        Form.FLAG_TEXT: _flag,
    }
)
_KEPT = {
    struct: [name for name in struct.__struct_fields__ if FIELDS[name].form is Form.KEPT]
    for struct in _STRUCTS.values()
}
