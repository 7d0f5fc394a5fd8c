"""A store and a server for tests: the real engine, in real processes.

One process holds one embedded store, so tests that need one run it in a process of its own: the
server, over a real socket. `server` is shared by the tests of a worker, each with a workspace of
its own; `start` gives one that a test may break.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

import faulting
from forked import Forked, run

settings.register_profile("ours", deadline=None)  # a machine that is busy is no failure
settings.load_profile("ours")

pytest_plugins = ["statestores"]

MASTER = "a-key-for-tests"
_NAMES = count(1)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """What a test says to a server with one key."""

    address: str
    key: str = MASTER

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        given = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        request = urllib.request.Request(
            self.address + path, body, given | (headers or {}), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), error.read())

    def get(self, path: str) -> Any:
        answer = self.request("GET", path)
        assert answer.status == 200, answer
        return answer.json()

    def post(self, body: bytes, path: str = "/ledger/v1/events", **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, {"Content-Type": "application/json"} | given)

    def store(self, *events: dict[str, Any]) -> dict[str, Any]:
        """Store events as lines; what the server says of them."""
        body = b"\n".join(json.dumps(event).encode() for event in events)
        answer = self.post(body, Content_Type="application/x-ndjson")
        assert answer.status == 200, answer
        result: dict[str, Any] = answer.json()
        return result

    def pages(self, path: str) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list to its end."""
        following = ""
        while following is not None:
            joint = "&" if "?" in path else "?"
            page = self.get(path + (f"{joint}cursor={following}" if following else ""))
            yield page["events"]
            following = page["next"]


@dataclass
class Server:
    """A server process. `env` wins over the test's own settings. `fresh`: started from nothing, not
    forked."""

    directory: Path
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | Forked | None = None
    port: int = 0
    fresh: bool = False

    @property
    def client(self) -> Client:
        return Client(f"http://127.0.0.1:{self.port}")

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("POSTLEDGER_")}
        ours = {
            "POSTLEDGER_DATA_DIR": str(self.directory / "data"),
            "POSTLEDGER_API_KEY": MASTER,
            "POSTLEDGER_MIN_FREE_BYTES": "0",
        }
        return clean | ours | self.env

    def launch(self, *options: str) -> "Server":
        """Start without waiting."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self.port = free_port()
        command = ["serve", "--port", str(self.port), *options]
        if self.fresh:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "postledger.cli", *command],
                    env=self.environment(),
                    stdout=log,
                    stderr=log,
                )
        else:
            self.process = Forked(command, self.environment(), self.log)
        return self

    def start(self, *options: str) -> "Server":
        """Start and wait until it is ready."""
        self.launch(*options)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.client.request("GET", "/readyz").status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def command(self, *words: str, status: int = 0) -> str:
        """What a command says, with the settings of this server."""
        done, said = run(words, self.environment())
        assert status == done, said
        return said

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this worker."""
    running = Server(tmp_path_factory.mktemp("server"), fresh=True).start()
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(scope="session")
def keyring(server: Server) -> Any:
    """The keyring of `server`, beside it, as the command line opens it."""
    return keyring_of(server)


@pytest.fixture
def client(server: Server, keyring: Any) -> Client:
    """A client of `server` with a workspace of its own."""
    workspace = f"test-{os.getpid()}-{next(_NAMES)}"
    keyring.create_workspace(workspace)
    key, _ = keyring.create_key(workspace, ["events:read", "events:write"])
    return Client(server.client.address, key)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers that a test may break; what still runs at its end is stopped."""
    started: list[Server] = []

    def start_one(directory: Path = tmp_path, **env: str) -> Server:
        started.append(Server(directory, env))
        return started[-1]

    yield start_one
    for running in started:
        if running.process is not None and running.process.poll() is None:
            running.kill()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A store without a server around it (`asking.Store`)."""
    from asking import opened

    with opened(str(tmp_path_factory.mktemp("store"))) as one:
        yield one


LONG = ("tests/store/", "tests/faults/", "tests/test_benchmarks.py", "tests/test_warehouse.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[faulting.Tally]:
    """What this test of faults counts."""
    with faulting.counted(request.node.path.stem, request.node.name) as made:
        yield made


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the tests of faults have counted, in one table at the end."""
    if faulting.TALLIES:
        terminalreporter.section("faults")
        for line in faulting.report():
            terminalreporter.write_line(line)


# -- what tests of the HTTP interface share


@pytest.fixture(scope="session")
def inserting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As `server`, but each body is inserted on its own, as otherwise only large ones are."""
    directory = tmp_path_factory.mktemp("inserting")
    running = Server(directory, {"POSTLEDGER_SMALL_BODY_BYTES": "0"}).start()
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(params=["journal", "insert"])
def either(request: pytest.FixtureRequest) -> Client:
    """A client with a workspace of its own, once on each of the two ways into the store."""
    way = "server" if request.param == "journal" else "inserting"
    running: Server = request.getfixturevalue(way)
    return new_client(running)


def new_client(
    running: Server, scopes: tuple[str, ...] = ("events:read", "events:write"), workspace: str = ""
) -> Client:
    """A client of a running server, with a workspace of its own unless one is named."""
    ring = keyring_of(running)
    if not workspace:
        workspace = f"test-{os.getpid()}-{next(_NAMES)}"
        ring.create_workspace(workspace)
    key, _ = ring.create_key(workspace, scopes)
    return Client(running.client.address, key)


def keyring_of(running: Server) -> Any:
    """The keyring of a server, beside it, as the command line opens it."""
    return _keyring(running.environment()["POSTLEDGER_DATA_DIR"])


@cache
def _keyring(data_dir: str) -> Any:
    from postledger.settings import load
    from postledger.state.keys import open_keyring

    return open_keyring(load({}, overrides={"data_dir": data_dir}))


def problem(answer: Answer, status: int) -> dict[str, Any]:
    """The problem document of an answer, its shape checked: RFC 9457, contract section 2."""
    assert status == answer.status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert status == document["status"]
    assert {"type", "title", "status", "detail"} <= document.keys()
    assert all(document[name] for name in ("type", "title", "detail"))
    for error in document.get("errors", ()):
        assert error["message"]
        assert error.keys() <= {"message", "parameter", "index", "field"}
    return document
