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
    TOKENS = "whole tokens between spaces, '-' and '_', in order, case-insensitive"
    DOMAIN_TOKENS = "as tokens, and between periods too"
    CONTAINS = "part of the text, case-insensitive"
    ADDRESS = "the address in `Name <address>`, case-insensitive"
    FIRST = "equal, and the first such event of its message and recipient"


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
    """Any of `values` matches `field`; `negated`: none of them does."""

    field: str
    match: Match
    values: tuple[str | int, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Grouping:
    """At least one of `filters` must match, or all of them; never without filters."""

    any_of: bool
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list of events: the last one seen."""

    timestamp: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Events of one workspace from `start` (inclusive) to `end` (exclusive), both UTC.

    All `filters` must match; with `alternatives` at least one of those too. Each of `of_messages`
    must match the event, or another one of its message that is before `end` and at most 31 days
    before `start`. Ordered by timestamp, then event id; `after` is the last event of the page
    before, `offset` passes over so many.
    """

    workspace: str
    start: datetime
    end: datetime
    filters: tuple[Filter, ...] = ()
    descending: bool = True
    limit: int = 100
    after: Place | None = None
    offset: int = 0
    alternatives: tuple[Filter, ...] = ()
    of_messages: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A state that a message can be in, and the events that bring it there.

    `classes`: only with these bounce classes.
    """

    name: str
    types: tuple[str, ...]
    classes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class MessagePlace:
    """A place in a list of messages: the last one seen, and how many were before it and it."""

    sent: datetime
    message_id: str
    rcpt_to: str
    count: int


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Messages of one workspace, one for each recipient, that were sent from `start` (inclusive) to
    `end` (exclusive), both UTC.

    Sent: when the message was injected; where no event tells that, its first event. Times that its
    events tell are taken to be within an hour of each other; others are of another sending.
    A message is in the last of `stages` that one of its events, however late, brings it to. Each of
    `filters` must match at least one of its events; `states` are names of stages, empty: all.
    With `alternatives` one of its events must match one of those too. Ordered by time sent; those
    sent at the same time have an order that stays, but tells nothing.
    """

    workspace: str
    start: datetime
    end: datetime
    stages: tuple[Stage, ...]
    filters: tuple[Filter, ...] = ()
    states: tuple[str, ...] = ()
    descending: bool = True
    limit: int = 100
    offset: int = 0
    after: MessagePlace | None = None
    alternatives: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one recipient: its state, and its events as JSON objects, the oldest first."""

    message_id: str
    rcpt_to: str
    sent: datetime
    state: str
    events: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages, how many there are on all pages, and where the next page starts."""

    messages: list[Message]
    total: int
    next: MessagePlace | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom a message went to, and its subject: what not every event of it carries."""

    recipients: list[str]
    subject: str


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """Figures of the events of one workspace from `start` (inclusive) to `end` (exclusive), UTC.

    `metrics` are names of `metrics.METRICS`, `group_by` of `metrics.GROUPS` or `VENDOR_GROUPS`.
    `interval`, a name of `intervals.LENGTHS` in the time zone `timezone`: a series; None: a figure
    for the range.
    Groups come in the order of the metric `order_by`, the largest first, at most `limit` of them.
    All `filters` and all `groupings` must match.
    """

    workspace: str
    start: datetime
    end: datetime
    metrics: tuple[str, ...]
    filters: tuple[Filter, ...] = ()
    group_by: tuple[str, ...] = ()
    interval: str | None = None
    timezone: str = "UTC"
    order_by: str | None = None
    limit: int = 1000
    alternatives: tuple[Filter, ...] = ()
    groupings: tuple[Grouping, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """The figures of one group in one interval, in the order of the query's names.

    `time`: the start of the interval, in the query's time zone. A value of `group` is empty for
    events that do not have the field, or None where it would be a number.
    """

    time: datetime | None
    group: tuple[str | int | None, ...]
    values: tuple[float, ...]


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
