"""Filters of figures: simple ones, and `query_filters`. Contract `bird-sparkpost.md`, section 9.

A simple filter is a list of values that a field is equal to. `query_filters` is a JSON object of
groupings, all of which must match; in each, `AND` or `OR` joins conditions. `eq` is for equal
values, `like` for parts of a text, in any case of letters; of the values of one condition any
matches, and with `notEq` and `notLike` none. Beside it the simple ones are ignored.
"""

from collections.abc import Iterator, Mapping

import msgspec

from postledger.dialects.sparkpost.errors import SchemaViolation
from postledger.dialects.sparkpost.parameters import (
    LARGEST,
    Given,
    Values,
    listed,
    one,
    subaccount,
)
from postledger.dialects.sparkpost.schemas import Schema, array_of, violations
from postledger.query import Filter, Grouping, Match

KEYS: dict[str, str] = {
    "domains": "recipient_domain",
    "campaigns": "campaign_id",
    "subject_campaigns": "subject",
    "mailbox_providers": "mailbox_provider",
    "mailbox_provider_regions": "mailbox_provider_region",
    "templates": "template_id",
    "sending_ips": "sending_ip",
    "ip_pools": "ip_pool",
    "sending_domains": "sending_domain",
    "subaccounts": "subaccount_id",
}
"""Filters, simple ones and those of `query_filters`, and the field of each."""

OPERATORS: dict[str, tuple[Match, bool]] = {
    "eq": (Match.EQUAL, False),
    "like": (Match.CONTAINS, False),
    "notEq": (Match.EQUAL, True),
    "notLike": (Match.CONTAINS, True),
}
"""How each compares, and whether it is negated."""

_TEXT: Schema = {"type": "string"}
_PART: Schema = {"type": "string", "minLength": 3}
_ACCOUNT: Schema = {
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": LARGEST,
    "pattern": "^[0-9]{1,9}$",
}


def _condition(value: Schema) -> Schema:
    operators = {
        name: array_of(_PART if match is Match.CONTAINS else value) | {"minItems": 1}
        for name, (match, _) in OPERATORS.items()
    }
    return {
        "type": "object",
        "properties": operators,
        "additionalProperties": False,
        "minProperties": 1,
    }


_CONDITIONS: Schema = {
    "type": "object",
    "properties": {name: _condition(_ACCOUNT if name == "subaccounts" else _TEXT) for name in KEYS},
    "additionalProperties": False,
    "minProperties": 1,
}
_CONDITIONS_THERE: Schema = {"$ref": "#/$defs/filters"}
_GROUPING: Schema = {
    "type": "object",
    "properties": {"AND": _CONDITIONS_THERE, "OR": _CONDITIONS_THERE},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}

SCHEMA: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$id": "root",
    "type": "object",
    "title": "Filters of figures",
    "required": ["groupings"],
    "properties": {"groupings": array_of({"$ref": "#/$defs/grouping"})},
    "additionalProperties": False,
    "$defs": {"grouping": _GROUPING, "filters": _CONDITIONS},
}
"""What `query_filters` is checked against."""

Conditions = Mapping[str, Mapping[str, list[str | int | float]]]


def filters_of(given: Given) -> tuple[tuple[Filter, ...], tuple[Grouping, ...]]:
    """The filters of a request, and its groupings. Raises BadInput, SchemaViolation."""
    if "query_filters" in given:
        return _nested(one(given, "query_filters", ""))
    found = []
    for name, field in KEYS.items():
        read = subaccount if name == "subaccounts" else _as_it_is
        values = tuple(v for text in listed(given, name) for v in read(name, text))
        if values:
            found.append(Filter(field, Match.EQUAL, values))
    return tuple(found), ()


def _as_it_is(_: str, text: str) -> Values:
    return (text,)


def _nested(text: str) -> tuple[tuple[Filter, ...], tuple[Grouping, ...]]:
    """What `AND` joins without a negation is told as plain filters, which are looked up faster."""
    filters: list[Filter] = []
    groupings: list[Grouping] = []
    for grouping in _groupings(text):
        ((operator, conditions),) = grouping.items()
        made = list(_conditions(conditions))
        if operator == "AND":
            filters += [each for each in made if not each.negated]
            made = [each for each in made if each.negated]
        if made:
            groupings.append(Grouping(operator == "OR", tuple(made)))
    return tuple(filters), tuple(groupings)


def _groupings(text: str) -> list[dict[str, Conditions]]:
    try:
        document = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise SchemaViolation([{"path": "", "message": "is not JSON"}]) from error
    found = list(violations(document, SCHEMA, SCHEMA))
    if found:
        raise SchemaViolation(found)
    groupings: list[dict[str, Conditions]] = document["groupings"]
    return groupings


def _conditions(conditions: Conditions) -> Iterator[Filter]:
    for name, compared in conditions.items():
        for operator, values in compared.items():
            match, negated = OPERATORS[operator]
            texts = tuple(each for value in values for each in _value(name, match, value))
            yield Filter(KEYS[name], match, texts, negated)


def _value(name: str, match: Match, value: str | float) -> Values:
    """A value as the field has it. An integer may be written as 1.0 in JSON."""
    if name == "subaccounts" and match is Match.EQUAL:
        return subaccount(name, str(int(value)))
    return (str(value),)
