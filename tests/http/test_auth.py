"""Keys and scopes: section 2 of the native contract; and the shape of what goes wrong."""

import re
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from http.client import HTTPConnection
from urllib.parse import quote

import pytest

from conftest import Client, Server, keyring_of, new_client, problem
from making import NDJSON, event, lines
from postledger.http.description import document
from postledger.state.keys import SCOPES

ROUTES = {
    (method.upper(), path): operation
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
}
OPEN = {path for (_, path), operation in ROUTES.items() if operation.get("security") == []}
CLOSED = [(method, path) for method, path in ROUTES if path not in OPEN]
OURS = [(method, path) for method, path in CLOSED if path.startswith("/ledger/")]


def ask(client: Client, method: str, path: str, **headers: str) -> int:
    """The status of a request; an error of ours has the right shape."""
    place = re.sub("{event_id}", "e000001", path)
    place = re.sub(r"{\w+}", "m", place)
    if {"smtpeter": []} in ROUTES[method, path].get("security", ()):
        place += f"?access_token={quote(client.key)}"
    body = lines(event(1)) if method == "POST" else None
    given = {"Content-Type": NDJSON} | headers
    answer = client.request(method, place, body, given)
    if answer.status >= 400 and path.startswith("/ledger/"):
        problem(answer, answer.status)
    if answer.status == 401:
        assert answer.headers["www-authenticate"]
    return answer.status


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_key_is_needed(server: Server, method: str, path: str) -> None:
    """Every route but the open ones asks for a key, and refuses one that it does not know."""
    nobody = Client(server.client.address, "")
    assert 401 == ask(nobody, method, path)
    for header in ("Bearer", "Bearer ", "Bearer wrong", "Bearer pl_000000000000_x",
                   "Bearer ä", "Token a-key-for-tests", "Basic a-key-for-test", "wrong",
                   "Bearer pl__"):  # fmt: skip
        assert 401 == ask(nobody, method, path, Authorization=header.encode().decode("latin-1"))


@pytest.mark.parametrize(
    "path", ["/ledger/v1/events", "/ledger/v1/exports", "/v5.1/events/download"]
)
def test_a_key_behind_the_body(server: Server, path: str) -> None:
    """A key in a trailer of a chunked body is none."""
    key = f"Authorization: Bearer {server.client.key}\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(f"{head}2\r\n[]\r\n0\r\n{key}\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ledger/v1/events"),
        ("GET", "/ledger/v1/events"),
        ("POST", "/ledger/v1/intake/sparkpost"),
        ("GET", "/api/v1/events/message"),
    ],
)
def test_two_keys(server: Server, method: str, path: str) -> None:
    """Of two keys in one request the first counts, at every route."""
    for keys in ((server.client.key, "wrong"), ("wrong", server.client.key)):
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            connection.putrequest(method, path)
            for key in keys:
                connection.putheader("Authorization", f"Bearer {key}")
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            assert (401 == connection.getresponse().status) == (keys[0] == "wrong")


@pytest.mark.parametrize("path", sorted(OPEN))
def test_open_routes(server: Server, path: str) -> None:
    """The routes that tell of the process, and those that only explain, need no key."""
    path = path.replace("{workspaceId}", "any")
    assert 200 == Client(server.client.address, "").request("GET", path).status


@pytest.fixture(scope="module")
def holder(server: Server) -> Callable[..., Client]:
    """Gives a client whose key has these scopes and no other, always the same one."""
    return cache(lambda *scopes: new_client(server, scopes))


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_scope_is_needed(holder: Callable[..., Client], method: str, path: str) -> None:
    """A key without the scope of a route is refused; one with it, or with `admin`, is not."""
    found = re.search(r"scope (\w+:\w+)", ROUTES[method, path]["description"])
    assert found, path
    right = found[1]
    others = (scope for scope in SCOPES if scope not in {right, "admin"})
    assert 403 == ask(holder(*others), method, path)
    assert 403 not in {ask(holder(scope), method, path) for scope in (right, "admin")}


def test_the_missing_scope_is_named(server: Server) -> None:
    """A refusal names the scope that is missing."""
    answer = new_client(server, ("events:write",)).request("GET", "/ledger/v1/events")
    assert "events:read" in problem(answer, 403)["detail"]


def test_the_scheme_in_any_case(server: Server) -> None:
    """`bearer` may be written in any case."""
    nobody = Client(server.client.address, "")
    assert 200 == ask(nobody, "GET", "/ledger/v1/events", Authorization="bearer a-key-for-tests")


def test_the_key_as_sparkpost_carries_it(server: Server) -> None:
    """SparkPost's route takes the key bare, as a Basic user, as AccessKey and as Bearer."""
    nobody = Client(server.client.address, "")
    key = new_client(server).key
    basic = b64encode(f"{key}:".encode()).decode()
    for header in (key, f"Basic {basic}", f"AccessKey {key}", f"Bearer {key}"):
        assert 401 != ask(nobody, "POST", "/api/v1/ingest/events", Authorization=header)
    assert 401 == ask(nobody, "GET", "/ledger/v1/events", Authorization=key)


def test_revoked(server: Server) -> None:
    """A key that is revoked beside the running server works no longer than about a second."""
    client = new_client(server)
    assert 200 == ask(client, "GET", "/ledger/v1/events")
    keyring_of(server).revoke(client.key.split("_")[1])
    time.sleep(1.1)
    assert 401 == ask(client, "GET", "/ledger/v1/events")


def test_expired(server: Server) -> None:
    """A key works until it expires. How long a slow machine takes to ask is not known before."""
    for seconds in (1.5, 15):
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        text, _ = keyring_of(server).create_key("default", ["events:read"], expires_at=until)
        client = Client(server.client.address, text)
        status = ask(client, "GET", "/ledger/v1/events")
        if datetime.now(UTC) < until:
            break
    assert 200 == status
    time.sleep((until - datetime.now(UTC)).total_seconds() + 0.1)
    assert 401 == ask(client, "GET", "/ledger/v1/events")


def test_no_key_in_the_log(server: Server) -> None:
    """The log has neither keys nor addresses nor payloads."""
    client = new_client(server)
    client.store(event(1, rcpt_to="secret.person@x.example"))
    client.get("/ledger/v1/events?recipient=secret.person@x.example")
    client.request("GET", "/ledger/v1/events?limit=secret.person")
    log = server.log.read_text()
    assert "/ledger/v1/events" in log
    assert client.key not in log
    assert "secret.person" not in log


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/ledger/v1/nothing", 404), ("GET", "/", 404), ("DELETE", "/ledger/v1/events", 405),
     ("POST", "/ledger/v1/feed", 405), ("GET", "/ledger/v1/intake/sparkpost", 405),
     ("GET", "/ledger/v1/events?x=%FF", 400), ("GET", "/ledger/v1/events?limit=x", 400)],
)  # fmt: skip
def test_other_refusals(client: Client, method: str, path: str, status: int) -> None:
    """An unknown path, a wrong method and a wrong parameter get problem documents too."""
    problem(client.request(method, path), status)


def test_headers_of_every_answer(client: Client) -> None:
    """No answer is kept by a cache, or taken for another type than it says."""
    for path in ("/ledger/v1/events", "/ledger/v1/nothing", "/docs"):
        headers = client.request("GET", path).headers
        assert "nosniff" == headers["x-content-type-options"]
        assert "no-store" == headers["cache-control"]
