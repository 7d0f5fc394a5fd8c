"""What a server writes down: no key, no address, nothing of an event, whatever happens; and for
whom its files are."""

import gzip
import json
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import structlog
from clickhouse_connect.driver.exceptions import DatabaseError

from conftest import Client, Server, free_port, keyring_of, new_client
from making import event
from postledger import cli
from postledger.errors import StoreUnavailable
from postledger.http import traces
from postledger.settings import load
from postledger.state import tables
from postledger.state.keys import SCOPES
from postledger.store.engine import translated
from routes import ROUTES, line

MARK = "zqmarkzq"
"""A part of everything that a request has and a log has not."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that logs all it can, with files that a careless umask would open to all."""
    before = os.umask(0)
    try:
        running = Server(
            tmp_path_factory.mktemp("watched"),
            {"POSTLEDGER_LOG_LEVEL": "debug", "POSTLEDGER_LOG_FORMAT": "json"},
        ).start()
    finally:
        os.umask(before)
    yield running
    assert running.stop() == 0, running.log.read_text()


def everything(client: Client) -> None:
    """Requests of all kinds, good and bad, with the mark wherever it can stand."""
    marked = {"subject": MARK, "rcpt_meta": {MARK: MARK}, "reason": MARK, "rcpt_tags": [MARK]}
    client.store(event(1, rcpt_to=f"{MARK}@x.example", message_id=f"{MARK}1", **marked))
    client.store(event(2, type="bounce", rcpt_to=f"{MARK}@x.example", **marked))
    nobody = Client(client.address, f"pl_000000000000_{MARK}")
    for who in (client, nobody):
        with line(who) as asking:
            for route in ROUTES:
                pairs = dict.fromkeys(route.parameters, MARK)
                body = f'{{"{MARK}": "{MARK}"}}'.encode() if route.method == "POST" else None
                headers = {"User-Agent": MARK, "Referer": f"http://{MARK}/", "Cookie": MARK}
                asking.ask(route, route.at(MARK), pairs, headers, body)
                asking.ask(route, route.at(MARK), {}, headers, body)
    odd(client)


def odd(client: Client) -> None:
    """Requests that fail before they reach a handler, or in the middle of it."""
    path = "/ledger/v1/events"
    client.request("POST", path, gzip.compress(MARK.encode())[:-9], {"Content-Encoding": "gzip"})
    client.request("POST", path, MARK.encode(), {"Content-Encoding": MARK})
    client.request("POST", path, b'{"type": "%b"}' % MARK.encode(), {"Content-Type": MARK})
    client.request("GET", f"/{MARK}/{quote(MARK)}?{MARK}={MARK}")
    client.request("PUT", f"/v1/events/email/{MARK}@x.example?access_token={client.key}")
    parts = urlsplit(client.address)
    for head in (
        f"GET /\xff{MARK}",
        f"{MARK} / HTTP/1.1",
        f"GET /{MARK} HTTP/9.9",
        f"GET /{MARK}",
        f"GET /{MARK} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: {MARK}",
    ):
        with socket.create_connection((parts.hostname, parts.port), 60) as connection:
            connection.sendall(f"{head}\r\nHost: {MARK}\r\n\r\n".encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)


def test_the_log_has_nothing_of_requests(watched: Server) -> None:
    """Neither keys nor addresses nor what events and parameters say, at level debug, after requests
    of all kinds to all routes."""
    client = new_client(watched, tuple(SCOPES))
    everything(client)
    client.get("/healthz")
    log = watched.log.read_text()
    assert '"route": "/healthz"' in log
    assert len(ROUTES) < log.count('"event": "request"')
    assert [] == [row for row in log.splitlines() if MARK in row.lower()]
    secret = client.key.split("_", 2)[2]
    assert [] == [row for row in log.splitlines() if secret in row or "x.example" in row]


def test_every_line_is_of_ours(watched: Server) -> None:
    """Each line of the log is a JSON object, also after what is no HTTP, or an offer of another
    protocol, and neither makes a line of a library."""
    odd(new_client(watched))
    for row in watched.log.read_text().splitlines():
        told = json.loads(row)
        assert {"event", "level", "timestamp"} <= told.keys()
        assert "library" != told["event"]


# -- files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_for_their_owner(watched: Server) -> None:
    """Whatever the umask that a server is started with: secret, keys, journal, events and exports
    can be read by its user only."""
    client = new_client(watched, tuple(SCOPES))
    client.store(event(1))
    client.post(b'{"format": "csv"}', "/ledger/v1/exports")
    client.get("/ledger/v1/feed")
    data = watched.directory / "data"
    assert 0o700 == mode(data)
    found = [path for path in data.rglob("*") if path.exists()]
    names = {path.name for path in found}
    assert {"secret", "state.sqlite3", "journal", "owner", "postledger.json"} <= names
    assert [] == [path for path in found if mode(path) & 0o077]


def test_keys_that_are_made_before_a_server(tmp_path: Path) -> None:
    """A state store that is made by a command is for its owner too; one that is there stays."""
    before = os.umask(0)
    try:
        path = tmp_path / "state.sqlite3"
        tables.open_state(f"sqlite:///{path}").dispose()
        assert 0o600 == mode(path)
        path.chmod(0o640)
        tables.open_state(f"sqlite:///{path}").dispose()
        assert 0o640 == mode(path)
    finally:
        os.umask(before)


def test_doctor_looks_at_modes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`postledger doctor` warns of a secret or a state store that others can read, and of nothing
    when they cannot."""
    arguments = ["doctor", "--data-dir", str(tmp_path), "--url", f"http://127.0.0.1:{free_port()}"]
    for name in ("secret", "state.sqlite3"):
        (tmp_path / name).touch(0o600)
    cli.main(arguments)
    assert "can be read" not in capsys.readouterr().out
    (tmp_path / "secret").chmod(0o640)
    cli.main(arguments)
    said = capsys.readouterr().out
    assert "warning  files: secret can be read by other users of this machine" in said
    assert f"chmod -R go= {tmp_path}" in said


# -- failures


def fail() -> None:
    address = f"{MARK}@x.example"
    nothing: dict[str, int] = {}
    try:
        nothing[address] += 1
    except KeyError as error:
        raise ValueError(f"not {address}") from error


def failure() -> Exception:
    try:
        fail()
    except ValueError as error:
        return error
    raise AssertionError


def test_a_failure_is_told_without_its_words() -> None:
    """Kinds and places of it and of its cause are told, neither messages nor values."""
    told = traces.told(failure())
    assert MARK not in told
    assert told.index("builtins.KeyError") < told.index("builtins.ValueError")
    assert "test_log_hygiene.py" in told
    assert told.startswith("Traceback ")  # which other tests look for
    group = ExceptionGroup(MARK, [failure(), OSError(MARK)])
    assert MARK not in traces.told(group)
    assert "builtins.KeyError" in traces.told(group)
    assert "builtins.FileNotFoundError (ENOENT)" == traces.told(FileNotFoundError(2, MARK))


@pytest.mark.parametrize("form", ["json", "console"])
def test_failures_in_the_log(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line about a failure has its places, in both forms of the log, and no values: also a
    terminal gets no local variables."""
    from postledger.http.server import configure_logs

    configure_logs(load({}, overrides={"log_format": form}))
    try:
        structlog.get_logger().error("failed", route="/x", exc_info=failure())
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "test_log_hygiene.py" in said
    assert MARK not in said


@pytest.mark.parametrize("form", ["json", "console"])
def test_records_of_libraries(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What other libraries log is a line of our log in both forms, cut to its first line, and their
    failures are told as ours."""
    from postledger.http.server import configure_logs

    logger = logging.Logger("uvicorn")  # noqa: LOG001 -- it is to leave nothing behind
    logger.addHandler(traces.Lines())
    configure_logs(load({}, overrides={"log_format": form}))
    try:
        logger.error("It failed\nfuture: %s", MARK, exc_info=failure())
        logger.warning("It may")
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert MARK not in said
    assert "test_log_hygiene.py" in said
    if form == "json":
        told = [json.loads(row) for row in said.splitlines()]
        shown = [(row["level"], row["name"], row["message"]) for row in told]
        assert [("error", "uvicorn", "It failed"), ("warning", "uvicorn", "It may")] == shown


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            DatabaseError(
                f"Code: 27. DB::Exception: Cannot parse '{MARK}' at /var/{MARK}",
                code=27,
                name="CANNOT_PARSE",
            ),
            "the store failed: CANNOT_PARSE, code 27",
        ),
        (
            DatabaseError(
                f"Cannot open file /var/{MARK}, errno: 13, strerror: Permission denied: {MARK}",
                code=76,
                name="CANNOT_OPEN_FILE",
            ),
            "the store failed: CANNOT_OPEN_FILE, code 76, Permission denied",
        ),
        (DatabaseError(MARK), "the store failed: DatabaseError"),
    ],
)
def test_the_engine_is_not_quoted(error: Exception, said: str) -> None:
    """A failure of the engine has its name and the system's, not what it says: that goes to clients
    and to the log."""
    with pytest.raises(StoreUnavailable) as found, translated():
        raise error
    assert said == str(found.value)


def test_the_state_store_does_not_quote_values(tmp_path: Path) -> None:
    """A failure of its database does not have the values of the statement in it."""
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    engine = tables.open_state(f"sqlite:///{tmp_path / 'state.sqlite3'}")
    with pytest.raises(SQLAlchemyError) as found, engine.connect() as connection:
        connection.execute(text("SELECT :value FROM nothing"), {"value": MARK})
    assert MARK not in str(found.value)
    engine.dispose()


def test_a_key_is_nowhere_on_the_disk(watched: Server) -> None:
    """The data directory has no key in it, of those that were made and used."""
    client = new_client(watched)
    client.store(event(1))
    keyring_of(watched)
    secret = client.key.split("_", 2)[2].encode()
    found: Callable[[Path], bool] = lambda path: secret in path.read_bytes()  # noqa: E731
    data = watched.directory / "data"
    assert [] == [path for path in data.rglob("*") if path.is_file() and found(path)]
