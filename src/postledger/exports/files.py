"""The files of exports: written under a temporary name, whole once they have their own."""

import contextlib
import hashlib
import os
import secrets
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP, _LEVEL = 16 + zlib.MAX_WBITS, 6

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
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
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
        self.bytes = 0

    def write(self, piece: bytes) -> None:
        self._put(self._compressor.compress(piece))

    def finish(self) -> str:
        """Put the file in its place, for good; the SHA-256 of it."""
        self._put(self._compressor.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self._path)
        sync(self._path.parent)
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):  # what was not written yet has no room
            self._file.close()
        remove(self._path)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)


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
