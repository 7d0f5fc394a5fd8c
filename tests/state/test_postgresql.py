"""Servers whose state lies in PostgreSQL: more than one, and one that loses it for a while."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import Answer, Client, Server, problem
from postledger.errors import StartError
from postledger.state import tables
from postledger.state.tables import open_state
from statestores import PostgreSQL

Start = Callable[..., Server]
EVERYTHING = "/ledger/v1/events?from=2026-01-01T00:00:00Z"
SOON = 60


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    """Where a new state store is."""
    return postgresql.database()


def key_of(server: Server, *scopes: str) -> Client:
    """A client of the server with a new key, made beside it by a command."""
    options = [word for scope in scopes for word in ("--scope", scope)]
    said = server.command("keys", "create", "--workspace", "default", *options)
    return Client(server.client.address, said.split()[-1])


def answers(client: Client, path: str, status: int) -> Answer:
    """What is answered with this status, as soon as it is."""
    until = time.monotonic() + SOON
    answer: Answer | None = None
    while (answer is None or answer.status != status) and time.monotonic() < until:
        with suppress(OSError):  # it is not up yet
            answer = client.request("GET", path)
        time.sleep(0.1)
    assert answer is not None
    assert status == answer.status, answer
    return answer


def test_everything_is_kept(start: Start, url: str) -> None:
    """Keys, options and exports are in it, and there after a restart."""
    server = start(POSTLEDGER_STATE=url).start()
    client = key_of(server, "events:write", "events:read", "exports:write", "exports:read")
    server.command("workspaces", "set", "default", "timezone", "Europe/Warsaw")
    client.store({"type": "delivery", "timestamp": "2026-11-20T12:00:00Z", "event_id": "e"})
    begun = client.post(b'{"format": "csv", "name": "daily"}', "/ledger/v1/exports").json()
    file = f"/ledger/v1/exports/{begun['id']}/file"
    written = answers(client, file, 200).body
    assert server.stop() == 0

    server.start()
    client = Client(server.client.address, client.key)
    assert written == client.request("GET", file).body
    assert ["e"] == [event["event_id"] for event in client.get(EVERYTHING)["events"]]
    assert "Europe/Warsaw" in server.command("workspaces", "show", "default")
    assert server.stop() == 0


def test_two_at_once(start: Start, url: str, tmp_path: Path) -> None:
    """Two servers that share one from its first moment: what one makes, the other knows."""
    shared = {"POSTLEDGER_STATE": url, "POSTLEDGER_SECRET": "pepper"}
    one, two = (start(tmp_path / name, **shared).launch() for name in "ab")
    for server in (one, two):
        answers(server.client, "/readyz", 200)
    client = key_of(one, "events:read")
    client.get("/ledger/v1/events")
    Client(two.client.address, client.key).get("/ledger/v1/events")


def test_it_is_away(start: Start, postgresql: PostgreSQL, url: str) -> None:
    """While it cannot be reached a request gets a 503 that says so, and nothing of the address; the
    key of the settings goes on. Afterwards all is well by itself."""
    server = start(POSTLEDGER_STATE=url).start()
    client = key_of(server, "events:read")
    client.get(EVERYTHING)
    postgresql.stop()
    try:
        said = problem(answers(client, EVERYTHING, 503), 503)
        assert "state store" in said["detail"]
        assert "s3cret" not in server.log.read_text()
        for answer in (said, problem(server.client.request("GET", "/readyz"), 503)):
            assert "the state store failed: OperationalError" == answer["detail"]
        assert "state_store_away" in server.log.read_text()
        server.client.get(EVERYTHING)
    finally:
        postgresql.start()
    answers(client, EVERYTHING, 200)
    answers(client, "/readyz", 200)
    assert server.stop() == 0


def test_it_says_nothing(start: Start, postgresql: PostgreSQL, url: str) -> None:
    """While it keeps those waiting who need it, others are answered."""
    server = start(POSTLEDGER_STATE=url).start()
    unknown = Client(server.client.address, "pl_0123456789ab_x")
    problem(unknown.request("GET", EVERYTHING), 401)
    with ThreadPoolExecutor(11) as threads:
        with postgresql.silent():
            asked = threads.submit(unknown.request, "GET", EVERYTHING)
            exports = [threads.submit(server.client.get, "/ledger/v1/exports") for _ in range(10)]
            for path in ("/healthz", EVERYTHING):
                server.client.get(path)
            stored = server.client.post(b"\n" * 100_000, Content_Type="application/x-ndjson")
            assert stored.status == 200
            assert not asked.done()
        problem(asked.result(), 401)
        assert all(each.result() == {"exports": []} for each in exports)


def test_it_is_not_there(start: Start, postgresql: PostgreSQL, url: str) -> None:
    """A server that does not find it says so in a sentence, without the password."""
    server = start(POSTLEDGER_STATE=url.replace("/test", "/none"))
    said = server.command("serve", "--port", "0", status=1)
    assert "the state store cannot be opened" in said
    assert "s3cret" not in said
    assert "Traceback" not in said
    said = server.command("doctor", status=1)
    assert "error    keys: the state store cannot be opened" in said
    assert "s3cret" not in said


def test_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes a connection and says nothing is not waited for longer than it may be silent;
    the URL may say how long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/db"
        with pytest.raises(StartError, match="timeout"):
            open_state(url + "?connect_timeout=2")
        monkeypatch.setitem(tables._PATIENCE, "connect_timeout", "2")
        with pytest.raises(StartError, match="timeout"):
            open_state(url)
