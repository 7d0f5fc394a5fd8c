"""Figures: the summary of a time, its series, and the links that were followed [7]."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from postledger.dialects.unosend.answers import answer, shown
from postledger.dialects.unosend.parse import AskedFigures, AskedLinks
from postledger.dialects.unosend.tables import BY_STATUS, FIGURES, RATES, STAGES, SUMMARY
from postledger.dialects.wire import Call, Reply
from postledger.query import MessageQuery, MetricsQuery, MetricsRow

_CLICKS = FIGURES["clicks"]


# -- questions


def summary_query(asked: AskedFigures, call: Call) -> MetricsQuery:
    """The figures of the whole time."""
    return MetricsQuery(call.workspace, *_range(asked.days, call), tuple(FIGURES.values()))


def series_query(asked: AskedFigures, call: Call) -> MetricsQuery | None:
    """The e-mails in the course of time; None: the series is made of the summary."""
    if asked.group_by == "status":
        return None
    total = (FIGURES["total"],)
    return MetricsQuery(call.workspace, *_range(asked.days, call), total, interval=asked.group_by)


def waiting_query(
    asked: AskedFigures, call: Call, rows: Sequence[MetricsRow]
) -> MessageQuery | None:
    """E-mails that were scheduled in this time and still are; None: none was scheduled."""
    if not _found(rows)["were_scheduled"]:
        return None
    states = ("scheduled",)
    return MessageQuery(call.workspace, *_range(asked.days, call), STAGES, states=states, limit=1)


def links_query(asked: AskedLinks, call: Call) -> MetricsQuery:
    """The links that were followed most; one more than asked for, since clicks of which the link
    is not known are one of them."""
    return MetricsQuery(
        call.workspace,
        *_range(asked.days, call),
        (_CLICKS,),
        group_by=("target_link_url",),
        limit=asked.limit + 1,
    )


def clicks_query(asked: AskedLinks, call: Call) -> MetricsQuery:
    """How many clicks there were."""
    return MetricsQuery(call.workspace, *_range(asked.days, call), (_CLICKS,))


def _range(days: int, call: Call) -> tuple[datetime, datetime]:
    return call.now - timedelta(days=days), call.now


# -- answers


def metrics(
    asked: AskedFigures,
    call: Call,
    rows: Sequence[MetricsRow],
    series: Sequence[MetricsRow],
    waiting: int,
) -> Reply:
    """The answer to a call for figures. Those of the summary stand at the top too, where the types
    of the clients have them [7]."""
    told = summary(rows, waiting)
    of_time = [
        {"period": _period(row, asked.group_by), "count": int(row.values[0])} for row in series
    ]
    of_states = [{"period": name, "count": told[name]} for name in BY_STATUS]
    body = {
        "period": _told(asked.days, call),
        "summary": told,
        "rates": {name: _percent(told, *of) for name, of in RATES.items()},
        "time_series": of_states if asked.group_by == "status" else of_time,
        **told,
    }
    return answer(body, call)


def summary(rows: Sequence[MetricsRow], waiting: int) -> dict[str, int]:
    """The figures by name; `waiting`: e-mails that are still scheduled."""
    found = _found(rows)
    queued = found["sent"] - found["delivered"] - found["refused"]
    found |= {"queued": max(queued, 0), "scheduled": waiting}
    return {name: found[name] for name in SUMMARY}


def links(
    asked: AskedLinks, call: Call, rows: Sequence[MetricsRow], clicks: Sequence[MetricsRow]
) -> Reply:
    """The answer to a call for links; `count` is the name that the types of the clients have for
    `clicks` [7]."""
    total = int(clicks[0].values[0]) if clicks else 0
    known = [(str(row.group[0]), int(row.values[0])) for row in rows if row.group[0]]
    body = {
        "period": _told(asked.days, call),
        "links": [
            {"url": url, "clicks": number, "count": number, "percentage": _part(number, total)}
            for url, number in known[: asked.limit]
        ],
        "total_clicks": total,
    }
    return answer(body, call)


def _found(rows: Sequence[MetricsRow]) -> dict[str, int]:
    values = rows[0].values if rows else (0,) * len(FIGURES)
    return {name: int(value) for name, value in zip(FIGURES, values, strict=True)}


def _told(days: int, call: Call) -> dict[str, Any]:
    start, end = _range(days, call)
    return {"start": shown(start), "end": shown(end), "days": days}


def _period(row: MetricsRow, group_by: str) -> str:
    if row.time is None:
        return ""
    return row.time.date().isoformat() if group_by == "day" else shown(row.time)


def _percent(told: Mapping[str, int], part: str, wholes: Sequence[str]) -> float:
    return _part(told[part], sum(told[name] for name in wholes))


def _part(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
