"""Questions as SQL: text and parameters."""

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from postledger.query import (
    EventQuery,
    FeedQuery,
    Filter,
    Match,
    MessagePlace,
    MessageQuery,
    Place,
    Stage,
)
from postledger.store import sql
from postledger.store.columns import EVENT, PARTS
from postledger.store.sql import Sql

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
QUERY = EventQuery("shop", START, END, limit=10)
MESSAGES = MessageQuery(
    "shop",
    START,
    END,
    (Stage("processed", ("injection",)), Stage("hard", ("bounce",), (10,))),
    (
        Filter("subject", Match.CONTAINS, ("coat",)),
        Filter("rcpt_to", Match.EQUAL, ("a@b.example",)),
    ),
    states=("hard",),
    after=MessagePlace(START, "m1", "a@b.example", 7),
)
STATEMENTS = {
    "page": sql.page(QUERY, "db"),
    "count": sql.count(QUERY, "db"),
    "one": sql.one("shop", "e1", "db"),
    "message": sql.message("shop", "m1", 5, "db"),
    "feed": sql.feed(FeedQuery("shop", 7, 10), 17, "db"),
    "ends": sql.ends("shop", 7, 17, "db"),
    "messages": sql.messages(MESSAGES, "db", None),
    "untold": sql.untold(MESSAGES, 5, "db"),
    "events_of": sql.events_of("shop", {17: START}, START, 5, "db"),
    "envelopes": sql.envelopes("shop", ["m1"], "db"),
    "began": sql.began("shop", "m1", "db"),
}


def condition(statement: Sql) -> str:
    """What stands after the first WHERE, with the parameters put in for reading."""
    found = re.split(r" (?:PRE)?WHERE ", statement.text, maxsplit=1)[1]
    text = re.split(r" (?:ORDER BY|LIMIT|SETTINGS) ", found)[0]
    return re.sub(r"\{(\w+):[^{}]*\}", lambda found: repr(statement.parameters[found[1]]), text)


def outside_brackets(text: str) -> str:
    """A condition without what stands in brackets."""
    while text != (shorter := re.sub(r"\([^()]*\)", "", text)):
        text = shorter
    return text


def test_every_statement_is_here() -> None:
    """A new kind of question is held to the rules below."""
    made = {
        name
        for name, function in inspect.getmembers(sql, inspect.isfunction)
        if not name.startswith("_") and function.__annotations__.get("return") is Sql
    }
    assert set(STATEMENTS) == made


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_workspace_is_in_every_statement(name: str) -> None:
    """Nothing asks across workspaces: it is the first condition, and joined to the rest by AND."""
    statement = STATEMENTS[name]
    found = condition(statement)
    assert found.startswith("workspace = 'shop'")
    assert " OR " not in outside_brackets(found)
    assert re.search("FROM db.events (PRE)?WHERE", statement.text)


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        (
            Filter("type", Match.EQUAL, ("open", "click", "delay")),
            "type IN ['open', 'click', 'delay']",
        ),
        (Filter("bounce_class", Match.EQUAL, (10,)), "bounce_class IN [10]"),
        (Filter("rcpt_tags", Match.MEMBER, ("vip",)), "hasAny(rcpt_tags, ['vip'])"),
        (Filter("reason", Match.WORDS, ("!?",)), "(0)"),
    ],
)
def test_filters_are_conditions(filter_: Filter, said: str) -> None:
    """Several values are any of them; a phrase without a word matches nothing."""
    found = condition(sql.count(replace(QUERY, filters=(filter_,)), "db"))
    assert said == found.split(" AND ")[1]


@pytest.mark.parametrize(
    ("types", "zones"),
    [
        (("open",), "0"),
        (("bounce", "a_new_type"), "1"),
        (("amp_click", "click"), "2"),
        (("delivery", "click"), "0, 2"),
        (("delivery", "click", "bounce"), ""),
    ],
)
def test_types_tell_zones(types: tuple[str, ...], zones: str) -> None:
    """What the table has apart is not looked at for others; unless none of these are meant."""
    asked = Filter("type", Match.EQUAL, types)
    found = condition(sql.count(replace(QUERY, filters=(asked,)), "db"))
    assert (f"zone IN ({zones}) AND" in found) if zones else ("zone" not in found)
    none_of_them = replace(asked, negated=True)
    assert "zone" not in sql.count(replace(QUERY, filters=(none_of_them,)), "db").text


@pytest.mark.parametrize("make", [sql.page, sql.count])
def test_no_index_is_asked_for_each_of_a_list(make: Callable[[EventQuery, str], Sql]) -> None:
    """To find the first event of its kind of a message, the messages of the range are listed."""
    first = Filter("type", Match.FIRST, ("click",))
    for query in (replace(QUERY, filters=(first,)), replace(QUERY, alternatives=(first,))):
        assert "use_skip_indexes = 0" in make(query, "db").text
    assert "use_skip_indexes = 0" not in make(QUERY, "db").text


def test_values_are_never_in_the_text() -> None:
    """Whatever a value is, it travels beside the statement."""
    nasty = "'; DROP TABLE events; --"
    query = replace(
        QUERY,
        workspace=nasty,
        filters=(
            Filter("campaign_id", Match.EQUAL, (nasty,)),
            Filter("subject", Match.WORDS, (nasty,)),
        ),
        after=Place(START, nasty),
    )
    assert "DROP" not in sql.page(query, "db").text


def test_a_page_goes_on_behind_the_last_event() -> None:
    """The whole order is compared, since equal times are common; one more event tells of more."""
    after = replace(QUERY, after=Place(START, "e7"))
    down, up = sql.page(after, "db"), sql.page(replace(after, descending=False), "db")
    assert "(timestamp, event_id) < ('2026-11-01 00:00:00.000', 'e7')" in condition(down)
    assert "(timestamp, event_id) > ('2026-11-01 00:00:00.000', 'e7')" in condition(up)
    assert "ORDER BY timestamp DESC, event_id DESC" in down.text
    assert "ORDER BY timestamp ASC, event_id ASC" in up.text
    assert 11 in down.parameters.values()
    assert f"SELECT {PARTS} " in down.text
    assert f"SELECT {EVENT} " in sql.page(replace(after, limit=1000), "db").text


def test_a_field_without_a_column_is_a_mistake() -> None:
    """A dialect that filters by what has no column is told so when it is written."""
    with pytest.raises(ValueError, match="user_agent has no column"):
        sql.count(replace(QUERY, filters=(Filter("user_agent", Match.EQUAL, ("x",)),)), "db")


def test_times_of_other_ages_stay_in_the_column() -> None:
    """The first and last years that a time can say are clamped, not misread."""
    old, new = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    found = condition(sql.count(EventQuery("shop", old, new), "db"))
    assert "timestamp >= '1900-01-01 00:00:00.000'" in found
    assert "timestamp < '2299-12-31 00:00:00.000'" in found
