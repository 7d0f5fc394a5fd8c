"""Figures, read from the real engine and held against a plain model."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from asking import Store
from making import Event, examples, iso
from postledger.errors import BadInput
from postledger.intervals import runs, starts
from postledger.metrics import METRICS
from postledger.query import Filter, Grouping, Match, MetricsQuery, MetricsRow
from postledger.store import metrics as statements
from reckoning import (
    COUNTS,
    DAY,
    MINUTE,
    NOON,
    ODD,
    PAID,
    PERCENTILES,
    RATES,
    TOTALS,
    UNIQUES,
    expected,
    questions,
)


class Ledger:
    """A store that is asked for figures."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def store(self, *events: Event) -> str:
        """Events in a workspace of their own; its name."""
        name: str = self._store.add(events)
        return name

    def ask(self, query: MetricsQuery) -> list[MetricsRow]:
        rows: list[MetricsRow] = self._store.read("metrics", query)
        return rows


@pytest.fixture(scope="module")
def ledger(store: Store) -> Ledger:
    return Ledger(store)


@examples(30)
@given(asked=questions())
def test_figures_are_what_the_model_counts(
    ledger: Ledger, asked: tuple[datetime, list[Event], MetricsQuery]
) -> None:
    """Every metric, by any groups, in intervals of any zone across changes of its clock."""
    about, events, unplaced = asked
    query = replace(unplaced, workspace=ledger.store(*events))
    rows = ledger.ask(query)
    assert expected(events, query, about) == [
        replace(row, time=row.time and row.time.astimezone(UTC)) for row in rows
    ]
    zone = query.interval and ZoneInfo(query.timezone)
    assert {zone} >= {row.time and row.time.tzinfo for row in rows}


def test_all_metrics_of_the_model_are_there() -> None:
    """The model knows every metric, so that a new one is tested."""
    known = {*COUNTS, *UNIQUES, *TOTALS, *RATES, *PERCENTILES, *PAID, "count_accepted"}
    assert known == set(METRICS)
    assert 10 == len(PAID)


def _query(workspace: str, *metrics: str, **more: Any) -> MetricsQuery:
    return MetricsQuery(workspace, NOON - DAY, NOON + DAY, metrics, **more)


def test_uniques_are_messages_and_not_hits(ledger: Ledger) -> None:
    """Three openings of one message by one recipient and one by another are two; of the same id
    elsewhere none."""
    made = {"type": "open", "message_id": "m"}
    ann, bob = (made | {"rcpt_to": f"{name}@x.example"} for name in ("ann", "bob"))
    times = [{"timestamp": iso(NOON + n * MINUTE)} for n in range(3)]
    workspace = ledger.store(*(ann | time for time in times), bob | times[0])
    ledger.store(*(made | {"rcpt_to": f"{n}@x.example"} | times[0] for n in range(5)))
    query = _query(workspace, "count_rendered", "count_unique_rendered")
    assert [(4, 2)] == [row.values for row in ledger.ask(query)]


def test_nothing_is_zeros(ledger: Ledger) -> None:
    """Without events: one row for the range, one for each interval, none for groups."""
    workspace = ledger.store()
    query = _query(workspace, *METRICS)
    zeros = (0,) * len(METRICS)
    assert [MetricsRow(None, (), zeros)] == ledger.ask(query)
    assert [MetricsRow(None, (), (0,))] == ledger.ask(replace(query, metrics=tuple(PAID)[:1]))
    assert [zeros] * 48 == [row.values for row in ledger.ask(replace(query, interval="hour"))]
    assert [] == ledger.ask(replace(query, group_by=("tag",)))
    assert [] == ledger.ask(replace(query, group_by=("tag",), interval="hour"))


def test_too_many_rows_are_refused(ledger: Ledger) -> None:
    """Groups by intervals beyond the limit: the failure names the parameter and both numbers."""
    made = {"type": "delivery", "timestamp": iso(NOON)}
    workspace = ledger.store(*(made | {"campaign_id": f"c{n}"} for n in range(40)))
    query = _query(workspace, "count_delivered", group_by=("campaign_id",), interval="minute")
    with pytest.raises(BadInput, match="interval: 40 groups in 2880 intervals"):
        ledger.ask(query)
    assert 34 * 2880 == len(ledger.ask(replace(query, limit=34)))


@pytest.mark.parametrize("group_by", [(), ("tag", "bounce_class")])
def test_values_are_parameters_and_the_workspace_is_in_every_statement(
    group_by: tuple[str, ...],
) -> None:
    """No value stands in a text, and each look at the events is of the workspace."""
    filters = (Filter("campaign_id", Match.EQUAL, (ODD,)),)
    nested = (Grouping(True, (replace(filters[0], negated=True), *filters)),)
    query = _query(
        ODD, "open_rate", filters=filters, groupings=nested, group_by=group_by, interval="month"
    )
    rolled = _query(ODD, "delivery_rate", filters=filters)
    broken = replace(rolled, end=NOON + 15 * MINUTE)
    told = runs(starts(query.start, query.end, "month", "UTC"))
    for sql in (
        statements.totals(query, "db"),
        statements.series(query, told, "db", chosen=[group_by] if group_by else None),
        statements.totals(rolled, "db", statements.Folded(7)),
        statements.totals(broken, "db", statements.Folded(7)),
    ):
        assert ODD not in sql.text
        looks = re.findall(
            r"FROM db\.(?:events|rollups) (?:ARRAY JOIN .*? AS \w+ )?WHERE (.{14})", sql.text
        )
        assert looks
        assert len(looks) == sql.text.count("db.")
        assert {"workspace = {p"} == set(looks)
        assert list(sql.parameters.values()).count(ODD) == len(looks)
