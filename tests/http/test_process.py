"""The process: section 1 of the native contract. How it starts, tells of itself, and stops."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import Client, Server, new_client
from making import ALL_TIME, NDJSON, event, lines
from postledger.store.engine import NEWEST

Start = Callable[..., Server]


def refusal(server: Server, *options: str) -> str:
    """What a server says that does not start: one sentence, status 1, no stack trace."""
    began = server.log.stat().st_size if server.log.exists() else 0
    server.launch(*options)
    assert server.process is not None
    assert 1 == server.process.wait(30), server.log.read_text()
    told = server.log.read_text()[began:]
    assert "Traceback" not in told
    said = [line for line in told.splitlines() if line.startswith("postledger: ")]
    assert 1 == len(said), told
    return said[0]


# -- it tells of itself


def test_probes(server: Server) -> None:
    """`/healthz` and `/readyz` answer 200 without a key."""
    nobody = Client(server.client.address, "")
    assert {"status": "ok"} == nobody.get("/healthz")
    assert {"status": "ok"} == nobody.get("/readyz")


def test_not_ready(start: Start) -> None:
    """With less room on the disk than the setting wants, the process is alive, but not ready."""
    running = start(POSTLEDGER_MIN_FREE_BYTES=str(2**60)).launch()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            assert 200 == running.client.request("GET", "/healthz").status
            break
        except OSError:
            time.sleep(0.05)
    ready = running.client.request("GET", "/readyz")
    assert 503 == ready.status
    assert "min_free_bytes" in ready.json()["detail"]
    refused = running.client.post(lines(event()), Content_Type=NDJSON)
    assert 503 == refused.status
    assert int(refused.headers["retry-after"]) > 0
    assert [] == running.client.get("/ledger/v1/events")["events"]
    assert 0 == running.stop()


def figures(client: Client) -> dict[str, float]:
    answer = client.request("GET", "/metrics")
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    text = answer.body.decode()
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_metrics(start: Start) -> None:
    """The figures count requests, events, duplicates and rejects, and tell the store's size."""
    running = start().start()
    client = running.client
    client.store(event(1), event(2), event(1), {"type": "open"})
    client.post(b"{}")
    client.get(f"/ledger/v1/events?{ALL_TIME}")
    told = figures(client)
    assert 2 == told["postledger_events_total"]
    assert 1 == told["postledger_duplicates_total"]
    assert 2 == told["postledger_rejects_total"]
    route = 'method="POST",route="/ledger/v1/events"'
    assert 1 == told[f'postledger_requests_total{{{route},status="200"}}']
    assert 1 == told[f'postledger_requests_total{{{route},status="422"}}']
    assert 2 == told[f"postledger_request_seconds_count{{{route}}}"]
    assert 1 == told["postledger_insert_seconds_count"]
    assert 4 >= told["postledger_insert_events_sum"] >= 2
    assert 2 == told["postledger_store_events"]
    assert 1 <= told["postledger_store_parts"]
    assert 0 < told["postledger_store_bytes"]
    assert 0 == running.stop()


def test_unknown_paths_make_no_figures(client: Client) -> None:
    """Paths that nobody serves share one figure, so that they cannot fill the memory."""
    for number in range(5):
        client.request("GET", f"/nothing/{number}")
    assert not [name for name in figures(client) if "/nothing/" in name]


def test_log_lines(start: Start) -> None:
    """Each request is one line of JSON in the log, with route, status and time."""
    running = start().start()
    running.client.store(event(1))
    running.client.request("GET", "/ledger/v1/events/e000001?limit=secret")
    assert 0 == running.stop()
    log = [json.loads(line) for line in running.log.read_text().splitlines() if line[:1] == "{"]
    requests = [line for line in log if line["event"] == "request"]
    assert [("POST", 200), ("GET", 400)] == [(line["method"], line["status"]) for line in requests]
    assert all(line["ms"] >= 0 and line["timestamp"] and line["route"] for line in requests)


BODIES = (
    "/ledger/v1/events",
    "/ledger/v1/intake/sparkpost",
    "/ledger/v1/exports",
    "/api/v1/ingest/events",
    "/v5.1/events/download",
)


def test_a_client_that_goes_away(start: Start) -> None:
    """One that breaks off in the middle of its body is noted with 499, at every route that takes
    one, and is no failure."""
    running = start().start()
    key = running.client.key
    names = [f'method="POST",route="{path}",status="499"' for path in BODIES]
    for path in BODIES:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\napi_key: {key}\r\n"
            f"Content-Type: {NDJSON}\r\nContent-Length: 100\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", running.port), 30) as raw:
            raw.sendall(head.encode() + b'{"type": ')
    until = time.monotonic() + 30
    while running.log.read_text().count('"request"') < len(BODIES) and time.monotonic() < until:
        time.sleep(0.05)
    told = figures(running.client)
    assert [1] * len(BODIES) == [told.get(f"postledger_requests_total{{{n}}}") for n in names]
    assert 0 == running.stop()
    log = [json.loads(line) for line in running.log.read_text().splitlines() if line[:1] == "{"]
    assert len(BODIES) == [line.get("status") for line in log].count(499)
    assert [] == [line for line in log if line["level"] == "error"]


# -- it stops


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop(start: Start, number: signal.Signals) -> None:
    """On a signal, requests under way are answered, nothing is lost, and the status is 0."""
    running = start().start()
    client = running.client
    batch = [lines(*(event(400 * b + n, subject="s" * 500) for n in range(400))) for b in range(16)]
    answered: list[int] = []

    def send(number: int) -> None:
        try:
            answer = client.post(batch[number], Content_Type=NDJSON)
        except OSError:
            return  # refused: the server had stopped listening
        assert answer.status in {200, 503}
        if answer.status == 200:
            answered.append(number)

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(send, number) for number in range(16)]
        while len(answered) < 3:
            time.sleep(0.005)
        assert running.process is not None
        running.process.send_signal(number)
        assert 0 == running.process.wait(60), running.log.read_text()
        for future in futures:
            future.result()
    assert "Traceback" not in running.log.read_text()
    running.start()
    for each in answered:
        again = running.client.post(batch[each], Content_Type=NDJSON).json()
        assert (0, 400) == (again["accepted"], again["duplicates"])
    assert 0 == running.stop()


def test_a_request_under_way_finishes(start: Start) -> None:
    """A request whose body is still coming when the signal comes is answered all the same."""
    running = start().start()
    body = lines(*(event(number) for number in range(100)))
    head = (
        "POST /ledger/v1/events HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {running.client.key}\r\n"
        f"Content-Type: {NDJSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as raw:
        raw.sendall(head + body[:500])
        time.sleep(0.3)
        assert running.process is not None
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(OSError):  # noqa: PT011 -- refused or reset
            socket.create_connection(("127.0.0.1", running.port), timeout=5).close()
        raw.sendall(body[500:])
        answer = b""
        while chunk := raw.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"accepted":100' in answer
    assert 0 == running.stop()
    assert 100 == running.start().client.get(f"/ledger/v1/events?{ALL_TIME}&total=true")["total"]


def test_an_idle_connection_does_not_hold_it(start: Start) -> None:
    """A connection without a request does not keep the process from stopping."""
    running = start().start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30):
        began = time.monotonic()
        assert 0 == running.stop()
        assert time.monotonic() - began < 10


def test_a_new_start_has_all(start: Start) -> None:
    """What was stored is there after a stop and a start: events, feed, keys."""
    running = start().start()
    client = new_client(running)
    client.store(event(2), event(1))
    feed = client.get("/ledger/v1/feed")
    assert 0 == running.stop()
    running.start()
    again = Client(running.client.address, client.key)
    assert feed == again.get("/ledger/v1/feed")
    again.store(event(3), event(1))
    later = again.get(f"/ledger/v1/feed?after={feed['next']}")["events"]
    assert ["e000003"] == [e["event_id"] for e in later]
    assert 0 == running.stop()


# -- it does not start


def test_second_process(start: Start, tmp_path: Path) -> None:
    """A second process on the same store says that another has it, and the first goes on."""
    running = start().start()
    second = start(tmp_path / "second", POSTLEDGER_DATA_DIR=str(tmp_path / "data"))
    told = refusal(second)
    assert "another process uses the store" in told
    assert str(tmp_path / "data" / "events") in told
    assert 1 == running.client.store(event(1))["accepted"]
    assert 0 == running.stop()


def test_unknown_setting(start: Start) -> None:
    """An unknown setting is refused by name."""
    assert "POSTLEDGER_COLOUR" in refusal(start(POSTLEDGER_COLOUR="red"))


def test_bad_setting(start: Start) -> None:
    """A setting without sense is refused by name."""
    assert "readers" in refusal(start(POSTLEDGER_READERS="many"))


def test_foreign_directory(start: Start, tmp_path: Path) -> None:
    """A directory with something else in it is refused, and left as it is."""
    foreign = tmp_path / "data" / "events"
    foreign.mkdir(parents=True)
    (foreign / "photo.jpg").write_bytes(b"x")
    assert "not a Postledger store" in refusal(start())
    assert ["photo.jpg"] == [entry.name for entry in foreign.iterdir()]


def test_file_in_place_of_directory(start: Start, tmp_path: Path) -> None:
    """A file where the store should be is refused."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "events").write_text("x")
    assert "cannot be opened" in refusal(start())


def test_newer_schema(start: Start, tmp_path: Path) -> None:
    """A store that a newer Postledger wrote is refused, and said to be so."""
    running = start().start()
    running.client.store(event(1))
    assert 0 == running.stop()
    alter(tmp_path, "INSERT INTO postledger.migrations (version) VALUES (999)")
    told = refusal(running)
    assert "999" in told
    assert "newer Postledger" in told


def test_older_schema(start: Start, tmp_path: Path) -> None:
    """Its steps to the newest are in the log, since some take minutes; then all is there."""
    running = start().start()
    running.client.store(event(1))
    assert 0 == running.stop()
    alter(
        tmp_path,
        f"ALTER TABLE postledger.migrations DELETE WHERE version = {NEWEST} "
        "SETTINGS mutations_sync = 2",
    )
    running.start()
    log = [json.loads(line) for line in running.log.read_text().splitlines() if line[:1] == "{"]
    assert [NEWEST] == [line["schema"] for line in log if line["event"] == "upgrading_store"]
    (found,) = running.client.get("/ledger/v1/events?" + ALL_TIME)["events"]
    assert event(1).items() <= found.items()


def alter(directory: Path, statement: str) -> None:
    """What the engine does with the store of a server that has stopped."""
    program = (
        "import clickhouse_connect, sys\n"
        "client = clickhouse_connect.get_client(dsn=sys.argv[1])\n"
        "client.command(sys.argv[2])\nclient.close()\n"
    )
    place = f"chdb://{directory / 'data' / 'events'}"
    subprocess.run([sys.executable, "-c", program, place, statement], check=True)


def test_port_in_use(start: Start) -> None:
    """A port that is in use is named, and the store is left in order."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        server = start()
        assert port in refusal_at(server, port)
    assert 200 == server.start().client.request("GET", "/readyz").status
    assert 0 == server.stop()


def refusal_at(server: Server, port: str) -> str:
    """As `refusal`, on a port that is named."""
    command = [sys.executable, "-m", "postledger.cli", "serve", "--port", port]
    done = subprocess.run(
        command, env=server.environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert 1 == done.returncode
    assert "Traceback" not in done.stderr
    return next(line for line in done.stderr.splitlines() if line.startswith("postledger: "))


def test_first_start_shows_a_key(start: Start) -> None:
    """An empty store without a key in the settings gets one, and shows it once."""
    server = start(POSTLEDGER_API_KEY="")
    server.start()
    until = time.monotonic() + 30  # it is ready a moment before it says so
    while "Try it" not in (told := server.log.read_text()):
        assert time.monotonic() < until, told
        time.sleep(0.01)
    found = re.findall(r"pl_[0-9a-f]+_[\w-]+", told)
    client = Client(server.client.address, found[0])
    assert [] == client.get("/ledger/v1/events?limit=3")["events"]
    assert 0 == server.stop()
    server.start()
    assert told.count("pl_") == server.log.read_text().count("pl_")
    assert 0 == server.stop()


def test_an_address_of_ipv6(start: Start) -> None:
    """It is told in brackets, as it stands in a URL."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    running = start(POSTLEDGER_HOST="::1", POSTLEDGER_API_KEY="").launch()
    until = time.monotonic() + 30
    while "Try it" not in (told := running.log.read_text()):
        assert time.monotonic() < until, told
        time.sleep(0.01)
    url = f"http://[::1]:{running.port}"
    assert f'"address": "{url}"' in told
    assert f"listens on {url}\n" in told
    assert f'"{url}/ledger/v1/events?limit=3"' in told
    assert 0 == running.stop()


def test_a_second_signal_changes_nothing(start: Callable[..., Server]) -> None:
    """Who stops the server twice gets the same clean end."""
    running = start().start()
    running.client.store({"type": "open", "timestamp": "2026-11-20T09:30:00Z"})
    assert running.process is not None
    for _ in range(3):
        running.process.terminate()
    assert 0 == running.process.wait(30)
    assert "Traceback" not in running.log.read_text()
