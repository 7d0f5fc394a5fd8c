"""What is small, and would cost much: bodies that become large, texts that a pattern goes through
again and again."""

import gzip
import re
import sys
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from making import NDJSON
from postledger.dialects.netcore.parse import address
from postledger.errors import TooLarge, Unreadable
from postledger.http.body import MOST_MEMBERS, decompress
from postledger.http.download import _range
from postledger.intake import native, sparkpost
from postledger.intake.batch import MOST_APART
from postledger.settings import MIB

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "zstd": zstd.compress,
}
EMPTY = {"gzip": gzip.compress(b"", 9, mtime=0), "zstd": b"\x50\x2a\x4d\x18\0\0\0\0"}
"""The second is a frame that a reader of zstd skips."""


@pytest.mark.parametrize("encoding", PACK)
def test_members_in_a_row(encoding: str) -> None:
    """A body in very many compressed streams is refused after so many; up to there it is read, also
    where a stream ends within a piece, at its end, or goes on in the next."""
    assert b"" == decompress(EMPTY[encoding] * MOST_MEMBERS, encoding, MIB)
    with pytest.raises(Unreadable, match="streams in a row"):
        decompress(EMPTY[encoding] * (MOST_MEMBERS + 1), encoding, MIB)
    pack = PACK[encoding]
    parts = [bytes([number % 251]) * (number * 97) for number in range(40)]
    parts.append(Random(7).randbytes(300_000))  # several pieces, packed too
    assert b"".join(parts) == decompress(b"".join(map(pack, parts)), encoding, 8 * MIB)


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("more", [0, 1])
def test_the_largest_body(encoding: str, more: int) -> None:
    """As many bytes as may be are given, one more is refused, in one stream or in two."""
    pack = PACK[encoding]
    whole = b"x" * (MIB + more)
    for packed in (pack(whole), pack(whole[:7]) + pack(whole[7:])):
        if more:
            with pytest.raises(TooLarge):
                decompress(packed, encoding, MIB)
        else:
            assert whole == decompress(packed, encoding, MIB)
        with pytest.raises(Unreadable):
            decompress(packed[:-3], encoding, 2 * MIB)


def test_very_many_records() -> None:
    """Records that are looked at one by one, as some are bad, may be so many; each costs more than
    it has bytes."""
    lines = b"1\n" * (MOST_APART + 1) + b"1"
    for read in (native.read, sparkpost.read):
        with pytest.raises(TooLarge, match="records"):
            read(lines, NDJSON, largest=MIB)
        with pytest.raises(TooLarge, match="records"):
            read(b"[" + lines.replace(b"\n", b",") + b"]", "application/json", largest=MIB)


def test_very_many_good_records() -> None:
    """Lines that are all good may be more: they are checked without taking them apart."""
    count = MOST_APART + 10
    lines = b"\n".join([b'{"type":"open","timestamp":1}'] * count)
    assert count == native.read(lines, NDJSON, largest=MIB).count


@given(st.text(alphabet="ab@<> \t\n>", max_size=12))
def test_an_address_behind_a_name(text: str) -> None:
    """It is what a pattern would find, which takes the square of the length for a long text."""
    found = re.search(r"([^<>\s]+)>?\s*\Z", text)
    assert (found[1] if found else text) == address(text)


def test_long_texts() -> None:
    """A long text without an end where one is looked for is gone through once: a pattern that went
    through it for each of its places would not come back."""
    assert "<" in address("a" * MIB + " <")
    assert None is _range("bytes=" + " " * MIB + "x", 10)
    assert range(2, 5) == _range("bytes= 2 -" + " " * MIB + "4 ", 10)
