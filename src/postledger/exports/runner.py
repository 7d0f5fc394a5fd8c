"""Runs the exports: a few at once, the others wait. What a crash leaves unfinished starts again."""

import contextlib
import errno
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from postledger.errors import NotFound, PostledgerError, StoreFull, StoreUnavailable
from postledger.exports.asking import Request, kind_of
from postledger.exports.contents import Content, Kind
from postledger.exports.files import PARQUET, Sink, name_of, owner_of, remove
from postledger.settings import Settings
from postledger.state.exports import CANCELLED, DONE, FAILED, RUNNING, Job, Jobs

_LOG = structlog.get_logger()
_PROGRESS_SECONDS = 1.0
_NOTE_AGAIN_SECONDS = 0.5
_FULL = "the disk is full: free some room, then start the export again; its file was removed"


class _Stopped(Exception):
    """The job was cancelled, or the process stops."""


class Runner:
    """Owns the jobs of this process. Safe to use from several threads; `close` it."""

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        kinds: Mapping[str, Kind],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._kinds = kinds
        self._clock = clock
        self._directory = settings.directory / "exports"
        self._owner = owner_of(self._directory)
        self._threads = ThreadPoolExecutor(settings.export_workers, thread_name_prefix="export")
        self._cancelled: set[str] = set()
        self._closing = False

    def start(self) -> None:
        """Go on with what an earlier process left."""
        for job in self._jobs.unfinished(self._owner):
            remove(self._path(job))
            self._threads.submit(self._run, job)

    def close(self) -> None:
        """Stop at once; what is unfinished starts again with the next process."""
        self._closing = True
        self._threads.shutdown(cancel_futures=True)

    def add(self, asked: Request, last: int) -> Job:
        """A new job for events with numbers up to `last`, those stored before it was asked for.

        Raises BadInput while another one of its name is not finished.
        """
        job = self._jobs.add(
            Job(
                secrets.token_hex(12),
                asked.workspace,
                self._owner,
                asked.name,
                asked.as_json(),
                0,
                last,
                self._clock(),
            ),
            incremental=asked.incremental,
        )
        self._threads.submit(self._run, job)
        return job

    def get(self, workspace: str, job_id: str) -> Job:
        return self._jobs.get(workspace, job_id)

    def of(self, workspace: str) -> list[Job]:
        return self._jobs.of(workspace)

    def cancel_or_remove(self, workspace: str, job_id: str) -> Job | None:
        """Cancel a job that is not finished, and give it; remove one that is, with its file."""
        job = self._jobs.get(workspace, job_id)
        if self._jobs.change(job, status=CANCELLED, finished_at=self._clock()):
            self._cancelled.add(job.id)  # once it is noted: a job that stops for less stays running
            return self._jobs.get(workspace, job_id)
        self._forget(job)
        return None

    def file(self, workspace: str, job_id: str) -> tuple[Job, Path]:
        """A job that is done, and its file. Raises NotFound."""
        job = self._jobs.get(workspace, job_id)
        if job.status != DONE:
            raise NotFound(f"export {job_id} has no file; it is {job.status}")
        path = self._path(job)
        if not path.is_file():
            raise NotFound(f"the file of export {job_id} is not here; start the export again")
        return job, path

    def expire(self) -> None:
        """Remove what was finished `export_keep_days` ago."""
        if not self._settings.export_keep_days:
            return
        time = self._clock() - timedelta(days=self._settings.export_keep_days)
        for job in self._jobs.finished_before(self._owner, time):
            self._forget(job)

    def _forget(self, job: Job) -> None:
        remove(self._path(job))
        self._jobs.remove(job)

    def _path(self, job: Job) -> Path:
        name = name_of(job.id, job.asked["format"], job.asked["compression"])
        return self._directory / job.workspace / name

    # -- one job, in a thread

    def _run(self, job: Job) -> None:
        try:
            self._write(job)
        except _Stopped:
            pass
        except Exception as error:  # noqa: BLE001 -- the edge: it is told in the job
            self._fail(job, error)
        finally:
            self._cancelled.discard(job.id)

    def _write(self, job: Job) -> None:
        self._check(job)
        self._change(job, status=RUNNING)
        content = self._kinds[kind_of(job)](job)
        self._change(job, rows_total=content.total, rows=0, bytes=0, sha256=None)
        self._check_room()
        within = job.asked["format"] == PARQUET
        sink = Sink(self._path(job), "none" if within else job.asked["compression"])
        try:
            self._fill(sink, job, content)
            self._check(job)
            values = {
                "rows": content.rows,
                "rows_total": content.rows,
                "sha256": sink.finish(),
                "bytes": sink.bytes,
                "finished_at": self._clock(),
            }
            done = self._noting(job, lambda: self._jobs.finish(job, **values))
        except BaseException:
            sink.discard()
            raise
        if not done:  # cancelled in the last moment
            sink.discard()

    def _fill(self, sink: Sink, job: Job, content: Content) -> None:
        said = time.monotonic()
        with content.pieces(lambda: self._stopped(job)) as pieces:
            for piece in pieces:
                sink.write(piece)
                if time.monotonic() - said >= _PROGRESS_SECONDS:
                    self._check_room()
                    self._change(job, rows=content.rows, bytes=sink.bytes)
                    said = time.monotonic()

    def _change(self, job: Job, **values: object) -> None:
        if not self._noting(job, lambda: self._jobs.change(job, **values)):
            raise _Stopped

    def _noting(self, job: Job, change: Callable[[], bool]) -> bool:
        """Make a change, as soon as the state store can be reached: what has been written is not
        thrown away because a database was started anew. Raises StoreFull."""
        while True:
            try:
                return change()
            except StoreFull:
                raise
            except StoreUnavailable:
                self._check(job)
                time.sleep(_NOTE_AGAIN_SECONDS)

    def _stopped(self, job: Job) -> bool:
        return self._closing or job.id in self._cancelled

    def _check(self, job: Job) -> None:
        if self._stopped(job):
            raise _Stopped

    def _check_room(self) -> None:
        """Raises StoreFull before the room is taken that events coming in need."""
        if shutil.disk_usage(self._settings.directory).free < self._settings.min_free_bytes:
            raise StoreFull(_FULL)

    def _fail(self, job: Job, error: Exception) -> None:
        if self._closing:  # what failed may have been closed; it starts again
            return
        expected = isinstance(error, (PostledgerError, OSError))
        _LOG.error("export_failed", export=job.id, exc_info=None if expected else error)
        with contextlib.suppress(Exception):  # it starts again with the next process
            while not self._closing and not self._noted(job, _sentence(error)):
                time.sleep(_NOTE_AGAIN_SECONDS)

    def _noted(self, job: Job, sentence: str) -> bool:
        """Whether it could be noted that the job failed; a full disk has no room for that."""
        try:
            self._jobs.change(job, status=FAILED, error=sentence, finished_at=self._clock())
        except StoreUnavailable:
            return False
        return True


def _sentence(error: Exception) -> str:
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or isinstance(error, StoreFull):
        return _FULL
    if isinstance(error, PostledgerError):
        return str(error)[:500]
    return "this is a mistake in Postledger; see its log"
