"""The journal: acknowledged and not in the table yet."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postledger.store.journal import Journal

PAYLOADS = st.lists(st.binary(min_size=1, max_size=60), max_size=6)


def refilled(path: Path, payloads: list[bytes]) -> Journal:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    journal = Journal(path)
    for payload in payloads:
        journal.append(payload)
    return journal


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal"


@given(PAYLOADS)
def test_what_was_appended_is_there_after_a_restart(path: Path, payloads: list[bytes]) -> None:
    """All payloads, in order, whatever they are."""
    refilled(path, payloads).close()
    journal = Journal(path)
    assert payloads == list(journal.frames())
    journal.close()


@given(PAYLOADS, st.data())
def test_a_crash_in_the_middle_loses_only_the_last(
    path: Path, payloads: list[bytes], data: st.DataObject
) -> None:
    """A file cut anywhere gives the payloads that are whole, and appending goes on after them."""
    refilled(path, payloads).close()
    size = path.stat().st_size
    kept = data.draw(st.integers(0, size))
    os.truncate(path, kept)
    ends = [0]
    for payload in payloads:
        ends.append(ends[-1] + 8 + len(payload))
    whole = payloads[: sum(end <= kept for end in ends[1:])]
    journal = Journal(path)
    assert whole == list(journal.frames())
    journal.append(b"next")
    assert [*whole, b"next"] == list(journal.frames())
    journal.close()


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_flipped_bit_is_noticed(path: Path, payload: bytes, data: st.DataObject) -> None:
    """A payload that is not what was written is not given out."""
    refilled(path, [payload]).close()
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(8, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    journal = Journal(path)
    assert [] == list(journal.frames())
    journal.close()


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=2, max_size=6), st.data())
def test_what_is_behind_a_changed_byte_is_not_lost(
    path: Path, payloads: list[bytes], data: st.DataObject
) -> None:
    """What is behind it is given out, unless it is in the length; all that is not given out is in a
    file, once, however often the journal is opened."""
    refilled(path, payloads).close()
    raw = bytearray(path.read_bytes())
    bad = data.draw(st.integers(0, len(payloads) - 2))
    start = sum(8 + len(payload) for payload in payloads[:bad])
    at = data.draw(st.integers(0, 7 + len(payloads[bad])))
    raw[start + at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    journal = Journal(path)
    found = list(journal.frames())
    assert payloads[:bad] == found[:bad]
    if at >= 4:
        assert payloads[bad + 1 :] == found[bad:]
    assert journal.damaged is not None
    kept = journal.damaged.read_bytes()
    assert raw[start : start + len(kept)] == kept
    assert len(raw) == len(kept) + sum(8 + len(payload) for payload in found)
    journal.append(b"next")
    journal.close()
    journal = Journal(path)
    assert [*found, b"next"] == list(journal.frames())
    journal.close()
    assert 1 == len(list(path.parent.glob("journal.damaged-*")))


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        (b"\0" * 4096, False),
        (b"\x10", False),
        (b"\x10\0\0\0sum.cut", False),
        (b"\x10\0\0\0sum.no data" + b"\0" * 9, False),
        (b"\x10\0\0\0sum.sixteen letters!", True),
        (b"\0" * 4096 + b"no beginning", True),
    ],
)
def test_only_what_a_crash_leaves_is_dropped(path: Path, tail: bytes, *, kept: bool) -> None:
    """A last entry that was not written whole was acknowledged to nobody; what may have been is
    kept."""
    refilled(path, [b"first"]).close()
    with path.open("ab") as file:
        file.write(tail)
    journal = Journal(path)
    assert [b"first"] == list(journal.frames())
    assert kept == (journal.damaged is not None)
    if journal.damaged:
        assert tail == journal.damaged.read_bytes()
    journal.close()


def test_nothing_is_cut_off_that_cannot_be_kept(tmp_path: Path) -> None:
    """Without room for what is damaged, the journal stays as it is."""
    import resource

    path = tmp_path / "journal"
    refilled(path, [b"x" * 8192, b"second"]).close()
    raw = b"\xff" + path.read_bytes()[1:]
    path.write_bytes(raw)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            Journal(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raw == path.read_bytes()


def test_cleared_is_empty(path: Path) -> None:
    """What is in the table now is forgotten, and new entries start afresh."""
    journal = refilled(path, [b"a", b"b"])
    journal.clear()
    assert [] == list(journal.frames())
    journal.append(b"c")
    assert [b"c"] == list(journal.frames())
    journal.close()


def test_an_entry_that_fails_leaves_nothing(path: Path) -> None:
    """When the disk is full, what was there before stays readable, and nothing is added."""
    import resource

    journal = refilled(path, [b"first"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            journal.append(b"x" * 8192)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [b"first"] == list(journal.frames())
    journal.append(b"second")
    assert [b"first", b"second"] == list(journal.frames())
    journal.close()


def test_what_cannot_be_read_is_kept(tmp_path: Path) -> None:
    """Lines that are set aside stay in a file, one after the other."""
    journal = Journal(tmp_path / "journal")
    journal.set_aside([b"a", b"b"])
    assert journal.set_aside([b"c"]).read_bytes() == b"a\nb\nc\n"
    journal.close()
