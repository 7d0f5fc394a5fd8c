"""The journal: what was taken in and is not yet in the table, on disk.

A frame is: length and CRC-32 of the payload (eight bytes, little-endian), the payload. `append`
returns after fsync. A frame that a crash has cut short was never acknowledged; it is cut off when
the journal is opened. Anything else that is not as it was written stays in a file next to it.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

_HEADER = struct.Struct("<II")


class Journal:
    def __init__(self, path: Path) -> None:
        """Raises OSError, also when what is damaged cannot be kept; then nothing is cut off."""
        self.path = path
        self.damaged: Path | None = None
        """The file with what was damaged when the journal was opened."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._size = self._keep_damaged()
            _sync_directory(path.parent)
            os.ftruncate(self._file, self._size)  # else what comes next would stand behind it
        except OSError:
            os.close(self._file)
            raise

    def append(self, payload: bytes) -> None:
        """Keep `payload`, which is not empty: zeros are what a power cut leaves.

        Raises OSError, and then nothing of it is kept.
        """
        frame = _HEADER.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            _write_all(self._file, frame)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(frame)

    def frames(self) -> Iterator[bytes]:
        """The payloads that were kept, the oldest first."""
        return (frame[_HEADER.size :] for frame, whole in self._scan() if whole)

    def _scan(self) -> Iterator[tuple[bytes, bool]]:
        """Each frame, and whether it is whole, up to the last whole one that can be reached."""
        damaged = []
        with self.path.open("rb") as file:
            while frame := _read(file):
                if not _is_whole(frame):
                    damaged.append((frame, False))
                    continue
                yield from damaged
                damaged.clear()
                yield frame, True

    def _keep_damaged(self) -> int:
        """Put what is damaged into a file of its own; how many bytes of the journal are to stay."""
        size = 0
        damaged = []
        for frame, whole in self._scan():
            size += len(frame)
            if not whole:
                damaged.append(frame)
        with self.path.open("rb") as file:
            file.seek(size)
            rest = file.read()
        if damaged or not _cut_short(rest):
            kept = b"".join([*damaged, rest])
            # by what is in it: when it is found again at the next start, it is not kept twice
            self.damaged = self.path.with_name(f"{self.path.name}.damaged-{zlib.crc32(kept):08x}")
            _write_file(self.damaged, "wb", [kept])
        return size

    def set_aside(self, lines: Sequence[bytes]) -> Path:
        """Add lines to a file next to the journal, on disk when this returns. Raises OSError."""
        path = self.path.with_name(f"{self.path.name}.unreadable")
        _write_file(path, "ab", [line + b"\n" for line in lines])
        return path

    def clear(self) -> None:
        """Forget all: it is in the table now."""
        os.ftruncate(self._file, 0)
        os.fdatasync(self._file)
        self._size = 0

    def close(self) -> None:
        os.close(self._file)


def _read(file: BinaryIO) -> bytes:
    """The frame that begins here, whole or not; empty: none of such a length is there."""
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return b""
    length, _ = _HEADER.unpack(header)
    payload = file.read(length)
    return header + payload if 0 < length == len(payload) else b""


def _is_whole(frame: bytes) -> bool:
    _, checksum = _HEADER.unpack_from(frame)
    return zlib.crc32(memoryview(frame)[_HEADER.size :]) == int(checksum)


def _cut_short(rest: bytes) -> bool:
    """Whether this is what a crash leaves of the last frame: a beginning, zeros, or nothing."""
    written = rest.rstrip(b"\0")
    if len(written) < _HEADER.size:
        return True
    length, _ = _HEADER.unpack_from(rest)
    return len(written) < _HEADER.size + length and not _has_frame(memoryview(rest))


def _has_frame(data: memoryview) -> bool:
    """Whether a whole frame begins anywhere."""
    for start in range(_HEADER.size, len(data)):
        length, checksum = _HEADER.unpack_from(data, start - _HEADER.size)
        if 0 < length <= len(data) - start and zlib.crc32(data[start : start + length]) == checksum:
            return True
    return False


def _write_file(path: Path, mode: Literal["ab", "wb"], parts: Sequence[bytes]) -> None:
    with path.open(mode) as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
