"""The files of exports: written under a temporary name, whole once they have their own."""

import contextlib
import hashlib
import os
import secrets
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from postledger.settings import MIB

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP, _LEVEL = 16 + zlib.MAX_WBITS, 6
_AHEAD = 64 * MIB
"""Bytes that are written before they are put on disk, beside the writing: all at the end would take
as long again."""

SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}
PARQUET = "parquet"


def owner_of(directory: Path) -> str:
    """What tells the jobs of this directory from those of another; it stays at a restart."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "owner"
    if not path.exists():
        path.write_text(secrets.token_hex(8), encoding="ascii")
    return path.read_text(encoding="ascii")


class _Compressor(Protocol):
    def compress(self, data: bytes | memoryview, /) -> bytes | memoryview: ...
    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes | memoryview, /) -> bytes | memoryview:
        return data

    def flush(self) -> bytes:
        return b""


_COMPRESSORS: dict[str, Callable[[], _Compressor]] = {
    "none": _Plain,
    "gzip": lambda: zlib.compressobj(_LEVEL, wbits=_GZIP),
    "zstd": zstd.ZstdCompressor,
}


def name_of(job_id: str, form: str, compression: str) -> str:
    """The name of a file. Parquet compresses within."""
    return f"{job_id}.{form}{'' if form == PARQUET else SUFFIXES[compression]}"


class Sink:
    """A file that is being written. `finish` it, or `discard` it."""

    def __init__(self, path: Path, compression: str) -> None:
        """`compression`: what is still to be done, `none` for what is compressed within."""
        self._path = path
        self._part = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")
        self._compressor = _COMPRESSORS[compression]()
        self._digest = hashlib.sha256()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="export-disk")
        self._ahead: Future[None] | None = None
        self._on_disk = 0
        self.bytes = 0

    def write(self, piece: bytes | memoryview) -> None:
        self._put(self._compressor.compress(piece))

    def finish(self) -> str:
        """Put the file in its place, for good; the SHA-256 of it."""
        self._put(self._compressor.flush())
        self._file.flush()
        self._settle()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self._path)
        sync(self._path.parent)
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):  # the reason to discard it, or of no interest any more
            self._settle()
        with contextlib.suppress(OSError):  # what was not written yet has no room
            self._file.close()
        remove(self._path)

    def _put(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)
        if self.bytes - self._on_disk >= _AHEAD and (self._ahead is None or self._ahead.done()):
            self._go_ahead()

    def _go_ahead(self) -> None:
        """Begin to put on disk what has been written; raises what the last time came to."""
        if self._ahead is not None:
            self._ahead.result()
        self._on_disk = self.bytes
        self._ahead = self._disk.submit(os.fdatasync, self._file.fileno())

    def _settle(self) -> None:
        """Wait for what was begun. Raises OSError: what was written may not be there."""
        self._disk.shutdown()
        if self._ahead is not None:
            self._ahead.result()


def remove(path: Path) -> None:
    """Remove a file and what was begun of it, as far as they are there."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".part").unlink(missing_ok=True)


def sync(directory: Path) -> None:
    """Make the names in a directory last."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
