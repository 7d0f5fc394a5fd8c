"""Request bodies: received and decompressed with a limit, so that none fills the memory."""

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol

from postledger.errors import TooLarge, Unreadable, Unsupported
from postledger.http.lane import Lane
from postledger.settings import KIB

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 64 * KIB
MOST_MEMBERS = 10_000
"""Of one compressed body: tools that compress in blocks make one for each."""
PATIENCE = 30.0
"""Seconds that a body may take from one piece to the next."""


class _Decompressor(Protocol):
    """One member of a compressed stream."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: memoryview, max_length: int, /) -> bytes: ...


async def receive(
    stream: AsyncIterator[bytes], lane: Lane, largest: int, patience: float = PATIENCE
) -> tuple[bytes, int]:
    """The body as it came, and how many bytes the lane now counts; the caller releases them.

    Raises TooLarge, Busy when too much is under way, or Unreadable when nothing more has come for
    `patience` seconds: what has come takes room that others need.
    """
    counted = 0
    chunks = []
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(patience) as limit:
            async for chunk in stream:
                lane.reserve(len(chunk))
                counted += len(chunk)
                if counted > largest:
                    raise TooLarge(_too_large(largest))  # noqa: TRY301 -- to give the room back
                chunks.append(chunk)
                if len(chunks) > 1:  # most bodies are one
                    limit.reschedule(now() + patience)
    except TimeoutError as error:
        lane.release(counted)
        raise Unreadable(
            f"the body is cut short: nothing more has come for {patience:g} s"
        ) from error
    except BaseException:
        lane.release(counted)
        raise
    return b"".join(chunks), counted


def decompress(data: bytes, encoding: str, largest: int) -> bytes:
    """`data` without its Content-Encoding. Raises TooLarge beyond `largest`, or Unreadable."""
    if encoding in {"", "identity"}:
        return data
    if encoding not in {"gzip", "x-gzip", "zstd"}:
        raise Unsupported(f"the content encoding is {encoding}; send gzip, zstd or none")
    with _damage(encoding):
        plain = b"".join(_parts(memoryview(data), encoding, largest + 1))
    if len(plain) > largest:
        raise TooLarge(_too_large(largest))
    return plain


def _parts(data: memoryview, encoding: str, room: int) -> Iterator[bytes]:
    """What the members of a stream have in them, up to `room` bytes.

    A member is handed its bytes a piece at a time: the rest of a piece is copied at its end, and a
    body may have very many members that are empty.
    """
    at = members = 0
    while at < len(data) and room:
        members += 1
        if members > MOST_MEMBERS:
            raise Unreadable(f"the body has more than {MOST_MEMBERS} {encoding} streams in a row")
        decoder: _Decompressor = zstd.ZstdDecompressor() if encoding == "zstd" else _Gunzip()
        while not decoder.eof and at < len(data) and room:
            piece = data[at : at + _PIECE]
            part = decoder.decompress(piece, room)
            room -= len(part)
            at += len(piece) - len(decoder.unused_data)
            yield part
        if not decoder.eof and room:
            raise Unreadable(f"the body is cut short: its {encoding} stream has no end")


class _Gunzip:
    """One member of a gzip stream."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: memoryview, max_length: int, /) -> bytes:
        return self._decoder.decompress(data, max_length)


@contextmanager
def _damage(encoding: str) -> Iterator[None]:
    try:
        yield
    except (zlib.error, zstd.ZstdError) as error:
        raise Unreadable(f"the body is not {encoding}: {error}") from error


def _too_large(largest: int) -> str:
    return f"the body has more than {largest} bytes (max_body_bytes); send it in parts"
