"""What every answer has, and has not."""

import ast
import re
import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from conftest import Client, Server, keyring_of, new_client
from making import event
from postledger.http import auth
from postledger.state import keys
from postledger.state.keys import SCOPES, Keyring
from postledger.state.tables import open_state
from routes import ROUTES, Route, line, route

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
OURS = "default-src 'none'; frame-ancestors 'none'"


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    made = new_client(server, tuple(SCOPES))
    made.store(event(1))
    return made


def check(headers: dict[str, str]) -> None:
    assert SAFE.items() <= headers.items()
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert {"server", "x-powered-by", "access-control-allow-origin", "set-cookie"}.isdisjoint(
        headers
    )


@pytest.mark.parametrize("asked", ROUTES, ids=str)
def test_headers(asked: Route, client: Client) -> None:
    """Every route, with and without a key: no cache keeps an answer, no browser takes it for
    something else or runs anything in it, nothing tells what the server is made of."""
    for who in (client, Client(client.address, "")):
        with line(who) as asking:
            answer = asking.ask(
                asked, asked.at("e000001"), body=b"" if asked.method == "POST" else None
            )
        check(answer.headers)
        if asked.path != "/docs":
            assert OURS == answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/ledger/v1/nothing", "/v1/events/", "/api/v1/x"]
)
def test_headers_of_refusals(path: str, client: Client) -> None:
    """Where there is no route, and for methods that a route has not."""
    for method in ("GET", "DELETE", "OPTIONS", "TRACE", "HEAD"):
        check(client.request(method, path).headers)


class Loads(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "img", "iframe", "object", "embed", "base", "form"}:
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name in {"src", "style"} or name[:2] == "on"]


def test_the_page_of_the_description(client: Client) -> None:
    """`/docs` loads nothing and runs nothing, and says that to the browser."""
    answer = Client(client.address, "").request("GET", "/docs")
    page = Loads()
    page.feed(answer.body.decode())
    assert [] == page.found
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "'none'" == re.search(r"default-src ([^;]+)", policy)[1]  # type: ignore[index]


# -- keys


def test_a_key_ends_on_an_open_connection(server: Server) -> None:
    """A revoked key is refused on a connection that it opened, within a second, and an expired one
    from its moment on."""
    ring = keyring_of(server)
    until = datetime.now(UTC) + timedelta(seconds=1)
    expiring = Client(
        server.client.address, ring.create_key("default", ["events:read"], expires_at=until)[0]
    )
    revoked = new_client(server)
    feed = route("GET", "/ledger/v1/feed")
    with line(expiring) as first, line(revoked) as second:
        assert 200 == second.ask(feed, feed.path).status
        assert first.ask(feed, feed.path).status == 200 or datetime.now(UTC) > until
        ring.revoke(revoked.key.split("_")[1])
        time.sleep(max(1.05, (until - datetime.now(UTC)).total_seconds()))
        assert 401 == first.ask(feed, feed.path).status
        assert 401 == second.ask(feed, feed.path).status


def test_keys_are_compared_in_constant_time() -> None:
    """What is secret is compared by `hmac.compare_digest`, and with no operator."""
    tree = ast.parse(Path(keys.__file__).read_text(encoding="utf-8"))
    compared = [
        ast.unparse(each)
        for each in ast.walk(tree)
        if isinstance(each, ast.Compare)
        and any(isinstance(how, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for how in each.ops)
    ]
    assert [] == [text for text in compared if re.search("digest|secret|text|fixed", text)]
    assert 2 == sum(
        isinstance(each, ast.Call) and ast.unparse(each.func) == "hmac.compare_digest"
        for each in ast.walk(tree)
    )
    assert "==" not in Path(auth.__file__).read_text(encoding="utf-8")


def test_no_key_stays_in_memory(tmp_path: Path) -> None:
    """A keyring that has checked a key, good or bad, does not hold it, nor the key of the
    settings."""
    ring = Keyring(
        open_state(f"sqlite:///{tmp_path / 'state.sqlite3'}"), b"pepper", fixed_key="the-fixed-one"
    )
    ring.create_workspace("shop")
    text, _ = ring.create_key("shop", ["admin"])
    ring.authenticate(text)
    ring.create_workspace("default")
    ring.authenticate("the-fixed-one")
    held = repr(vars(ring))
    assert text not in held
    assert "the-fixed-one" not in held
    ring.store.dispose()


@pytest.mark.parametrize("text", ["pl_\0_x", "pl_" + "a" * 9999, "pl_'; --_x", "\ud7ff", "pl_%_x"])
def test_keys_that_are_none(text: str, tmp_path: Path) -> None:
    """What cannot be a key is not looked for; PostgreSQL would take a NUL for a mistake."""
    from postledger.errors import Unauthenticated

    ring = Keyring(open_state(f"sqlite:///{tmp_path / 'state.sqlite3'}"), b"pepper")
    with pytest.raises(Unauthenticated):
        ring.authenticate(text)
    ring.store.dispose()


def test_a_wrong_key_is_told_nothing(server: Server, client: Client) -> None:
    """A key of the right form that is unknown, one with the id of another and a wrong secret, a
    revoked one, and one of no form get the same answer."""
    ring = keyring_of(server)
    gone = new_client(server)
    ring.revoke(gone.key.split("_")[1])
    texts = ["pl_000000000000_x", client.key[:-1], gone.key, "x", client.key + "x"]
    answers = {
        (answer.status, answer.body, answer.headers["www-authenticate"])
        for text in texts
        for answer in [Client(client.address, text).request("GET", "/ledger/v1/feed")]
    }
    assert 1 == len(answers)
    assert {401} == {status for status, _, _ in answers}


def test_a_key_in_an_address_of_ours_is_none(client: Client) -> None:
    """Only where the original carries it so may a key stand in an address, which ends up in the
    logs of proxies."""
    connection = HTTPConnection(urlsplit(client.address).netloc, timeout=60)
    for path in ("/ledger/v1/feed", "/api/v1/events/message", "/v1/logs", "/v6/events"):
        for name in ("access_token", "api_key", "key", "token"):
            connection.request("GET", f"{path}?{name}={client.key}")
            answer = connection.getresponse()
            assert (401, True) == (answer.status, bool(answer.read()))
    connection.close()
