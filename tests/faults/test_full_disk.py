"""A full disk: 503 with a clear message, nothing half stored; reads go on, and writes later."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import Answer, Client, Server, problem
from faulting import long
from making import ALL_TIME, NDJSON, Event, event, lines

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MiB, at length of a gigabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    size = f"size={long(160, 1024)}m"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Make a file that leaves so much room, or make it larger; others may be taking the rest
    meanwhile."""
    filler = disk / "filler"
    with filler.open("ab") as file, suppress(OSError):
        while (room := shutil.disk_usage(disk).free - leave) > 0:
            size = file.seek(0, os.SEEK_END)
            os.posix_fallocate(file.fileno(), size, min(room, 16 * MIB))
    return filler


def send(client: Client, events: list[Event]) -> Answer:
    return client.post(lines(*events), Content_Type=NDJSON)


def listed(client: Client) -> Counter[str]:
    pages = client.pages(f"/ledger/v1/events?{ALL_TIME}&limit=10000")
    return Counter(e["event_id"] for page in pages for e in page)


def batch(name: str, size: int) -> list[Event]:
    """Events that do not compress well, of three months."""
    return [
        event(-(n % 90) * 86_400, event_id=f"{name} {n}", subject=os.urandom(150).hex())
        for n in range(size)
    ]


@pytest.mark.parametrize("way", ["journal", "insert"])
@pytest.mark.parametrize("least", [60 * MIB, 0], ids=["checked before", "found while writing"])
def test_full_disk(
    small_disk: Path, start: Callable[..., Server], tmp_path: Path, least: int, way: str
) -> None:
    """Writes are refused while there is no room, and no event is lost, repeated or half stored."""
    running = start(
        tmp_path / "server",
        POSTLEDGER_DATA_DIR=str(small_disk / "data"),
        POSTLEDGER_MIN_FREE_BYTES=str(least),
        POSTLEDGER_SMALL_BODY_BYTES=str(16 * MIB if way == "journal" else 0),
    ).start()
    client = running.client
    acknowledged = [e["event_id"] for e in batch("before", 2000)]
    assert 200 == send(client, batch("before", 2000)).status
    assert Counter(acknowledged) == listed(client)

    filler = fill(small_disk, MIB)
    refused = 0
    for number in range(12):
        events = batch(f"full {number}", 3000 if number % 2 else 200)
        answer = send(client, events)
        if answer.status == 200:
            acknowledged += [e["event_id"] for e in events]
            continue
        refused += 1
        told = problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert "full" in (told["title"] + told["detail"]).lower()
        assert "free some room" in told["detail"]
    assert refused
    missing = Counter(acknowledged) - listed(client)
    extra = listed(client) - Counter(acknowledged)
    assert not extra, extra.most_common(3)
    if (
        way == "insert"
    ):  # what is in the journal only is read again when it can be moved to the table
        assert not missing
    assert 200 == client.request("GET", "/healthz").status

    filler.unlink()
    after = batch("after", 500)
    answer = send(client, after)
    assert (200, 500) == (answer.status, answer.json().get("accepted")), answer
    acknowledged += [e["event_id"] for e in after]
    assert Counter(acknowledged) == listed(client)
    running.kill()
    running.start()
    assert Counter(acknowledged) == listed(running.client)
    again = send(running.client, after).json()
    assert (0, 500) == (again["accepted"], again["duplicates"])
    assert 0 == running.stop()


def test_start_on_a_full_disk(
    small_disk: Path, start: Callable[..., Server], tmp_path: Path
) -> None:
    """A server that finds no room at its start either serves what there is, or says why not."""
    running = start(
        tmp_path / "server",
        POSTLEDGER_DATA_DIR=str(small_disk / "data"),
        POSTLEDGER_FLUSH_MS="60000",
    ).start()
    send(running.client, batch("before", 300))
    running.kill()
    filler = fill(small_disk, 0)
    running.launch()
    assert running.process is not None
    try:
        running.process.wait(8)
    except subprocess.TimeoutExpired:
        running.kill()
    assert "Traceback" not in running.log.read_text()
    filler.unlink()
    running.start()
    assert 300 == sum(listed(running.client).values())
    assert 0 == running.stop()
