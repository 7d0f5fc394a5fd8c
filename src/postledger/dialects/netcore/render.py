"""From messages to the rows of a log [3.3]."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from postledger.dialects.netcore import times
from postledger.dialects.netcore.parse import Asked, address
from postledger.dialects.netcore.tables import BY_CLASS, CLICKS, HARD, OPENS, TYPES
from postledger.dialects.wire import Reply
from postledger.query import Message, MessagePage, MessagePlace

T = TypeVar("T")
_LARGEST, _EXACT = 2**63 - 1, 2**53 - 1
"""The largest number of the column, and the largest up to which JavaScript reads all."""


class Event(msgspec.Struct):
    """What a row is made of, of an event in our own form."""

    type: str
    timestamp: datetime
    bounce_class: int | None = None
    friendly_from: str = ""
    subject: str = ""
    correlation_id: str = ""
    msg_size: int = 0
    rcpt_tags: list[str] = []
    smtp_response: str = ""
    raw_reason: str = ""
    reason: str = ""
    ip_address: str = ""
    target_link_url: str = ""


class Open(msgspec.Struct):
    ip: str
    time: str


class Click(msgspec.Struct):
    ip: str
    link: str
    time: str


class Row(msgspec.Struct):
    """The columns in their order: clients print them as they come [3.3]."""

    trid: int
    rcptEmail: str  # noqa: N815 -- the names are those of the original
    fromaddress: str
    requestedTime: str  # noqa: N815
    deliveryTime: str  # noqa: N815
    modifiedTime: str  # noqa: N815
    status: str
    size: int
    remarks: str
    subject: str
    xapiheader: str
    tags: str
    opens: list[Open] | UnsetType = UNSET
    clicks: list[Click] | UnsetType = UNSET


class Log(msgspec.Struct):
    """A page. Both spellings of the token, which clients of different generations look for [4]."""

    status: str
    totalRecords: int  # noqa: N815
    scrollid: str
    scrollId: str  # noqa: N815
    data: list[Row]


_EVENT = msgspec.json.Decoder(Event)


def shown(page: MessagePage, asked: Asked) -> Reply:
    """The reply with a page of logs."""
    token = _token(page, asked)
    rows = [row(each, asked.zone, trails=asked.generation.trails) for each in page.messages]
    return Reply(msgspec.json.encode(Log("success", page.total, token, token, rows)))


def _token(page: MessagePage, asked: Asked) -> str:
    """With every page that has rows: who goes on behind the last of them finds an empty page, and
    no token there. An empty one here would mean none, and so the first page again [3.4, U-6]."""
    if not page.messages:
        return ""
    last, after = page.messages[-1], asked.query.after
    before = after.count if after else asked.query.offset
    count = before + len(page.messages)
    return asked.token(MessagePlace(last.sent, last.message_id, last.rcpt_to, count))


def trid(message_id: str, rcpt_to: str) -> int:
    """A message id that is a number of 63 bits as it is, else a digest of it and the recipient, of
    53 bits."""
    if message_id.isascii() and message_id.isdecimal() and message_id == message_id.lstrip("0"):
        number = int(message_id) if len(message_id) < 20 else _LARGEST + 1  # noqa: PLR2004
        if number <= _LARGEST:
            return number
    digest = hashlib.blake2b(f"{message_id}\0{rcpt_to}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _EXACT


def row(message: Message, zone: ZoneInfo, *, trails: bool) -> Row:
    """A message as a row; `trails`: without opens and clicks it says so too."""
    events = [_EVENT.decode(each) for each in message.events]
    changes = [event for event in events if TYPES.get(event.type)]  # a reply is another message
    delivered = [event for event in events if event.type == "delivery"]
    opens, clicks = _opens(events, zone), _clicks(events, zone)
    return Row(
        trid(message.message_id, message.rcpt_to),
        message.rcpt_to,
        address(_first(event.friendly_from for event in changes) or ""),
        times.shown(message.sent, zone),
        times.shown(delivered[0].timestamp, zone) if delivered else "",
        times.shown(changes[-1].timestamp if changes else message.sent, zone),
        message.state,
        _first(event.msg_size for event in events) or 0,
        _remarks(message.state, events, delivered),
        _first(event.subject for event in changes) or "",
        _first(event.correlation_id for event in events) or "",
        ",".join(_first(event.rcpt_tags for event in events) or ()),
        opens if opens or trails else UNSET,
        clicks if clicks or trails else UNSET,
    )


def _first(values: Iterable[T]) -> T | None:
    """The first that says something."""
    return next((value for value in values if value), None)


def _remarks(state: str, events: Sequence[Event], delivered: Sequence[Event]) -> str:
    """What the last event that decided the state says, or else the last delivery: who opens and
    clicks says nothing."""
    deciding = [event for event in events if _state(event) == state]
    said = (
        event.smtp_response or event.raw_reason or event.reason
        for event in (*reversed(deciding), *reversed(delivered))
    )
    return _first(said) or ""


def _state(event: Event) -> str | None:
    if event.bounce_class in HARD:
        for state, types in BY_CLASS.items():
            if event.type in types:
                return state
    return TYPES.get(event.type)


def _opens(events: Sequence[Event], zone: ZoneInfo) -> list[Open]:
    return [
        Open(event.ip_address, times.shown(event.timestamp, zone))
        for event in events
        if event.type in OPENS
    ]


def _clicks(events: Sequence[Event], zone: ZoneInfo) -> list[Click]:
    return [
        Click(event.ip_address, event.target_link_url, times.shown(event.timestamp, zone))
        for event in events
        if event.type in CLICKS
    ]
