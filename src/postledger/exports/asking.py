"""What is asked of an export, and its form in the state store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from postledger.query import EventQuery, Filter, Match
from postledger.state.exports import Job
from postledger.store.export import Extract

EVENTS, LOGS = "events", "logs"
"""Kinds of exports: events, and messages as Netcore's API lists them."""


class Request(Protocol):
    """What is asked of an export, of whatever kind."""

    @property
    def workspace(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def incremental(self) -> bool:
        """From where the last one of its name ended."""

    def as_json(self) -> dict[str, Any]:
        """What its kind reads. `format` and `compression` are those of the file."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for an export of events. `incremental`: from where the last one of its `name`
    ended."""

    query: EventQuery
    format: str
    compression: str = "none"
    columns: tuple[str, ...] | None = None
    name: str | None = None
    incremental: bool = False

    @property
    def workspace(self) -> str:
        return self.query.workspace

    def as_json(self) -> dict[str, Any]:
        """What `extract_of` reads."""
        query = self.query
        return {
            "format": self.format,
            "compression": self.compression,
            "columns": self.columns and list(self.columns),
            "incremental": self.incremental,
            "start": query.start.isoformat(),
            "end": query.end.isoformat(),
            "filters": [[f.field, f.match.name, list(f.values)] for f in query.filters],
        }


@dataclass(frozen=True, slots=True)
class AskedLogs:
    """A request for a file of logs; `terms` are for the dialect, JSON values."""

    workspace: str
    terms: Mapping[str, Any]
    name: None = None
    incremental: bool = False

    def as_json(self) -> dict[str, Any]:
        """What `LogFile` reads."""
        return {"kind": LOGS, "format": "csv", "compression": "none", "terms": dict(self.terms)}


def kind_of(job: Job) -> str:
    """The kind of a job; one that does not say it is of events."""
    return str(job.asked.get("kind", EVENTS))


def extract_of(job: Job) -> Extract:
    """The events of a job."""
    asked: Mapping[str, Any] = job.asked
    filters = (Filter(name, Match[how], tuple(of)) for name, how, of in asked["filters"])
    start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
    query = EventQuery(job.workspace, start, end, tuple(filters))
    columns = asked["columns"]
    return Extract(
        query,
        job.after,
        job.through,
        asked["format"],
        tuple(columns) if columns else None,
        asked["compression"],
    )
