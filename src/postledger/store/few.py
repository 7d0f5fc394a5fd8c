"""Rows of a few lines, made here: the engine needs 30 ms to plan the statement that makes rows
(`columns.rows`), for one line as for a thousand.

What is said here must be what that statement says; a test holds the two together. Lines that are in
any way out of the ordinary are left to the engine.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from postledger.events import FIELD, Kind
from postledger.store import columns
from postledger.store.identity import MILLISECOND, time_of

MOST = 200
"""More lines the engine makes in less time."""

COLUMNS: tuple[str, ...] = ("seq", *columns.INSERTED)
FORMAT = "JSONCompactEachRow"

Members = Mapping[str, bytes]
"""The members of a line, each with its value as JSON; null ones are left out."""


class Unusual(Exception):
    """The engine has to say what a line means."""


def rows(kept: Sequence[bytes]) -> bytes | None:
    """Rows of `COLUMNS` in `FORMAT`, of lines as `staging.kept` gives them; None: leave them to the
    engine. Each line has been checked, and told by `identity.of_line`."""
    if len(kept) > MOST:
        return None
    try:
        return _ENCODER.encode_lines([_row(line) for line in kept])
    except Exception:  # noqa: BLE001 -- whatever it is, the engine says what the lines mean
        return None


_ENCODER = msgspec.json.Encoder()
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_TEXT = msgspec.json.Decoder(str)
_EMPTY = b'""'
_LONG = re.compile(rb"[:,\[]-?[0-9]{19}")
"""Perhaps an integer beyond 64 bits; the engine makes a text of it."""


def _row(kept: bytes) -> list[object]:
    seq, received_at, workspace, _, line = kept.split(b"\t", 4)
    members = _members(line)
    at = _time(_text(members, "timestamp"))
    address = _plain(_text(members, "rcpt_to"))
    recipient = address.lower()
    domain = _text(members, "recipient_domain") or _domain(address)
    sender = _text(members, "friendly_from") or _text(members, "msg_from")
    senders = _text(members, "sending_domain") or _domain(sender)
    injected = _time(_text(members, "injection_time")) if "injection_time" in members else None
    rest = [
        *_raw_recipient(_text(members, "raw_rcpt_to") or address, recipient),
        _member("type", _as_text(members["type"])),
        _member("received_at", b'"%b"' % _iso(received_at.decode())),
        *([_member("recipient_domain", _json(domain))] if domain else []),
        *([_member("sending_domain", _json(senders))] if senders else []),
        *_scheduled(members),
        *(_member(name, members[name]) for name in _KEPT_WHOLE if name in members),
        *(_member(name, value) for name, value in members.items() if name not in FIELD),
        *_others(members),
    ]
    return [
        int(seq),
        workspace.decode(),
        _stored(at),
        Raw(_as_text(members.get("event_id", _EMPTY))),
        Raw(_as_text(members["type"])),
        recipient,
        domain,
        senders,
        Raw(members.get("rcpt_tags", b"[]")),
        None if injected is None else (at - injected) // MILLISECOND,
        (b"".join(rest) + b"}").decode(),
        *(_column(members, name, convert) for name, convert in _COLUMNS),
    ]


def _members(line: bytes) -> Members:
    """Raises Unusual: a name is given twice, or is written with escapes; a number is very long."""
    short = msgspec.json.format(line, indent=-1)
    members = _MEMBERS.decode(short)
    if _ENCODER.encode(members) != short or _LONG.search(short):
        raise Unusual
    values = {name: bytes(value) for name, value in members.items()}
    return {name: value for name, value in values.items() if value != b"null" or name not in FIELD}


# -- values


def _as_text(value: bytes) -> bytes:
    """A text, or a number as a text, as JSON; written without escapes that are not needed."""
    if value[:1] != b'"':
        if value == b"-0":
            raise Unusual
        return b'"%b"' % value
    return _json(_TEXT.decode(value)) if b"\\" in value else value


def _as_integer(value: bytes) -> bytes:
    """Also of a text of digits."""
    return b"%d" % int(value.strip(b'"'))


def _as_boolean(value: bytes) -> bytes:
    return _BOOLEANS[value]


_BOOLEANS = {
    **dict.fromkeys((b"true", b"1", b'"1"'), b"true"),
    **dict.fromkeys((b"false", b"0", b'"0"'), b"false"),
}
_CONVERT: dict[Kind, Callable[[bytes], bytes]] = {
    Kind.TEXT: _as_text,
    Kind.CODE: _as_text,
    Kind.INTEGER: _as_integer,
    Kind.BOOLEAN: _as_boolean,
}
_COLUMNS = [(field.name, _CONVERT[field.kind]) for field in columns.AS_SENT]
_OTHERS = [(field.name, _CONVERT[field.kind]) for field in columns.IN_REST]
_KEPT_WHOLE = ("rcpt_tags", "rcpt_meta", "geo_ip")
_TEXTS = {name for name, convert in _COLUMNS if convert is _as_text}


def _column(members: Members, name: str, convert: Callable[[bytes], bytes]) -> object:
    if name in members:
        return Raw(convert(members[name]))
    return "" if name in _TEXTS else None


def _text(members: Members, name: str) -> str:
    """Empty when it is absent."""
    found: str = _TEXT.decode(members.get(name, _EMPTY))
    return found


def _plain(text: str) -> str:
    """Letters beyond ASCII are changed to small ones in more than one way. Raises Unusual."""
    if not text.isascii():
        raise Unusual
    return text


_DOMAIN = re.compile(r"@([^@<> \t\n\f\r]+)>?[ \t\n\f\r]*\Z")


def _domain(address: str) -> str:
    found = _DOMAIN.search(address)
    return _plain(found[1]).lower() if found else ""


# -- times


def _time(text: str) -> datetime:
    """To the millisecond, in UTC. Raises ValueError."""
    time = time_of(text).astimezone(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _stored(time: datetime) -> str:
    """As the engine reads it."""
    return f"{time:%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _iso(stored: str) -> bytes:
    return stored.replace(" ", "T").encode() + b"Z"


# -- the parts of `rest`


def _json(text: str) -> bytes:
    return _ENCODER.encode(text)


def _member(name: str, value: bytes) -> bytes:
    return b",%b:%b" % (_json(name), value)


def _raw_recipient(address: str, recipient: str) -> Iterator[bytes]:
    if address not in {"", recipient}:
        yield _member("raw_rcpt_to", _json(address))


def _scheduled(members: Members) -> Iterator[bytes]:
    if "scheduled_time" in members:
        time = _stored(_time(_text(members, "scheduled_time")))
        yield _member("scheduled_time", b'"%b"' % _iso(time))


def _others(members: Members) -> Iterator[bytes]:
    for name, convert in _OTHERS:
        if name in members:
            yield _member(name, convert(members[name]))
