"""From messages to the e-mails of the logs, to one e-mail, and to its clicks [7]."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from postledger.dialects.unosend import events
from postledger.dialects.unosend.answers import answer, bare, pagination, shown
from postledger.dialects.unosend.errors import EmailNotFound
from postledger.dialects.unosend.events import metadata
from postledger.dialects.unosend.parse import AskedLogs
from postledger.dialects.unosend.tables import STATE_OF, STATES, TYPES
from postledger.dialects.wire import Call, Reply
from postledger.errors import NotFound
from postledger.query import Message, MessagePage

NO_IDS = frozenset({"status", "export"})
"""Calls of the original that stand where an id would."""
MOST_RECENT = 100
"""Clicks of one e-mail that are listed each on its own."""
_BEGINNINGS = ("injection", "policy_rejection", "generation_failure", "generation_rejection")
"""Types of events that happen when a message is handed in."""


class Event(events.Event, gc=False):
    """What is read of an event of an e-mail."""

    friendly_from: str = ""
    msg_from: str = ""
    rcpt_to: str = ""
    subject: str = ""
    injection_time: str | None = None
    scheduled_time: str | None = None
    rcpt_meta: dict[str, Any] = msgspec.field(default_factory=dict)


_EVENTS = msgspec.json.Decoder(list[Event])


@dataclass(frozen=True, slots=True)
class AskedEmail:
    """Which e-mail, and whether for its clicks."""

    email_id: str
    clicks: bool


def parse_email(call: Call) -> AskedEmail:
    """What a call asks of one e-mail, whose id may have slashes of its own. Raises NotFound: it is
    a call of another kind, of which the answer is not known [7]."""
    asked = call.path.partition("/emails/")[2]
    if asked in NO_IDS:
        raise NotFound(f"there is nothing at {call.path}")
    email_id = asked.removesuffix("/clicks")
    return AskedEmail(email_id, clicks=email_id != asked)


def listed(asked: AskedLogs, call: Call, page: MessagePage) -> Reply:
    """The answer to a call for logs."""
    body = {
        "data": [_of_message(each) for each in page.messages],
        "pagination": pagination(page.total, asked.limit, asked.offset),
        "filters": {"status": asked.status, "days": asked.days, "search": asked.search},
    }
    return answer(body, call)


def page_of_emails(asked: AskedLogs, call: Call, page: MessagePage) -> Reply:
    """The answer to a call for e-mails: the rows of the logs, in an envelope of its own, in which
    one client looks for an array [7, 9]."""
    rows = [_of_message(each) for each in page.messages]
    body = {"data": rows, "total": page.total, "limit": asked.limit, "offset": asked.offset}
    return bare(body, call)


def email(asked: AskedEmail, call: Call, lines: Sequence[bytes]) -> Reply:
    """The answer to a call for one e-mail, of the events of a message. Raises EmailNotFound: none
    of them is of an e-mail as this API knows it."""
    found = _read(lines)
    states = {STATE_OF[each.type] for each in found}
    state = next((each for each in reversed(STATES) if each in states), None)
    if state is None:
        raise EmailNotFound(f"there is no e-mail with the id {asked.email_id}")
    recipients = sorted({each.rcpt_to for each in found if each.rcpt_to})
    whole = _row(asked.email_id, recipients, _created(found), state, found)
    return answer(_clicks(whole, found) if asked.clicks else whole, call)


def _read(lines: Iterable[bytes]) -> list[Event]:
    return _EVENTS.decode(b"[" + b",".join(lines) + b"]")


def _of_message(message: Message) -> dict[str, Any]:
    to = [message.rcpt_to] if message.rcpt_to else []
    found = _read(message.events)
    return _row(message.message_id, to, shown(message.sent), message.state, found)


def _row(
    email_id: str, to: list[str], created: str, state: str, found: Sequence[Event]
) -> dict[str, Any]:
    """An e-mail; `from_email` and `to_emails` are names that the types of the clients have."""
    sender = _first(each.friendly_from or each.msg_from for each in found) or ""
    replies_last = sorted(found, key=lambda each: each.type == "response")
    return {
        "id": email_id,
        "from": sender,
        "from_email": sender,
        "to": to,
        "to_emails": to,
        "subject": _first(each.subject for each in replies_last) or "",
        "status": state,
        "created_at": created,
        "sent_at": _when("sent", found),
        "delivered_at": _when("delivered", found),
        "opened_at": _when("opened", found),
        "bounced_at": _when("bounced", found),
        "scheduled_for": _first(each.scheduled_time for each in found),
        "metadata": _first(each.rcpt_meta for each in found) or {},
        "events": [_event(each, kind) for each in found if (kind := TYPES[each.type])],
    }


def _event(event: Event, kind: str) -> dict[str, Any]:
    return {"type": kind, "created_at": event.timestamp, "metadata": metadata(event, kind)}


def _clicks(whole: dict[str, Any], found: Sequence[Event]) -> dict[str, Any]:
    """The clicks of an e-mail: how many on each link, and the latest of them."""
    clicks = [each for each in found if TYPES[each.type] == "clicked"]
    counted = Counter(each.target_link_url for each in clicks if each.target_link_url)
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    recent = [
        {"created_at": each.timestamp, **metadata(each, "clicked")}
        for each in clicks[: -MOST_RECENT - 1 : -1]
    ]
    return {
        "email": {name: value for name, value in whole.items() if name != "events"},
        "links": [{"url": url, "count": number} for url, number in ordered],
        "recentClicks": recent,
    }


def _created(found: Sequence[Event]) -> str:
    """When the message was handed in, or where no event tells that, its first event."""
    told = [
        each.injection_time or each.timestamp
        for each in found
        if each.injection_time or each.type in _BEGINNINGS
    ]
    return min(told or [each.timestamp for each in found])


def _when(kind: str, found: Iterable[Event]) -> str | None:
    """The time of the first event of a type; the events come the oldest first."""
    return next((each.timestamp for each in found if TYPES[each.type] == kind), None)


def _first(values: Iterable[Any]) -> Any:
    """The first that says something."""
    return next((value for value in values if value), None)
