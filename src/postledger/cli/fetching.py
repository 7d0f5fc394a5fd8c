"""An export's file, from the server to a file here: waited for, loaded, checked."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import msgspec
from rich.filesize import decimal

from postledger.cli.progress import Step, stepping
from postledger.client import Client
from postledger.errors import PostledgerError
from postledger.exports.files import name_of, sync

EXPORTS = "/ledger/v1/exports"
_FIRST_LOOK, _LONGEST_LOOK = 0.05, 1.0
_PIECE = 1024 * 1024

SafeName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
"""What becomes part of a file's name here."""


class ExportError(PostledgerError):
    title = "The export failed"


class EndedError(ExportError):
    title = "The export has no file"


class Job(msgspec.Struct, frozen=True):
    """An export, as `GET /ledger/v1/exports/{id}` gives it (section 7 of the native contract)."""

    id: SafeName
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    format: Literal["csv", "ndjson", "parquet"]
    compression: Literal["none", "gzip", "zstd"]
    rows: int
    bytes: int
    rows_total: int | None = None
    sha256: str | None = None
    name: SafeName | None = None
    error: str = ""

    @property
    def path(self) -> str:
        return f"{EXPORTS}/{self.id}"

    @property
    def file_name(self) -> str:
        """The name that the server gives the file."""
        return f"{self.name or 'export'}-{name_of(self.id, self.format, self.compression)}"


def part_of(target: Path, job: Job) -> Path:
    """Where a file lies that has not come whole: its name tells the export."""
    which = "" if job.id in target.name else f".{job.id}"
    return target.with_name(f"{target.name}{which}.part")


def parts_of(target: Path) -> list[Path]:
    """What is there of this file, of any export."""
    around = f"{target.name}.", ".part"
    there = target.parent.iterdir() if target.parent.is_dir() else ()
    return sorted(p for p in there if p.name.startswith(around[0]) and p.name.endswith(around[1]))


def fetch(client: Client, job: Job, target: Path) -> Job:
    """Wait for an export, and put its file in its place; the export as it ended.

    What an earlier run left of the file is used, or the whole file. Raises ExportError,
    ClientError and OSError.
    """
    if target.exists():
        return _known(client, job, target)
    path = part_of(target, job)
    with _opened(path) as part:
        try:
            with stepping("writing") as step:
                job = _finished(client, job, step)
        except EndedError:
            path.unlink()
            raise
        with stepping("loading") as step:
            digest = _load(client, job, part, step)
        if digest != job.sha256:
            path.unlink()
            raise ExportError(
                f"what came of export {job.id} does not have its checksum, and was removed"
            )
        os.fsync(part.fileno())
        path.rename(target)
        sync(target.parent)
    return job


def _known(client: Client, job: Job, target: Path) -> Job:
    """The export, if this is its file: an earlier run ended before it could say so."""
    job = client.get(job.path, [], Job)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != job.sha256:
        raise ExportError(f"{target} is there, and is not the file of export {job.id}")
    return job


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open what is there of a file, for this process alone."""
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportError(f"{path} is being loaded by another process") from error
        yield file


def _finished(client: Client, job: Job, step: Step) -> Job:
    """The export when it is done."""
    pause = _FIRST_LOOK
    while job.status in {"queued", "running"}:
        total = f" of {job.rows_total:,}" if job.rows_total is not None else ""
        step(job.rows, job.rows_total, f"{job.rows:,}{total} events, {decimal(job.bytes)}")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_LOOK)
        job = client.get(job.path, [], Job)
    if job.status != "done":
        why = f": {job.error}" if job.error else ""
        raise EndedError(f"export {job.id} {_ENDED[job.status]}{why}")
    return job


_ENDED = {"failed": "failed", "cancelled": "was cancelled"}


def _load(client: Client, job: Job, part: BinaryIO, step: Step) -> str:
    """Load what is not there yet; the SHA-256 of all."""
    digest = hashlib.sha256()
    part.seek(0)
    while piece := part.read(_PIECE):
        digest.update(piece)
    at = part.tell()
    for piece in client.pieces(f"{job.path}/file", at) if at < job.bytes else ():
        part.write(piece)
        digest.update(piece)
        at += len(piece)
        step(at, job.bytes, f"{decimal(at)} of {decimal(job.bytes)}")
    part.flush()
    return digest.hexdigest()
