"""A search for events as a question: parameters, defaults, pages.

Contract `bird-sparkpost.md`, sections 3, 4 and 5. Filters of different names must all match, of
the values of one any. Names that a request has beyond the tables are ignored, as there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from postledger.dialects.sparkpost import paging, times
from postledger.dialects.sparkpost.errors import Missing
from postledger.dialects.sparkpost.parameters import (
    LARGEST,
    Given,
    Values,
    given_of,
    integer,
    listed,
    one,
    subaccount,
)
from postledger.dialects.sparkpost.tables import EVENTS, INGEST_EVENTS, SERVED, TYPES
from postledger.dialects.wire import Call
from postledger.errors import BadInput
from postledger.query import EventQuery, Filter, Match

MOST, DEFAULT_PER_PAGE = 10_000, 1_000
DEFAULT_SPAN = timedelta(hours=24)
DEFAULT_DELAY = timedelta(minutes=1)
_INITIAL = "initial"


def _text(_: str, text: str) -> Values:
    return (text,)


def _address(_: str, text: str) -> Values:
    """An address in lower case (U-11), without a name before it. A raw `+` arrives as a space."""
    return (text.rpartition("<")[2].partition(">")[0].strip().replace(" ", "+").lower(),)


def _number(name: str, text: str) -> Values:
    return (integer(name, text, -LARGEST, LARGEST),)


@dataclass(frozen=True, slots=True)
class List:
    """A parameter that is a list of values: the field, how it is compared, what a value is."""

    field: str
    match: Match = Match.EQUAL
    read: Callable[[str, str], Values] = _text


LISTS: dict[str, List] = {
    "event_ids": List("event_id"),
    "recipients": List("rcpt_to", read=_address),
    "recipient_domains": List("recipient_domain", Match.DOMAIN_TOKENS),
    "from_addresses": List("friendly_from", Match.ADDRESS, _address),
    "sending_domains": List("sending_domain", Match.DOMAIN_TOKENS),
    "subjects": List("subject", Match.TOKENS),
    "bounce_classes": List("bounce_class", read=_number),
    "reasons": List("reason", Match.TOKENS),
    "campaigns": List("campaign_id", Match.TOKENS),
    "templates": List("template_id", Match.TOKENS),
    "sending_ips": List("sending_ip"),
    "ip_pools": List("ip_pool", Match.TOKENS),
    "subaccounts": List("subaccount_id", read=subaccount),
    "messages": List("message_id"),
    "transmissions": List("transmission_id"),
    "mailbox_providers": List("mailbox_provider", Match.TOKENS),
    "mailbox_provider_regions": List("mailbox_provider_region", Match.TOKENS),
    "ab_tests": List("ab_test_id", Match.TOKENS),
    "ab_test_versions": List("ab_test_version", read=_number),
}
"""The lists of `events/message`, beside `events`."""

OLD_LISTS: dict[str, List] = {
    "bounce_classes": List("bounce_class", read=_number),
    "campaign_ids": List("campaign_id"),
    "friendly_froms": List("friendly_from", Match.ADDRESS, _address),
    "message_ids": List("message_id"),
    "recipients": List("rcpt_to", read=_address),
    "subaccounts": List("subaccount_id", read=subaccount),
    "template_ids": List("template_id"),
    "transmission_ids": List("transmission_id"),
}
"""The lists of the older `message-events`, beside `events`."""

_PAGING = frozenset({"cursor", "page", "per_page"})
_COMMON = frozenset({"from", "to", "timezone", "delimiter", "events"})
_KNOWN = _PAGING | _COMMON | LISTS.keys()
_OLD_KNOWN = (_PAGING - {"cursor"}) | _COMMON | OLD_LISTS.keys() | {"reason"}


@dataclass(frozen=True, slots=True)
class Search:
    """A question, and what links to other pages repeat: path, parameters, number of the page."""

    query: EventQuery
    path: str
    pairs: tuple[tuple[str, str], ...]
    first_clicks: bool = False
    page: int = 1


def search(call: Call) -> Search:
    """The question of `events/message`. Raises BadInput that names the parameter.

    A cursor has the whole question in it, so that it goes on with the same list whatever a client
    made of the other parameters; only `per_page` may change.
    """
    given = given_of(call.pairs, _KNOWN)
    text = one(given, "cursor", _INITIAL)
    if text != _INITIAL:
        return _following(call, given, text)
    page, per_page = _page(given), _per_page(given, DEFAULT_PER_PAGE)
    pairs = tuple((n, v) for n, v in call.pairs if v and n in _KNOWN - _PAGING)
    start, end = _range(given, call.now)
    query = EventQuery(call.workspace, start, end, limit=per_page, offset=_offset(page, per_page))
    return _filtered(Search(query, call.path, pairs), given)


def _following(call: Call, given: Given, text: str) -> Search:
    mark = paging.read(call.workspace, text)
    per_page = _per_page(given, mark.per_page)
    query = EventQuery(call.workspace, mark.start, mark.end, limit=per_page, after=mark.place)
    return _filtered(Search(query, call.path, mark.pairs), given_of(mark.pairs, _KNOWN))


def _filtered(search: Search, given: Given) -> Search:
    if listed(given, "ab_test_versions") and not listed(given, "ab_tests"):
        raise Missing("ab_test_versions needs ab_tests beside it")
    asked = _lists(given, LISTS)
    types, alternatives = _types(_events(given, SERVED) or list(EVENTS))
    query = replace(search.query, filters=(*types, *asked), alternatives=alternatives)
    return replace(search, query=query, first_clicks=bool(alternatives))


def _types(names: list[str]) -> tuple[tuple[Filter, ...], tuple[Filter, ...]]:
    """The filter of types, or its alternatives.

    Asked for without `click`, `initial_click` is the first of a message's clicks, whichever of the
    two types it is stored as (U-3).
    """
    if "initial_click" not in names or "click" in names:
        return (Filter("type", Match.EQUAL, _ours(names)),), ()
    first = Filter("type", Match.FIRST, _ours(["initial_click", "click"]))
    others = [name for name in names if name != "initial_click"]
    return (), (first, *([Filter("type", Match.EQUAL, _ours(others))] if others else []))


_OURS = {name: ours for ours, name in TYPES.items() if name}


def _ours(names: list[str]) -> Values:
    return tuple(_OURS[name] for name in dict.fromkeys(names))


def old_search(call: Call) -> Search:
    """The question of `message-events`, whose pages have numbers. Raises BadInput."""
    given = given_of(call.pairs, _OLD_KNOWN)
    page, per_page = _page(given), _per_page(given, DEFAULT_PER_PAGE)
    start, end = _range(given, call.now)
    kept = _OLD_KNOWN - _PAGING - {"from", "to", "timezone"}
    types, alternatives = _types(_events(given, SERVED) or list(EVENTS))
    query = EventQuery(
        call.workspace,
        start,
        end,
        (*types, *_lists(given, OLD_LISTS), *_wildcards(one(given, "reason", ""))),
        limit=per_page,
        offset=_offset(page, per_page),
        alternatives=alternatives,
    )
    pairs = (
        *((n, v) for n, v in call.pairs if v and n in kept),
        ("from", times.text_of(start)),
        ("to", times.text_of(end)),
    )
    return Search(query, call.path, pairs, first_clicks=bool(alternatives), page=page)


def _wildcards(pattern: str) -> tuple[Filter, ...]:
    """`%` stands for any text. Each piece between must be in the reason, in whatever place."""
    return tuple(Filter("reason", Match.CONTAINS, (p,)) for p in pattern.split("%") if p.strip())


def ingest_search(call: Call) -> None:
    """Check the parameters of `events/ingest`. There is nothing to find, so no cursor is good."""
    given = given_of(call.pairs, INGEST)
    _per_page(given, DEFAULT_PER_PAGE)
    _range(given, call.now)
    _events(given, INGEST_EVENTS)
    _lists(given, {"subaccounts": LISTS["subaccounts"]})
    if one(given, "retryable", "true") not in {"true", "false"}:
        raise BadInput.parameter("retryable", "expected true or false")
    if one(given, "cursor", _INITIAL) != _INITIAL:
        raise paging.refused("is not one that was given; start with cursor=initial")


INGEST = frozenset(
    {
        *("from", "to", "cursor", "per_page", "delimiter", "events", "event_ids"),
        *("batch_ids", "retryable", "subaccounts", "error_types"),
    }
)


def named_events(call: Call, known: Mapping[str, object]) -> list[str]:
    """The types that a request for samples names; all when it names none."""
    return _events(given_of(call.pairs, frozenset({"events", "delimiter"})), known) or list(known)


# -- pieces


def _lists(given: Given, table: Mapping[str, List]) -> tuple[Filter, ...]:
    found = []
    for name, column in table.items():
        values = [v for text in listed(given, name) for v in column.read(name, text)]
        if values:
            found.append(Filter(column.field, column.match, tuple(values)))
    return tuple(found)


def _events(given: Given, known: Mapping[str, object]) -> list[str]:
    names = listed(given, "events")
    for name in names:
        if name not in known:
            raise BadInput.parameter("events", f"{name} is none of {', '.join(known)}")
    return names


def _per_page(given: Given, default: int) -> int:
    return integer("per_page", one(given, "per_page", str(default)), 1, MOST)


def _page(given: Given) -> int:
    return integer("page", one(given, "page", "1"), 1, LARGEST)


def _offset(page: int, per_page: int) -> int:
    return (page - 1) * per_page


def _range(given: Given, now: datetime) -> tuple[datetime, datetime]:
    """Inclusive and exclusive. A `from` that is later than the default end gives nothing yet: so
    asks who wants to know what is new."""
    zone = times.zone_of(one(given, "timezone", "UTC"))
    start, end = now - DEFAULT_SPAN, now - DEFAULT_DELAY
    if "from" in given:
        start = times.read("from", one(given, "from", ""), zone)
    if "to" in given:
        end = times.read("to", one(given, "to", ""), zone)
        if end < start:
            raise BadInput.parameter("to", f"is earlier than from, {times.text_of(start)}")
    return _cut(start), max(_cut(start), _cut(end))


def _cut(time: datetime) -> datetime:
    """To the millisecond, which is what a cursor keeps."""
    return time.astimezone(UTC).replace(microsecond=time.microsecond // 1000 * 1000)
