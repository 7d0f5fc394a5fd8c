"""What every system is asked: the same questions, each in the words of each system.

`path` is Postledger's request; `sql` is the statement for PostgreSQL and DuckDB, with parameters as
`:name`, and with `{word}` and `{tagged}` where the two must be spelled differently.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from benchmarks import bench
from benchmarks.stream import DAYS, Picks

Values = Mapping[str, object]
Rows = list[tuple[Any, ...]]

_PAGE = """
SELECT * FROM events WHERE timestamp >= :start AND timestamp < :end AND {condition}
ORDER BY timestamp DESC, event_id DESC LIMIT 1000"""
_EVENTS, _METRICS = "/ledger/v1/events", "/ledger/v1/metrics"


@dataclass(frozen=True, slots=True)
class Question:
    """`asked` are the parameters of Postledger's request, but for values and range of time."""

    name: str
    path: str
    asked: Sequence[tuple[str, str]]
    sql: str
    days: int = DAYS
    is_page: bool = False

    def url(self, values: Values) -> str:
        return f"{self.path}?{urlencode(self.pairs(values))}"

    def pairs(self, values: Values) -> list[tuple[str, str]]:
        given = [(name, str(value)) for name, value in values.items()]
        span = [("from", f"{self.start:%Y-%m-%d}"), ("to", f"{self.end:%Y-%m-%d}")]
        return [*span, *self.asked, *given]

    def parameters(self, values: Values) -> dict[str, object]:
        return {"start": self.start, "end": self.end, **values}

    @property
    def start(self) -> datetime:
        return self.end - timedelta(days=self.days)

    @property
    def end(self) -> datetime:
        return bench.END


def _page(name: str, condition: str, *asked: tuple[str, str], days: int = DAYS) -> Question:
    sql = _PAGE.replace("{condition}", condition)
    return Question(name, _EVENTS, (*asked, ("limit", "1000")), sql, days, is_page=True)


def _figure(name: str, sql: str, *asked: tuple[str, str], days: int = DAYS) -> Question:
    return Question(name, _METRICS, asked, sql, days)


_IN_RANGE = "timestamp >= :start AND timestamp < :end"
_FOUR = ("count_injected", "count_delivered", "count_bounce", "count_spam_complaint")

QUESTIONS: tuple[Question, ...] = (
    _page("recipient", "rcpt_to = :recipient"),
    _page("message", "message_id = :message_id"),
    _page("filtered", "type = :type AND campaign_id = :campaign_id", days=10),
    _page("keyword", "{word}", ("reason", "mailbox"), days=10),
    _figure(
        "count",
        f"SELECT count(*) FROM events WHERE {_IN_RANGE} "
        "AND type = 'delivery' AND recipient_domain = 'gmail.com'",
        ("metric", "count_delivered"),
        ("recipient_domain", "gmail.com"),
    ),
    _figure(
        "count_tagged",
        f"SELECT count(*) FROM events WHERE {_IN_RANGE} "
        "AND type = 'delivery' AND recipient_domain = 'gmail.com' AND {tagged}",
        ("metric", "count_delivered"),
        ("recipient_domain", "gmail.com"),
        ("tag", "vip"),
    ),
    _figure(
        "series",
        "SELECT date_trunc('day', timestamp) AS day, "
        "count(*) FILTER (WHERE type = 'injection'), count(*) FILTER (WHERE type = 'delivery'), "
        "count(*) FILTER (WHERE type IN ('bounce', 'out_of_band')), "
        "count(*) FILTER (WHERE type = 'spam_complaint') "
        f"FROM events WHERE {_IN_RANGE} "
        "AND type IN ('injection', 'delivery', 'bounce', 'out_of_band', 'spam_complaint') "
        "GROUP BY day ORDER BY day",
        ("interval", "day"),
        *(("metric", name) for name in _FOUR),
    ),
    _figure(
        "uniques",
        "SELECT coalesce(campaign_id, '') AS campaign, count(*) AS messages FROM "
        "(SELECT DISTINCT campaign_id, message_id, rcpt_to FROM events "
        f"WHERE {_IN_RANGE} AND type = 'open' AND message_id IS NOT NULL) AS found "
        "GROUP BY campaign ORDER BY messages DESC, campaign LIMIT 100",
        ("metric", "count_unique_rendered"),
        ("group_by", "campaign_id"),
        ("limit", "100"),
        days=30,
    ),
    _figure(
        "domains",
        "SELECT recipient_domain, count(*) FILTER (WHERE type = 'delivery') AS delivered, "
        "count(*) FILTER (WHERE type IN ('bounce', 'out_of_band')) FROM events "
        f"WHERE {_IN_RANGE} AND type IN ('delivery', 'bounce', 'out_of_band') "
        "GROUP BY recipient_domain ORDER BY delivered DESC, recipient_domain LIMIT 20",
        ("metric", "count_delivered"),
        ("metric", "count_bounce"),
        ("group_by", "recipient_domain"),
        ("limit", "20"),
    ),
)

FORMS = ("parquet", "csv")
"""Of exports of everything."""


def cases(question: Question, picks: Picks) -> list[dict[str, object]]:
    """The values with which a question is asked, one after the other."""
    found: dict[str, list[dict[str, object]]] = {
        "recipient": [{"recipient": value} for value in picks.recipients],
        "message": [{"message_id": value} for value in picks.messages],
        "filtered": [{"type": kind, "campaign_id": name} for kind, name in picks.campaigns],
    }
    return found.get(question.name, [{}])


# -- answers, in one form, so that they can be compared


def ids(events: Sequence[Mapping[str, Any]]) -> Rows:
    """Of a page: the events' ids, in their order."""
    return [(str(event["event_id"]),) for event in events]


def from_json(question: Question, body: bytes) -> Rows:
    """Of an answer of Postledger."""
    answer = json.loads(body)
    if question.is_page:
        return ids(answer["events"])
    return list(_without_empty_days(question, (tuple(row.values()) for row in answer["rows"])))


def from_sql(question: Question, columns: Sequence[str], found: Sequence[Sequence[Any]]) -> Rows:
    """Of rows of a database."""
    if question.is_page:
        at = columns.index("event_id")
        return [(str(row[at]),) for row in found]
    return [tuple(_plain(value) for value in row) for row in found]


def _without_empty_days(question: Question, rows: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
    for row in rows:
        if question.name != "series":
            yield row
        elif any(row[1:]):
            yield (str(row[0])[:10], *row[1:])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    return value if isinstance(value, str) else int(value)
