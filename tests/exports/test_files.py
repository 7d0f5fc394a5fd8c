"""Files of exports: whole, or not there."""

import errno
import gzip
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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


def test_a_disk_that_fails_while_it_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system tells a failure once: to the sync beside the writing. It must not be lost."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    monkeypatch.setattr(files, "_AHEAD", 1000)
    sink = Sink(tmp_path / "file", "none")
    sink.write(b"x" * 1000)
    with pytest.raises(OSError, match="Input/output"):
        sink.finish()
    sink.discard()
    assert [] == list(tmp_path.iterdir())


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
