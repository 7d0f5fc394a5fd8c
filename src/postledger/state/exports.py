"""The jobs of the exports, and where the last export of each name ended."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from postledger.errors import BadInput, NotFound
from postledger.state.tables import changing, exports, hold, reading
from postledger.state.tables import export_places as places

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
STATUSES = (QUEUED, RUNNING, DONE, FAILED, CANCELLED)
UNFINISHED = (QUEUED, RUNNING)
MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Job:
    """An export: what was asked, and what became of it.

    It has the events with numbers above `after` up to `through`, so it is the same file whenever it
    is written. `asked` is for those who wrote it: JSON values. `rows` is reckoned while it runs.
    """

    id: str
    workspace: str
    owner: str
    name: str | None
    asked: Mapping[str, Any]
    after: int
    through: int
    created_at: datetime
    status: str = QUEUED
    rows: int = 0
    rows_total: int | None = None
    bytes: int = 0
    sha256: str | None = None
    error: str | None = None
    finished_at: datetime | None = None


class Jobs:
    """The jobs of a state store. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, job: Job, *, incremental: bool = False) -> Job:
        """Keep a new job, and give it as it is kept: with `incremental`, from where the last one of
        its name ended. Raises BadInput while another one of its name is not finished."""
        with changing(self._engine) as connection:
            if job.name is not None:
                hold(connection, job.workspace)
                _refuse_second(connection, job.workspace, job.name)
                if incremental:  # looked up last: until here another one may have finished
                    ended = _place(connection, job.workspace, job.name)
                    job = replace(job, after=min(ended, job.through))
            values = {name: getattr(job, name) for name in Job.__dataclass_fields__}
            connection.execute(insert(exports).values(values))
        return job

    def get(self, workspace: str, job_id: str) -> Job:
        """Raises NotFound when there is none in this workspace."""
        if not job_id.isalnum():  # PostgreSQL takes no NUL in a text
            raise NotFound(f"there is no export {job_id}")
        mine = (exports.c.workspace == workspace, exports.c.id == job_id)
        with reading(self._engine) as connection:
            row = connection.execute(select(exports).where(*mine)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no export {job_id}")
        return Job(**row)

    def of(self, workspace: str) -> list[Job]:
        """The jobs of a workspace, the newest first, at most `MOST_LISTED`."""
        query = select(exports).where(exports.c.workspace == workspace)
        newest = query.order_by(exports.c.created_at.desc(), exports.c.id.desc())
        return self._jobs(newest.limit(MOST_LISTED))

    def unfinished(self, owner: str) -> list[Job]:
        """What a process has still to do, the oldest first."""
        query = select(exports).where(exports.c.owner == owner, exports.c.status.in_(UNFINISHED))
        return self._jobs(query.order_by(exports.c.created_at, exports.c.id))

    def finished_before(self, owner: str, time: datetime) -> list[Job]:
        query = select(exports).where(exports.c.owner == owner, exports.c.finished_at < time)
        return self._jobs(query)

    def change(self, job: Job, **values: object) -> bool:
        """Change an unfinished job; whether it was one."""
        with changing(self._engine) as connection:
            return _change(connection, job, values)

    def finish(self, job: Job, **values: object) -> bool:
        """The job is done, and the next of its name goes on from its end. Whether it is done, also
        by an earlier call whose answer was lost; else it was cancelled or removed."""
        with changing(self._engine) as connection:
            if not _change(connection, job, values | {"status": DONE}):
                status = select(exports.c.status).where(exports.c.id == job.id)
                return connection.scalar(status) == DONE
            if job.name is not None:
                mine = (places.c.workspace == job.workspace, places.c.name == job.name)
                connection.execute(delete(places).where(*mine))
                connection.execute(
                    insert(places).values(
                        workspace=job.workspace, name=job.name, through=job.through
                    )
                )
        return True

    def remove(self, job: Job) -> None:
        with changing(self._engine) as connection:
            connection.execute(delete(exports).where(exports.c.id == job.id))

    def _jobs(self, query: Any) -> list[Job]:
        with reading(self._engine) as connection:
            return [Job(**row) for row in connection.execute(query).mappings()]


def _change(connection: Connection, job: Job, values: Mapping[str, object]) -> bool:
    unfinished = (exports.c.id == job.id, exports.c.status.in_(UNFINISHED))
    return connection.execute(update(exports).where(*unfinished).values(**values)).rowcount > 0


def _place(connection: Connection, workspace: str, name: str) -> int:
    """The number of the event where the last export of this name ended; 0: there was none."""
    mine = (places.c.workspace == workspace, places.c.name == name)
    return connection.scalar(select(places.c.through).where(*mine)) or 0


def _refuse_second(connection: Connection, workspace: str, name: str) -> None:
    same = (exports.c.workspace == workspace, exports.c.name == name)
    unfinished = exports.c.status.in_(UNFINISHED)
    found = connection.scalar(select(exports.c.id).where(*same, unfinished))
    if found is not None:
        raise BadInput.parameter(
            "name", f"export {found} of this name is not finished; wait for it, or cancel it"
        )
