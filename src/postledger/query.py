"""What a question to the ledger is. Every API turns its requests into these values.

The workspace is a required part of each: nothing can ask across workspaces.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Match(Enum):
    """How a filter compares a field with its values."""

    EQUAL = "equal"
    WORDS = "whole words in order, case-insensitive"
    MEMBER = "one of the elements is equal"


FILTERS: dict[str, tuple[str, Match]] = {
    "type": ("type", Match.EQUAL),
    "recipient": ("rcpt_to", Match.EQUAL),
    "recipient_domain": ("recipient_domain", Match.EQUAL),
    "message_id": ("message_id", Match.EQUAL),
    "transmission_id": ("transmission_id", Match.EQUAL),
    "campaign_id": ("campaign_id", Match.EQUAL),
    "template_id": ("template_id", Match.EQUAL),
    "subject": ("subject", Match.WORDS),
    "friendly_from": ("friendly_from", Match.EQUAL),
    "sending_domain": ("sending_domain", Match.EQUAL),
    "sending_ip": ("sending_ip", Match.EQUAL),
    "ip_pool": ("ip_pool", Match.EQUAL),
    "subaccount_id": ("subaccount_id", Match.EQUAL),
    "mailbox_provider": ("mailbox_provider", Match.EQUAL),
    "bounce_class": ("bounce_class", Match.EQUAL),
    "reason": ("reason", Match.WORDS),
    "event_id": ("event_id", Match.EQUAL),
    "tag": ("rcpt_tags", Match.MEMBER),
}
"""The native API's filter parameters: which field, and how it is compared."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Any of `values` matches `field`."""

    field: str
    match: Match
    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list of events: the last one seen."""

    timestamp: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Events of one workspace from `start` (inclusive) to `end` (exclusive), both UTC.

    All `filters` must match. Ordered by timestamp, then event id; `after` is the last event of the
    page before.
    """

    workspace: str
    start: datetime
    end: datetime
    filters: tuple[Filter, ...] = ()
    descending: bool = True
    limit: int = 100
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """Events of one workspace in the order in which they were stored, after position `after`."""

    workspace: str
    after: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Events as JSON objects, ready to send, and where the next page starts (None: nowhere)."""

    events: list[bytes] = field(default_factory=list)
    next: Place | None = None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events as JSON objects, and the position to go on from, which is never behind `after`."""

    events: list[bytes]
    next: int


_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words of `text`: runs of letters and digits of any script, joined by underscores too.

    >>> words("550 5.1.1 Użytkownik_nieznany!")
    ['550', '5', '1', '1', 'Użytkownik', 'nieznany']
    """
    return [word for run in _WORD.findall(text) for word in run.split("_") if word]
