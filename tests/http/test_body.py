"""How a body is received."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from postledger.errors import TooLarge, Unreadable
from postledger.http.body import receive


class Counted:
    """A lane that counts."""

    def __init__(self) -> None:
        self.bytes = 0

    def reserve(self, size: int) -> None:
        self.bytes += size

    def release(self, size: int) -> None:
        self.bytes -= size


async def pieces(*sizes: int, still: bool = False) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size
    if still:
        await asyncio.Event().wait()


def received(stream: AsyncIterator[bytes], lane: Any) -> tuple[bytes, int]:
    return asyncio.run(receive(stream, lane, largest=100, patience=0.01))


def test_received() -> None:
    """A body is its pieces, and counts until the caller gives its room back."""
    lane = Counted()
    assert (b"x" * 90, 90) == received(pieces(50, 0, 40), lane)
    assert 90 == lane.bytes


@pytest.mark.parametrize(
    ("stream", "error"),
    [(lambda: pieces(50, still=True), Unreadable), (lambda: pieces(60, 41, still=True), TooLarge)],
    ids=["stands still", "too large"],
)
def test_room_is_given_back(stream: Any, error: type[Exception]) -> None:
    """A body that stops half-way, or grows too large, ends, and counts no longer."""
    lane = Counted()
    with pytest.raises(error):
        received(stream(), lane)
    assert 0 == lane.bytes
