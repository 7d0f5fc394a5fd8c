"""Figures for people: what unit a metric has, how a number is written, a line of small bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import groupby, pairwise
from typing import Any

import msgspec
from rich.filesize import decimal

from postledger.cli.output import printable
from postledger.metrics import METRICS, Percentile, Rate, Total, Unique

Row = dict[str, Any]

LONGEST_LINE = 30
"""Most letters of a line of bars."""
_BARS = "▁▂▃▄▅▆▇█"
_NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which figures are wanted: each metric and group once, `leading` is what orders groups."""

    metrics: tuple[str, ...]
    groups: tuple[str, ...]
    leading: str
    filters: tuple[tuple[str, str], ...]


class Figures(msgspec.Struct, frozen=True):
    """An answer of `GET /ledger/v1/metrics` (section 6 of the native contract)."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    interval: str | None
    timezone: str
    rows: list[Row]


class Unit(Enum):
    """What a metric's numbers are; the word stands at a chart's axis."""

    EVENTS = "events"
    MESSAGES = "messages"
    PERCENT = "percent"
    MILLISECONDS = "milliseconds"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of one group: for each metric one, or one for each of `times`."""

    group: tuple[str, ...]
    times: tuple[datetime, ...]
    values: dict[str, tuple[float, ...]]


def series_of(figures: Figures, asked: Asked) -> list[Series]:
    """The rows, put together by group, in their order."""

    def group_of(row: Row) -> tuple[str, ...]:
        return tuple(_named(row[name]) for name in asked.groups)

    grouped = groupby(figures.rows, group_of)
    return [_series(group, list(rows), asked.metrics) for group, rows in grouped]


def _series(group: tuple[str, ...], rows: Sequence[Row], metrics: Sequence[str]) -> Series:
    times = tuple(datetime.fromisoformat(row["time"]) for row in rows if "time" in row)
    return Series(group, times, {name: tuple(row[name] for row in rows) for name in metrics})


def _named(value: object) -> str:
    """A group's value; an event without the field is in a group too."""
    return _NOTHING if value is None or value == "" else printable(str(value))


def unit_of(metric: str) -> Unit:
    """The unit; of a metric that only the server knows, a number of events."""
    match METRICS[metric].figure if metric in METRICS else None:
        case Rate():
            return Unit.PERCENT
        case Percentile() | Total(field="queue_time"):
            return Unit.MILLISECONDS
        case Total():
            return Unit.BYTES
        case Unique():
            return Unit.MESSAGES
    return Unit.EVENTS


def written(metric: str, value: float) -> str:
    """A number with its unit, as it stands in a table."""
    match unit_of(metric):
        case Unit.PERCENT:
            return f"{value:.2%}"
        case Unit.MILLISECONDS:
            return f"{value:,.0f} ms"
        case Unit.BYTES:
            return decimal(int(value))
    return f"{value:,.0f}"


def bars(values: Sequence[float]) -> str:
    """A bar for each value, from 0 to the largest; of more than fit, the highest of a stretch."""
    if len(values) > LONGEST_LINE:
        cuts = [at * len(values) // LONGEST_LINE for at in range(LONGEST_LINE + 1)]
        values = [max(values[begin:end]) for begin, end in pairwise(cuts)]
    top = max([*values, 0]) or 1
    return "".join(_BARS[round(max(value, 0) / top * (len(_BARS) - 1))] for value in values)
