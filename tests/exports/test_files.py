"""Files of exports: whole, or not there."""

import errno
import gzip
import hashlib
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postledger.exports import files
from postledger.exports.files import Sink, name_of, owner_of, remove

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}
PIECES = [b"a" * 100_000, b"", b"b\n", bytes(range(256)) * 100]


@pytest.mark.parametrize("compression", UNPACK)
def test_finish(tmp_path: Path, compression: str) -> None:
    """The file has its name once it is whole, and its digest and size are those of what is kept."""
    path = tmp_path / "below" / "file"
    sink = Sink(path, compression)
    for piece in PIECES:
        sink.write(piece)
        assert not path.exists()
    digest = sink.finish()
    kept = path.read_bytes()
    assert b"".join(PIECES) == UNPACK[compression](kept)
    assert (hashlib.sha256(kept).hexdigest(), len(kept)) == (digest, sink.bytes)
    assert [path] == list(path.parent.iterdir())


def test_discard(tmp_path: Path) -> None:
    """What is discarded or removed leaves nothing, also when it was finished."""
    for finished in (False, True):
        sink = Sink(tmp_path / "file", "none")
        sink.write(b"x")
        if finished:
            sink.finish()
        sink.discard()
        assert [] == list(tmp_path.iterdir())
    remove(tmp_path / "file")


@settings(deadline=None)
@given(st.lists(st.integers(0, 3 * mmap.PAGESIZE), max_size=6))
def test_blocks(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    """However the pieces lie in the blocks that are written, the file is all of them in order."""
    path = tmp_path_factory.mktemp("blocks") / "file"
    pieces = [bytes([at]) * size for at, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_BLOCK", mmap.PAGESIZE)
        sink = Sink(path, "none")
        for piece in pieces:
            sink.write(memoryview(piece))
        sink.finish()
    assert b"".join(pieces) == path.read_bytes()


def test_no_way_past_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each file system lets writes go past the cache; the file is the same."""
    opened = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    data = os.urandom(files._BLOCK + 5)
    sink = Sink(tmp_path / "file", "none")
    sink.write(data)
    sink.finish()
    assert data == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The system tells a failure once, to the write beside the caller or at the end. It must not
    be lost, and nothing is left of the file."""

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    sink = Sink(tmp_path / "file", "none")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Input/output"):
        _fill(sink)
    sink.discard()
    assert [] == list(tmp_path.iterdir())


def _fill(sink: Sink) -> None:
    sink.write(bytes(files._BLOCK + 1))
    sink.finish()


def test_names() -> None:
    """The name says form and compression; Parquet compresses within."""
    assert "id.csv.gz" == name_of("id", "csv", "gzip")
    assert "id.ndjson.zst" == name_of("id", "ndjson", "zstd")
    assert "id.parquet" == name_of("id", "parquet", "zstd")


def test_owner(tmp_path: Path) -> None:
    """A directory keeps its mark; another has another."""
    first = owner_of(tmp_path / "a")
    assert first == owner_of(tmp_path / "a")
    assert first != owner_of(tmp_path / "b")
