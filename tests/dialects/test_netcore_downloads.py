"""Netcore's Download Logs: a file of what the pages have. Contract netcore.md, section 6."""

import csv
import gzip
import hashlib
import io
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Answer, Client, Server, keyring_of, new_client
from making import event
from postledger.dialects import netcore
from postledger.dialects.netcore.render import Row
from postledger.dialects.netcore.tables import COLUMNS, DOWNLOADS, MOST_ROWS
from postledger.dialects.wire import Call
from postledger.errors import BadInput
from test_netcore import NOW, error

SCOPES = ("events:read", "events:write", "exports:read", "exports:write")
V51, V6 = DOWNLOADS
RANGE = {"startdate": "2026-11-01", "enddate": "2026-11-08"}
GZIP = {"Content_Encoding": "gzip"}


@pytest.fixture
def client(server: Server) -> Client:
    return new_client(server, SCOPES)


def order(client: Client, path: str = V51, **asked: Any) -> str:
    """Order a file; its address."""
    answer = client.post(json.dumps(RANGE | asked).encode(), path)
    assert 202 == answer.status, answer
    place: dict[str, str] = answer.json()["data"]
    assert f"{path}/{place['download_id']}" == place["download_url"]
    return place["download_url"]


def load(client: Client, url: str, **headers: str) -> Answer:
    """The answer of an address once it is more than: not ready."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = client.request("GET", url, None, headers)
        if answer.status != 409:
            return answer
        assert "not ready" in error(answer, 409)["error"][0]["description"]
        assert "1" == answer.headers["retry-after"]
        time.sleep(0.02)
    raise AssertionError(url)


def rows(answer: Answer) -> list[dict[str, str]]:
    assert 200 == answer.status, answer
    assert "text/csv; charset=utf-8" == answer.headers["content-type"]
    assert len(answer.body) == int(answer.headers["content-length"])
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


def pages(client: Client, path: str, limit: int, /, **asked: Any) -> list[dict[str, str]]:
    """The rows of all pages, their columns as text."""
    found: list[dict[str, str]] = []
    token: dict[str, str] = {}
    while True:
        query = urlencode(RANGE | asked | {"limit": limit} | token, doseq=True)
        page = client.get(f"{path.removesuffix('/download')}?{query}")
        found += [{name: str(row[name]) for name in COLUMNS} for row in page["data"]]
        if not page["scrollid"]:
            assert page["totalRecords"] == len(found)
            return found
        token = {"scrollid": page["scrollid"]}


def job(client: Client, url: str) -> Any:
    return client.get(f"/ledger/v1/exports/{url.rpartition('/')[2]}")


SUBJECTS = ['a "b", c', "two\r\nlines", "tab\t, \u2028 ż \U0001f4a9", "", " =1+1 ", "'"]
KINDS = [
    "injection",
    "delivery",
    "bounce",
    "open",
    "click",
    "list_unsubscribe",
    "generation_failure",
]


def varied(count: int) -> list[dict[str, Any]]:
    """Events of messages to several recipients, in all kinds of states and hands."""
    return [
        event(
            number,
            event_id=f"e{number}",
            type=KINDS[(number * 5 + number // 7) % len(KINDS)],
            message_id=f"m{number % 23}",
            rcpt_to=f"r{number % 3}@x.example",
            timestamp=f"2026-11-0{1 + number % 23 % 9}T08:{number % 60:02}:00.5Z",
            bounce_class=(10, 22)[number % 2],
            subject=SUBJECTS[number % len(SUBJECTS)],
            friendly_from="Shop <news@shop.example>",
            rcpt_tags=["a,b", "c"][: number % 3],
            msg_size=number,
            smtp_response='250 "ok";',
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def filled(server: Server) -> Client:
    """A client of a workspace with such events, which tests leave as they are."""
    made = new_client(server, SCOPES)
    made.store(*varied(150))
    return made


@pytest.mark.parametrize("path", DOWNLOADS)
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"sort": "asc"},
        {"sort": "desc"},
        {"events": "total_opened"},
        {"events": ["sent", "bounce"]},
        {"email": "R1@x.example", "subject": "LINES"},
        {"enddate": "2026-11-03", "fromaddress": "news@shop.example"},
        {"email": "nobody@x.example"},
    ],
    ids=str,
)
def test_the_rows_of_all_pages(filled: Client, path: str, asked: dict[str, Any]) -> None:
    """A file has the rows of all pages of the same question, in the same order."""
    expected = pages(filled, path, 40, **asked)
    answer = load(filled, order(filled, path, **asked))
    assert expected == rows(answer)
    assert ",".join(COLUMNS).encode() + b"\r\n" == answer.body.splitlines(keepends=True)[0]
    assert bool(expected) == (asked.get("email") != "nobody@x.example")


def test_a_file_of_several_pages(client: Client) -> None:
    """More rows than the largest page has are all there, each once, equal times too."""
    count = 2 * MOST_ROWS + 3
    made = [
        event(
            n,
            event_id=f"e{n}",
            type="injection",
            message_id=f"m{n:05}",
            rcpt_to="ann@x.example",
            timestamp=f"2026-11-02T08:{n // 1000:02}:00Z",
        )
        for n in range(count)
    ]
    client.store(*made)
    for sort in ("asc", "desc"):
        url = order(client, sort=sort)
        found = rows(load(client, url))
        assert pages(client, V51, MOST_ROWS, sort=sort) == found
        assert count == len({row["trid"] for row in found})
        told = job(client, url)
        assert ("done", count, count) == (told["status"], told["rows"], told["rows_total"])


def test_a_file_is_an_export(client: Client) -> None:
    """It is in the list of exports, with its checksum; parts of it can be fetched; once removed it
    is not found."""
    client.store(*varied(20))
    url = order(client)
    whole = load(client, url)
    told = job(client, url)
    assert hashlib.sha256(whole.body).hexdigest() == told["sha256"]
    assert f'"{told["sha256"]}"' == whole.headers["etag"]
    assert whole.body == client.request("GET", told["download_url"]).body
    assert f'filename="logs-{told["id"]}.csv"' in whole.headers["content-disposition"]
    part = load(client, url, Range="bytes=5-99")
    assert (206, whole.body[5:100]) == (part.status, part.body)
    error(load(client, url, Range="bytes=99999999-"), 416)
    assert 304 == load(client, url, **{"If-None-Match": whole.headers["etag"]}).status
    assert 204 == client.request("DELETE", f"/ledger/v1/exports/{told['id']}").status
    error(client.request("GET", url), 404)


def test_an_export_is_no_file_of_logs(client: Client) -> None:
    """An export of events is not found here."""
    made = client.post(b'{"format":"csv"}', "/ledger/v1/exports").json()
    error(client.request("GET", f"{V51}/{made['id']}"), 404)


def test_who_may(server: Server, client: Client) -> None:
    """Ordering needs exports:write, fetching exports:read; another workspace finds nothing."""
    client.store(*varied(5))
    url = order(client)
    assert 5 == len(rows(load(client, url)))
    error(new_client(server, SCOPES).request("GET", url), 404)
    workspace = keyring_of(server).authenticate(client.key).workspace
    reader = new_client(server, ("events:read", "exports:read"), workspace)
    assert 200 == reader.request("GET", url).status
    error(reader.post(json.dumps(RANGE).encode(), V51), 403)
    error(new_client(server, ("events:read",), workspace).request("GET", url), 403)
    other = new_client(server, SCOPES)
    assert [] == rows(load(other, order(other)))
    for carried in ({"api_key": client.key}, {"Authorization": f"x-api-key {client.key}"}):
        assert 200 == Client(client.address, "").request("GET", url, None, carried).status


def test_the_time_zone_of_the_order(server: Server) -> None:
    """Days and times of a file are those of the account."""
    ring = keyring_of(server)
    ring.create_workspace("netcore-file")
    ring.set_option("netcore-file", "timezone", "Asia/Tokyo")
    client = new_client(server, SCOPES, "netcore-file")
    client.store(*varied(60))
    found = rows(load(client, order(client, startdate="2026-11-03", enddate="2026-11-03")))
    assert pages(client, V51, 5, startdate="2026-11-03", enddate="2026-11-03") == found
    assert {"2026-11-03 17"} == {row["requestedTime"][:13] for row in found}


def lives(client: Client) -> bool:
    try:
        return client.request("GET", "/healthz").status == 200
    except OSError:
        return False


def test_a_full_disk(start: Callable[..., Server]) -> None:
    """A file that cannot be written is told as gone, with the reason."""
    running = start(POSTLEDGER_MIN_FREE_BYTES=str(2**62)).launch()
    while not lives(running.client):  # it lives, but is never ready
        time.sleep(0.05)
    answer = load(running.client, order(running.client))
    assert "disk is full" in error(answer, 410)["error"][0]["description"]


def test_bodies(client: Client) -> None:
    """A compressed body is read; one that is too large is refused."""
    many = [f"r{n}@x.example" for n in range(3000)]
    client.store(*varied(9))
    body = json.dumps(RANGE | {"email": many}).encode()
    for answer in (client.post(body, V51), client.post(gzip.compress(body), V51, **GZIP)):
        assert 202 == answer.status, answer
        found = rows(load(client, answer.json()["data"]["download_url"]))
        assert pages(client, V51, 5) == found
    error(client.post(b" " * 65537, V51), 413)
    error(client.post(b"{}", V51, **GZIP), 400)


# -- orders


def test_the_columns() -> None:
    """They are those of a row, without the trails."""
    assert COLUMNS == Row.__struct_fields__[: len(COLUMNS)]
    assert {"opens", "clicks"} == set(Row.__struct_fields__[len(COLUMNS) :])


VALUES = st.none() | st.text(max_size=8) | st.integers() | st.booleans() | st.floats()
NAMES = ["startdate", "enddate", "events", "email", "sort", "limit", "scrollid", "tags", "other"]


@given(
    st.dictionaries(st.sampled_from(NAMES), VALUES | st.lists(VALUES, max_size=3), max_size=4)
    | st.dictionaries(st.text(max_size=5), VALUES)
)
def test_whatever_is_ordered(members: dict[str, Any]) -> None:
    """It is refused, or comes back from its stored form as the same question."""
    body = json.dumps({"startdate": "2026-11-01"} | members).encode()
    call = Call(V6, NOW, body=body, workspace="shop", options={"timezone": "Asia/Tokyo"})
    try:
        terms = netcore.order(call)
    except BadInput:
        return
    first = netcore.ordered(terms, "shop")
    assert first == netcore.ordered(json.loads(json.dumps(terms)), "shop")
    assert MOST_ROWS == first.query.limit


def test_parameters_of_the_address() -> None:
    """They count as members of the body; a contradiction is refused."""
    call = Call(V51, NOW, (("startdate", "2026-11-01"),), body=b'{"sort": "asc"}')
    terms = netcore.order(call)
    assert not netcore.ordered(terms, "shop").query.descending
    with pytest.raises(BadInput):
        netcore.order(Call(V51, NOW, call.pairs, body=b'{"startdate": "2026-11-02"}'))
