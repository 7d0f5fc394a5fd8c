"""Each statement that reads events or figures for a request has the condition on the workspace:
all functions that make one are walked, with questions made by chance."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postledger.events import EVENT_TYPES, FIELD, Kind
from postledger.intervals import LENGTHS, runs, starts
from postledger.metrics import GROUPS, METRICS, VENDOR_GROUPS
from postledger.query import (
    EventQuery,
    FeedQuery,
    Filter,
    Grouping,
    Match,
    MessagePlace,
    MessageQuery,
    MetricsQuery,
    Place,
    Stage,
)
from postledger.store import export, metrics, sql
from postledger.store.columns import NOT_ASKED
from postledger.store.export import Extract
from postledger.store.sql import Sql

MARK = "Zq7'\\"
"""A part of every value; whatever else they have, it must not come into a text."""
WORKSPACE = f"w{MARK}"
EMPTY = frozenset({"grouped", "conditions"})
"""Parts of statements, which have no look-up of their own."""

TEXTS = st.text(max_size=8).map(lambda text: MARK + text)
TIMES = st.datetimes(datetime(1950, 1, 1), datetime(2250, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_OF_TEXT = [each for each in Match if each not in {Match.MEMBER, Match.FIRST}]


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    name = draw(st.sampled_from(sorted(set(FIELD) - set(NOT_ASKED) - {"timestamp"})))
    negated = draw(st.booleans())
    if FIELD[name].kind is Kind.TEXTS:
        return Filter(name, Match.MEMBER, (draw(TEXTS),), negated)
    if FIELD[name].kind is Kind.INTEGER:
        return Filter(name, Match.EQUAL, (draw(st.integers(-5, 5)),), negated)
    match = draw(st.sampled_from([*_OF_TEXT, Match.FIRST] if name == "type" else _OF_TEXT))
    return Filter(name, match, tuple(draw(st.lists(TEXTS, min_size=1, max_size=3))), negated)


SOME = st.lists(filters(), max_size=3).map(tuple)
SPANS = st.tuples(TIMES, st.timedeltas(timedelta(), timedelta(days=40))).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


@st.composite
def event_queries(draw: st.DrawFn) -> EventQuery:
    start, end = draw(SPANS)
    place = st.builds(Place, TIMES, TEXTS)
    return EventQuery(
        WORKSPACE,
        start,
        end,
        draw(SOME),
        draw(st.booleans()),
        after=draw(st.none() | place),
        offset=draw(st.integers(0, 3)),
        alternatives=draw(SOME),
        of_messages=draw(SOME),
    )


_KINDS = st.lists(st.sampled_from(list(EVENT_TYPES)), min_size=1, max_size=3).map(tuple)
_CLASSES = st.none() | st.lists(st.integers(1, 100), min_size=1, max_size=3).map(tuple)


@st.composite
def message_queries(draw: st.DrawFn) -> MessageQuery:
    start, end = draw(SPANS)
    names = ("first", "second", "third")
    stages = tuple(Stage(name, draw(_KINDS), draw(_CLASSES)) for name in names)
    return MessageQuery(
        WORKSPACE,
        start,
        end,
        stages,
        draw(SOME),
        tuple(draw(st.lists(st.sampled_from(names), unique=True))),
        draw(st.booleans()),
        after=draw(st.none() | st.builds(MessagePlace, TIMES, TEXTS, TEXTS, st.integers(0, 9))),
        alternatives=draw(SOME),
    )


@st.composite
def metrics_queries(draw: st.DrawFn) -> MetricsQuery:
    start, end = draw(SPANS)
    grouping = st.builds(Grouping, st.booleans(), st.lists(filters(), min_size=1).map(tuple))
    names = draw(st.lists(st.sampled_from(list(METRICS)), min_size=1, max_size=4, unique=True))
    groups = st.sampled_from([*GROUPS, *VENDOR_GROUPS])
    return MetricsQuery(
        WORKSPACE,
        start,
        end,
        tuple(names),
        draw(SOME),
        tuple(draw(st.lists(groups, max_size=2, unique=True))),
        alternatives=draw(SOME),
        groupings=tuple(draw(st.lists(grouping, max_size=2))),
    )


@st.composite
def series_of(draw: st.DrawFn) -> list[Any]:
    first, last = draw(SPANS)
    interval = draw(st.sampled_from(sorted(LENGTHS)))
    zone = draw(st.sampled_from(["UTC", "Europe/Warsaw"]))
    return list(runs(starts(first, min(last, first + 50 * LENGTHS[interval]), interval, zone)))


QUERIES: dict[Any, st.SearchStrategy[Any]] = {
    EventQuery: event_queries(),
    MessageQuery: message_queries(),
    MetricsQuery: metrics_queries(),
    FeedQuery: st.builds(FeedQuery, st.just(WORKSPACE), st.integers(0, 99)),
    Extract: st.builds(
        Extract,
        event_queries(),
        st.integers(0, 9),
        st.integers(10, 99),
        st.sampled_from(export.FORMATS),
        st.none() | st.just(("timestamp", "rcpt_to", "rcpt_meta")),
    ),
}
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "workspace": st.just(WORKSPACE),
    "database": st.just("db"),
    "event_id": TEXTS,
    "message_id": TEXTS,
    "message_ids": st.lists(TEXTS, min_size=1, max_size=3),
    "firsts": st.dictionaries(st.integers(1, 2**64 - 1), TIMES, min_size=1, max_size=3),
    "messages": st.dictionaries(st.integers(1, 2**64 - 1), TEXTS, min_size=1, max_size=3),
    "untold": st.none() | st.lists(TEXTS, max_size=3),
    "since": TIMES,
    "limit": st.integers(1, 9),
    "after": st.integers(0, 9),
    "through": st.integers(1, 99),
    "mark": st.just("0123456789abcdef"),
    "told": series_of().filter(bool),
    "chosen": st.none(),
    "what": st.just("count()"),
    "all_at_once": st.booleans(),
}
"""What a parameter of such a function may be, by its name; a new one needs a line here."""


def makers() -> Iterator[tuple[str, Callable[..., Sql]]]:
    """Every function that gives a statement, private ones too."""
    modules: tuple[ModuleType, ...] = (sql, metrics, export)
    for module in modules:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            mine = function.__module__ == module.__name__
            if mine and get_type_hints(function).get("return") is Sql:
                yield f"{module.__name__.rpartition('.')[2]}.{name}", function


MAKERS = dict(makers())


def argument(name: str, kind: Any) -> st.SearchStrategy[Any]:
    """Anything that a parameter may be."""
    if kind in QUERIES:
        return QUERIES[kind]
    if name not in OTHERS and any(map(is_dataclass, get_args(kind))):
        return st.from_type(kind)  # a value of the store's own, which has no text in it
    return OTHERS[name]


def arguments(function: Callable[..., Sql]) -> st.SearchStrategy[dict[str, Any]]:
    kinds = get_type_hints(function)
    return st.fixed_dictionaries(
        {name: argument(name, kinds[name]) for name in inspect.signature(function).parameters}
    )


_LOOK = re.compile(r"FROM db\.\w+ (?:ARRAY JOIN .*?[\])] AS \w+ )?(?:PRE)?WHERE ")
_END = re.compile(r"\)| GROUP BY | ORDER BY | LIMIT | HAVING | SETTINGS | UNION ALL ")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")


def conditions(text: str) -> Iterator[str]:
    """What stands at the outermost level behind each WHERE of a look at a table of ours."""
    bare = _QUOTED.sub("''", text)
    for look in _LOOK.finditer(bare):
        depth, kept = 0, ""
        for token in re.findall(r"[()]| [A-Z]+(?: [A-Z]+)? |.", bare[look.end() :]):
            if depth == 0 and _END.match(token):
                break
            depth += {"(": 1, ")": -1}.get(token, 0)
            kept += token if depth == 0 else ""
        yield kept


def test_the_walk_finds_the_statements() -> None:
    """It sees those that are known, so that an empty walk does not pass."""
    assert {"sql.page", "sql.feed", "metrics.totals", "export.statement"} <= set(MAKERS)
    assert 15 <= len(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_the_workspace_is_in_every_look(name: str) -> None:
    """Whatever the question: each look at a table begins with the workspace of the question, all
    else is joined to it by AND, and no value stands in the text."""

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arguments(MAKERS[name]))
    def run(given_: dict[str, Any]) -> None:
        made = MAKERS[name](**given_)
        found = list(conditions(made.text))
        assert found, made.text
        assert len(found) == made.text.count("db."), made.text
        for condition in found:
            first = re.match(r"workspace = \{(p\d+):String\}(?: AND |$)", condition)
            assert first, condition
            assert WORKSPACE == made.parameters[first[1]]
            assert " OR " not in condition
        assert "Zq7" not in made.text

    run()


def test_the_check_sees_what_is_wrong() -> None:
    """A statement with OR beside the workspace, or with no workspace, or behind another look."""
    bad = "SELECT 1 FROM db.events WHERE workspace = {p0:String} OR 1 ORDER BY x"
    assert [" OR " in each for each in conditions(bad)] == [True]
    bad = (
        "SELECT 1 FROM db.events WHERE a IN (SELECT a FROM db.events WHERE workspace = {p0:String})"
    )
    assert ["a IN ", "workspace = {p0:String}"] == [
        re.sub(r"[()]", "", each) for each in conditions(bad)
    ]
