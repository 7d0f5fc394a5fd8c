"""Bodies that are broken, that grow, and that are nested without end: refused, never a failure of
the server, and never its memory."""

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from loading import export, finished, listed

from conftest import Answer, Client, Server, new_client
from faulting import Tally, chance, long
from making import NDJSON, event, iso, lines
from postledger.intake.record import MOST_DEEP

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024 * 1024
LIMIT = 4 * MIB
_WINDOW = zstd.CompressionParameter.window_log
_CHECKSUM = zstd.CompressionParameter.checksum_flag


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes bodies of 4 MiB."""
    limits = {"POSTLEDGER_MAX_BODY_BYTES": str(LIMIT)}
    running = Server(tmp_path_factory.mktemp("bodies"), limits).start()
    yield running
    assert 0 == running.stop(), running.log.read_text()
    assert "Traceback" not in running.log.read_text()


# -- damage

COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda data: zstd.compress(data, options={_CHECKSUM: 1}),
}


@pytest.mark.parametrize("encoding", list(COMPRESSED))
def test_damage(narrow: Server, tally: Tally, encoding: str) -> None:
    """A compressed body with some bytes changed, missing, doubled or added is refused, or it is
    what was sent: nothing else is stored, and nothing fails."""
    client = new_client(narrow)
    dice = chance()
    sent = [event(number, subject=f"s {number}") for number in range(200)]
    whole = COMPRESSED[encoding](lines(*sent))
    acknowledged: set[str] = set()
    for _ in tally.turns(small=40, share=1000):
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 1, 2, 8))):
            at, length = dice.randrange(len(whole)), dice.choice((0, 1, 1, 4))
            damaged[at : at + length] = dice.randbytes(dice.choice((0, 1, 1, 4)))
        answer = client.post(bytes(damaged), Content_Type=NDJSON, Content_Encoding=encoding)
        assert answer.status in {200, 400, 413}, (answer, bytes(damaged))
        if answer.status == 200 and answer.json()["accepted"] + answer.json()["duplicates"]:
            acknowledged = {one["event_id"] for one in sent}
        tally.faults += 1
    tally.events += len(acknowledged)
    tally.compare(acknowledged, listed(client), {one["event_id"] for one in sent})
    stored = client.get("/ledger/v1/events?from=2024-01-01&limit=1000")["events"]
    assert {one["subject"] for one in stored} <= {one["subject"] for one in sent}


# -- bombs


def test_bombs(narrow: Server, tally: Tally) -> None:
    """Small bodies that grow to a gigabyte, one after the other and eight at once, are refused;
    the server's memory grows by what bodies of the largest size may take."""
    client = new_client(narrow)
    bombs = list(_bombs(long(200, 1024)))
    assert all(len(body) < LIMIT for _, body in bombs)
    for _ in tally.turns(small=1, share=10):
        before = _most_memory(narrow, anew=True)
        for at_once in (1, 8):
            with ThreadPoolExecutor(at_once) as pool:
                answers = list(pool.map(lambda bomb: _send(client, *bomb), bombs * at_once))
            assert {413} == {answer.status for answer in answers}
            tally.faults += len(answers)
        assert _most_memory(narrow) - before < 8 * 3 * LIMIT + 64 * MIB
    assert [] == client.get("/ledger/v1/events?from=2020-01-01")["events"]


def _send(client: Client, encoding: str, body: bytes) -> Answer:
    return client.post(body, Content_Type=NDJSON, Content_Encoding=encoding)


def _bombs(mebibytes: int) -> Iterator[tuple[str, bytes]]:
    """Bodies that grow to so many MiB, with their encoding."""
    packer = zlib.compressobj(9, wbits=31)
    once = b"".join(packer.compress(b"\n" * MIB) for _ in range(mebibytes)) + packer.flush()
    yield "gzip", once
    yield "gzip", gzip.compress(b"\n" * MIB) * mebibytes
    yield "zstd", zstd.compress(b"\n" * MIB * mebibytes, options={_WINDOW: 27})
    yield "zstd", zstd.compress(b" " * MIB) * mebibytes


def _most_memory(running: Server, *, anew: bool = False) -> int:
    """The most bytes that the server had in memory, since the start or since asked `anew`."""
    assert running.process is not None
    place = Path(f"/proc/{running.process.pid}")
    if anew:
        (place / "clear_refs").write_text("5")
    (line,) = (line for line in (place / "status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) * 1024


# -- depth

DEEP = (MOST_DEEP - 1, 1000, 5000, 100_000, 1_000_000)


def nested(depth: int, kind: str) -> bytes:
    """A value with so many levels."""
    return (
        b"[" * depth + b"]" * depth if kind == "array" else b'{"a":' * depth + b"1" + b"}" * depth
    )


def deep_event(depth: int, kind: str) -> bytes:
    """An event that has such a value as metadata."""
    head = b'{"type":"open","timestamp":"%b","event_id":"%d %s",'
    head += b'"message_id":"m","rcpt_to":"ann@x.example","rcpt_meta":{"a":'
    return head % (iso(NOW).encode(), depth, kind.encode()) + nested(depth, kind) + b"}}"


KINDS = ("array", "object")
NOW = datetime.now(UTC) - timedelta(hours=1)
FROM, TO = ((NOW + timedelta(days=days)).strftime("%Y-%m-%d") for days in (-1, 1))
READERS = (
    "/ledger/v1/events",
    "/ledger/v1/messages/m",
    "/ledger/v1/feed",
    f"/api/v1/events/message?from={FROM}T00:00:00Z",
    f"/v6/events?start_date={FROM}&end_date={TO}",
    "/v1/logs",
    "/v1/emails/m",
    f"/v1/events/messageid/m?start={FROM}&end={TO}&access_token=",
)


@pytest.mark.parametrize("depth", [64, MOST_DEEP - 2])
@pytest.mark.parametrize("kind", KINDS)
def test_depth_comes_back(narrow: Server, tally: Tally, kind: str, depth: int) -> None:
    """What is accepted, as deep as it may be, is given back as it came by everything that reads."""
    client = new_client(narrow, ("admin",))
    answer = client.post(deep_event(depth, kind), Content_Type=NDJSON)
    assert (200, 1) == (answer.status, answer.json()["accepted"])
    found = client.get(f"/ledger/v1/events/{depth}%20{kind}")
    assert json.loads(nested(depth, kind)) == found["rcpt_meta"]["a"]
    for path in READERS:
        answer = client.request("GET", path + (client.key if path.endswith("token=") else ""))
        assert (200, True) == (answer.status, b"ann@x.example" in answer.body), (path, answer)
    for form in ("ndjson", "csv", "parquet"):
        assert finished(client, export(client, format=form) or "")["rows"] == 1
    tally.rounds += 1
    tally.faults += 1
    tally.events += 1
    tally.answers += len(READERS) + 4


@pytest.mark.parametrize("depth", DEEP)
@pytest.mark.parametrize("kind", KINDS)
def test_depth(narrow: Server, tally: Tally, kind: str, depth: int) -> None:
    """Thousands of levels are a bad record beside good ones, in each form and source, and a bad
    request where one asks with JSON; the server goes on."""
    client = new_client(narrow, ("admin",))
    value = nested(depth, kind)
    if len(value) + 100 < MIB:  # max_event_bytes
        answer = client.post(deep_event(depth, kind) + b"\n" + lines(event(1)), Content_Type=NDJSON)
        assert (200, 1, 1) == (answer.status, *map(answer.json().get, ("accepted", "rejected")))
    for path, body in _routes(value[: LIMIT - 1000]):
        answer = client.post(body, path, Content_Type="application/json")
        assert answer.status in {400, 413, 422}, (path, answer)
        tally.faults += 1
    asked = quote(value[:10_000].decode())
    answer = client.request(
        "GET",
        f"/api/v1/metrics/deliverability?from=2026-11-01T00:00&metrics=count_sent&query_filters={asked}",
    )
    assert answer.status in {400, 414, 422}, answer
    assert 200 == client.request("GET", "/readyz").status
    tally.rounds += 1
    tally.events += 1


def _routes(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "/ledger/v1/events", value
    yield "/ledger/v1/events", b"[" + value + b"]"
    yield "/ledger/v1/intake/sparkpost", b'[{"msys":{"message_event":%b}}]' % value
    yield "/ledger/v1/intake/sparkpost", value
    yield "/api/v1/ingest/events", b'{"msys":{"message_event":%b}}' % value
    asked = value[: MIB - 100]  # more is refused while it comes
    yield "/ledger/v1/exports", b'{"format":"csv","filters":%b}' % asked
    yield "/v6/events/download", b'{"startdate":%b}' % asked
