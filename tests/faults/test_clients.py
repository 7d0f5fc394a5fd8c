"""Clients that are slow, that break off, and that never end: the server goes on for the others."""

import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from loading import (
    LISTED,
    Load,
    check,
    complete,
    export,
    exported,
    finished,
    incompressible,
    listed,
)

import faulting
from conftest import Client, Server, new_client
from faulting import Tally, chance, long
from making import NDJSON, event, lines

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes bodies of 4 MiB, and 16 MiB at once."""
    limits = {
        "POSTLEDGER_MAX_BODY_BYTES": str(4 * MIB),
        "POSTLEDGER_MAX_PENDING_BYTES": str(16 * MIB),
    }
    running = Server(tmp_path_factory.mktemp("narrow"), limits).start()
    yield running
    assert 0 == running.stop(), running.log.read_text()
    assert "Traceback" not in running.log.read_text()


@contextmanager
def connected(client: Client, *, reset: bool = False, buffer: int = 0) -> Iterator[socket.socket]:
    """A connection. `reset`: it is not closed in order, but cut off. `buffer`: the little that it
    takes without being read."""
    raw = socket.socket()
    if buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    if reset:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.settimeout(60)
    with raw:
        raw.connect(("127.0.0.1", int(client.address.rpartition(":")[2])))
        yield raw


def head(client: Client, line: str, *fields: str) -> bytes:
    """The head of a request."""
    named = ["Host: x", f"Authorization: Bearer {client.key}", f"Content-Type: {NDJSON}", *fields]
    return "\r\n".join([f"{line} HTTP/1.1", *named, "", ""]).encode()


POST = "POST /ledger/v1/events"


def until_closed(raw: socket.socket, most: int = 65536) -> bytes:
    """All that comes, read so many bytes at a time."""
    found = bytearray()
    while chunk := raw.recv(most):
        found += chunk
    return bytes(found)


def large(client: Client, name: str) -> Load:
    """A body of nearly the largest size has its place: no room is taken by those that went."""
    load = Load(client, name, ())
    load.sent = {one["event_id"]: one for one in incompressible(name, 6000)}
    return load


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "cut off"])
def test_half_a_body(narrow: Server, tally: Tally, *, reset: bool) -> None:
    """Of a request that breaks off anywhere nothing is stored, and its room is given back."""
    client = new_client(narrow)
    dice = chance()
    body = lines(*(event(n, subject="s" * 500) for n in range(4000)))
    whole = head(client, POST, f"Content-Length: {len(body)}") + body
    for _ in tally.turns(small=20):
        with connected(client, reset=reset) as raw:
            raw.sendall(whole[: dice.randrange(1, len(whole) - 1)])
        tally.faults += 1
    assert [] == client.get("/ledger/v1/events?from=2020-01-01")["events"]
    complete(client, large(client, "after"), tally)


def test_a_body_without_end(narrow: Server, tally: Tally) -> None:
    """A body in pieces that goes on for ever is refused at the limit; one that comes drop by drop
    holds up nobody, and is taken when it ends."""
    client = new_client(narrow)
    chunked = head(client, POST, "Transfer-Encoding: chunked", "Connection: close")
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for number in tally.turns(small=3):
        with connected(client) as raw, connected(client) as slow:
            slow.sendall(chunked)
            raw.sendall(chunked)
            assert b"413" in _poured(raw, piece)[:20]
            for byte in lines(event(number)):
                slow.sendall(b"1\r\n%c\r\n" % byte)
                if byte % 16 == 0:
                    assert 200 == client.request("GET", "/healthz").status
            slow.sendall(b"0\r\n\r\n")
            assert b'"accepted":1' in until_closed(slow)
        tally.faults += 2
        tally.events += 1
    found = listed(client)
    tally.compare([event(n)["event_id"] for n in range(tally.rounds)], found, found)


@pytest.mark.skipif(not faulting.ROUNDS, reason="it takes half a minute; in the long form only")
def test_a_body_that_stands_still(narrow: Server, tally: Tally) -> None:
    """Bodies that stop half-way take the room of others for half a minute, and no longer."""
    client = new_client(narrow)
    with ExitStack() as stack:
        still = [stack.enter_context(connected(client)) for _ in range(4)]
        for raw in still:
            raw.sendall(
                head(client, POST, f"Content-Length: {4 * MIB}") + b" " * (3 * MIB + MIB // 2)
            )
        time.sleep(1)
        load = large(client, "beside still ones")
        refused = client.post(lines(*load.sent.values()), Content_Type=NDJSON)
        assert 503 == refused.status
        for raw in still:
            assert b" 400 " in raw.recv(65536)
        complete(client, load, tally)
    tally.rounds, tally.faults = 1, len(still)


def _poured(raw: socket.socket, piece: bytes) -> bytes:
    """What the server says while it is sent piece after piece, at most 64 MiB."""
    raw.settimeout(0.001)
    for _ in range(1024):
        try:
            raw.sendall(piece)
            return raw.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return b"HTTP/1.1 413, and cut off"
    raise AssertionError("it takes everything")


def test_idle_connections(narrow: Server, tally: Tally) -> None:
    """Connections that say nothing, or half a request, and stay: others are answered."""
    client = new_client(narrow)
    wanted = long(300, 10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted + 1000:
        pytest.skip(f"a process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert narrow.process is not None
    resource.prlimit(narrow.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    tally.rounds = 1
    with ExitStack() as stack:
        for number in range(wanted):
            raw = stack.enter_context(connected(client))
            if number % 2:
                raw.sendall(head(client, POST, "Content-Length: 1000")[: 20 + number % 200])
            tally.faults += 1
        load = large(client, "beside idle ones")
        complete(client, load, tally)
        assert 200 == client.request("GET", "/readyz").status
        found = listed(client)
        tally.compare(load.acknowledged, found, load.sent)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert 200 == client.request("GET", "/readyz").status


def test_no_more_files(narrow: Server, tally: Tally) -> None:
    """A process that may open no more files refuses what it cannot do, and goes on when it may."""
    dice = chance()
    assert narrow.process is not None
    pid = narrow.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    for number in tally.turns(small=1, share=30):
        client = new_client(narrow, ("admin",))
        load = Load(client, f"files {number}", (1, 20, 1500))
        load.start()
        time.sleep(0.2)
        opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        few = max(opened + dice.randrange(-10, 10), 3)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[1]))
        time.sleep(dice.uniform(0.2, 0.8))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        load.stop()
        tally.faults += 1
        check(client, load, tally)
        complete(client, load, tally)


def test_an_answer_read_byte_by_byte(narrow: Server, tally: Tally) -> None:
    """A client that reads its answer one byte at a time gets all of it; others do not wait."""
    client = new_client(narrow)
    events = incompressible("slow", long(300, 3000))
    assert client.store(*events)["accepted"] == len(events)
    path = LISTED.removeprefix(client.address)
    expected = client.request("GET", path).body
    with connected(client, buffer=1024) as raw:
        raw.sendall(head(client, f"GET {path}", "Connection: close"))
        time.sleep(0.3)
        assert 200 == client.request("GET", path).status
        found = until_closed(raw, 1)
    assert expected == found.partition(b"\r\n\r\n")[2]
    tally.rounds, tally.faults, tally.events = 1, 1, len(events)


def test_downloads_that_are_cut_off(narrow: Server, tally: Tally) -> None:
    """Clients that go away while they load a file leave no open file behind; the next one gets
    it whole, in pieces too."""
    client = new_client(narrow, ("admin",))
    events = incompressible("download", 9000)
    assert [4500, 4500] == [client.store(*e)["accepted"] for e in (events[:4500], events[4500:])]
    job_id = export(client)
    assert job_id is not None
    url = finished(client, job_id)["download_url"]
    size = len(client.request("GET", url).body)
    before = _open_files(narrow)
    dice = chance()
    for number in tally.turns(small=20):
        fields = [f"Range: bytes={dice.randrange(size)}-"] if number % 3 == 0 else []
        with connected(client, reset=bool(number % 2), buffer=4096) as raw:
            raw.sendall(head(client, f"GET {url}", *fields))
            raw.recv(dice.randrange(1, 100_000))
        tally.faults += 1
    until = time.monotonic() + 20
    while _open_files(narrow) > before and time.monotonic() < until:
        time.sleep(0.05)
    assert before >= _open_files(narrow)
    rows = exported(client, job_id)
    tally.compare([one["event_id"] for one in events], rows, rows)
    tally.events += len(events)


def _open_files(running: Server) -> int:
    """How many files of exports the server has open."""
    assert running.process is not None
    handles = Path(f"/proc/{running.process.pid}/fd").iterdir()
    return sum("/exports/" in _target(handle) for handle in handles)


def _target(handle: Path) -> str:
    try:
        return str(handle.readlink())
    except OSError:
        return ""
