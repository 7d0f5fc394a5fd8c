"""Files as bytes: found by name or on standard input, and decompressed by what they contain."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from postledger.errors import PostledgerError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 1024 * 1024

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class UnreadableFileError(PostledgerError):
    title = "The file cannot be read"


class _Counted(io.RawIOBase):
    """A binary file whose first bytes are known, and that counts what is read of it."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.head = self._ahead = file.read(len(_ZSTD))
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        size = len(buffer)
        data = self._ahead[:size] or self._file.read1(size)
        self._ahead = self._ahead[size:]
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class Source:
    """A file that is read once, from the first byte to the last. Raises UnreadableFileError."""

    def __init__(self, name: str, file: io.BufferedReader) -> None:
        self.name = name
        try:
            self._counted = _Counted(file)
        except OSError as error:
            raise _unreadable(name, error) from error

    @property
    def position(self) -> int:
        """Bytes read so far, as they lie there."""
        return self._counted.count

    def chunks(self) -> Iterator[bytes]:
        """Read on, decompressed, about `CHUNK` bytes at a time. Raises UnreadableFileError."""
        try:
            stream = self._stream()
            while chunk := stream.read(CHUNK):
                yield chunk
        except (EOFError, gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
            raise UnreadableFileError(
                f"{self.name} is damaged, {self.position:,} bytes from its start: {error}"
            ) from error
        except OSError as error:
            raise _unreadable(self.name, error) from error

    def _stream(self) -> io.BufferedIOBase:
        plain = io.BufferedReader(self._counted, CHUNK)
        if self._counted.head.startswith(_GZIP):
            return gzip.GzipFile(fileobj=plain)
        if self._counted.head == _ZSTD:
            return zstd.ZstdFile(plain)
        return plain


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Open a file, `-` for standard input. Raises UnreadableFileError."""
    with _file(name) as file:
        yield Source(name, file)


def _file(name: str) -> io.BufferedReader:
    try:
        if name == "-" and sys.stdin is None:
            raise UnreadableFileError("- cannot be read: standard input is closed")
        if name == "-":
            return open(sys.stdin.fileno(), "rb", closefd=False)
        return Path(name).open("rb")
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(f"{name} cannot be read: {error.strerror}")


def size_of(name: str) -> int | None:
    """Return the bytes in a file, None where nobody knows."""
    path = Path(name)
    with suppress(OSError):
        if name != "-" and path.is_file():
            return path.stat().st_size
    return None
