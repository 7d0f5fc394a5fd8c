"""The journal: what was taken in and is not yet in the table, on disk.

A frame is: length and CRC-32 of the payload (eight bytes, little-endian), the payload. `append`
returns after fsync. A frame that a crash has cut short was never acknowledged; it is cut off when
the journal is opened.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

_HEADER = struct.Struct("<II")


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = sum(_HEADER.size + len(payload) for payload in self.frames())
        os.ftruncate(self._file, self._size)  # else what comes next would stand behind a torn frame
        _sync_directory(path.parent)

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
        with self.path.open("rb") as file:
            while len(header := file.read(_HEADER.size)) == _HEADER.size:
                length, checksum = _HEADER.unpack(header)
                payload = file.read(length)
                if not 0 < length == len(payload) or zlib.crc32(payload) != checksum:
                    return
                yield payload

    def set_aside(self, lines: Sequence[bytes]) -> Path:
        """Add lines to a file next to the journal, on disk when this returns. Raises OSError."""
        path = self.path.with_name(f"{self.path.name}.unreadable")
        with path.open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        return path

    def clear(self) -> None:
        """Forget all: it is in the table now."""
        os.ftruncate(self._file, 0)
        os.fdatasync(self._file)
        self._size = 0

    def close(self) -> None:
        os.close(self._file)


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
