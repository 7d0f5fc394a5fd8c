"""What is asked of an export, and its form in the state store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postledger.query import EventQuery, Filter, Match
from postledger.state.exports import Job
from postledger.store.export import Extract


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for an export. `incremental`: from where the last one called `name` ended."""

    query: EventQuery
    format: str
    compression: str = "none"
    columns: tuple[str, ...] | None = None
    name: str | None = None
    incremental: bool = False

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
