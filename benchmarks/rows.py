"""The lines of the table: a name as in the results, what it is called, and what was done."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    title: str
    unit: str
    meaning: str

    @property
    def more_is_better(self) -> bool:
        return self.unit == "events/s"


def _rate(name: str, title: str, meaning: str) -> Row:
    return Row(name, title, "events/s", meaning)


def _time(name: str, title: str, meaning: str) -> Row:
    return Row(name, title, "ms", meaning)


_BODIES = "new events, a day later, into the loaded table; each answer says that they are on disk"

ROWS: tuple[Row, ...] = (
    _rate(
        "load",
        "First load",
        "all events into an empty store, in batches of 10,000, with all that follows until "
        "questions are fast: indexes, statistics, merges, roll-ups",
    ),
    _rate("intake_1_1", "Single events, 1 connection", _BODIES),
    _rate("intake_1_8", "Single events, 8 connections", "the same"),
    _rate("intake_100_1", "Batches of 100, 1 connection", "the same"),
    _rate("intake_100_8", "Batches of 100, 8 connections", "the same"),
    _rate("intake_10000_1", "Batches of 10,000, 1 connection", "the same"),
    _rate("intake_10000_8", "Batches of 10,000, 8 connections", "the same"),
    Row(
        "bytes",
        "Room of an event",
        "bytes",
        "table, indexes and roll-ups on disk after the load, by the number of events; the demo "
        "events are 695 bytes of JSON each",
    ),
    _time("recipient", "All of one recipient", "newest first, at most 1,000, of 90 days; nine"),
    _time("message", "All of one message", "the same; nine messages"),
    _time(
        "filtered", "Page by type and campaign", "the newest 1,000 of 10 days, whole events; nine"
    ),
    _time(
        "keyword",
        "Page by a word",
        "the newest 1,000 of 10 days whose reason has the word *mailbox*",
    ),
    _time("count", "Exact count", "deliveries to one recipient domain in 90 days"),
    _time(
        "count_tagged",
        "Exact count, two filters",
        "the same with a tag: two dimensions, so roll-ups do not have it",
    ),
    _time("series", "Series by day", "injections, deliveries, bounces, complaints of 90 days"),
    _time(
        "uniques",
        "Unique opens by campaign",
        "messages and recipients that opened, of 30 days, the top 100 campaigns",
    ),
    _time("domains", "Top domains", "deliveries and bounces of 90 days, the top 20"),
    _rate("export_parquet", "Export to Parquet", "all events, zstd, into a file"),
    _rate("export_csv", "Export to CSV", "all events into a file"),
)

ROW = {row.name: row for row in ROWS}


def times_better(row: Row, ours: float, other: float) -> float:
    """How many times better ours is; below 1 it is worse."""
    return ours / other if row.more_is_better else other / ours


def number(value: float) -> str:
    """Three digits are enough, and all of a large number."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, 2 - math.floor(math.log10(abs(value)))):,.{digits}f}"
