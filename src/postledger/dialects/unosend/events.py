"""From events to the rows of the events list [3, 4]."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from postledger.dialects.unosend.answers import answer, pagination
from postledger.dialects.unosend.parse import Asked
from postledger.dialects.unosend.tables import HARD_CLASSES, METADATA, TYPES
from postledger.dialects.wire import Call, Reply
from postledger.query import Envelope, Page


class Event(msgspec.Struct, gc=False):
    """What is read of an event."""

    event_id: str
    type: str
    timestamp: str
    message_id: str | None = None
    smtp_response: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    target_link_url: str | None = None
    reason: str | None = None
    raw_reason: str | None = None
    error_code: str | None = None
    bounce_class: int | None = None
    fbtype: str | None = None

    @property
    def why(self) -> str | None:
        return self.reason or self.raw_reason

    @property
    def bounce_type(self) -> str:
        """By the class; without one by the SMTP code, which the reason may begin with; without both
        what a bounce is: for good."""
        if self.bounce_class is not None:
            return "hard" if self.bounce_class in HARD_CLASSES else "soft"
        reasons = (_SMTP_CODE.match(each or "") for each in (self.reason, self.raw_reason))
        code = self.error_code or next((found[0] for found in reasons if found), "")
        return "soft" if code.startswith("4") else "hard"


_SMTP_CODE = re.compile(r"[245][0-9]{2}\b")  # RFC 5321, section 4.2
_EVENTS = msgspec.json.Decoder(list[Event])


def read(page: Page) -> list[Event]:
    """The events of a page."""
    return _EVENTS.decode(b"[" + b",".join(page.events) + b"]")


def messages(events: Sequence[Event]) -> list[str]:
    """The ids of the messages of these events, each once."""
    return list(dict.fromkeys(event.message_id for event in events if event.message_id))


def render(
    asked: Asked,
    call: Call,
    events: Sequence[Event],
    total: int,
    envelopes: Mapping[str, Envelope],
) -> Reply:
    """The answer to a call: a page, and how many events there are on all pages."""
    filters = {"email_id": asked.email_id, "event_type": asked.event_type, "days": asked.days}
    body = {
        "data": [row(event, envelopes) for event in events],
        "pagination": pagination(total, asked.limit, asked.offset),
        "filters": filters,
    }
    return answer(body, call)


def row(event: Event, envelopes: Mapping[str, Envelope]) -> dict[str, Any]:
    """An event as it is shown [3]. `event_type` is the name that the types of the clients have for
    `type` [U-2]."""
    kind = TYPES[event.type] or ""
    message = envelopes.get(event.message_id or "")
    return {
        "id": event.event_id,
        "email_id": event.message_id,
        "type": kind,
        "event_type": kind,
        "metadata": metadata(event, kind),
        "created_at": event.timestamp,
        "email": message and {"to": message.recipients, "subject": message.subject},
    }


def metadata(event: Event, kind: str) -> dict[str, Any]:
    """What an event of this type tells more [4]."""
    return {key: getattr(event, name) for key, name in METADATA[kind].items()}
