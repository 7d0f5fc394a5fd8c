"""Values that break out of texts, at every parameter of every route: no mistake of ours, nothing
of another event, nothing that tells of the inside. The routes of the dialects also see values by
chance, in `tests/dialects/test_fuzz.py`."""

import csv
import io
import json
import re
import socket
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import pytest

from conftest import Answer, Client, Server, new_client
from making import ALL_TIME, NDJSON, event, lines
from postledger.cli.fetching import Job
from postledger.http.parameters import EVENTS
from postledger.query import FILTERS
from postledger.state.keys import SCOPES
from routes import READING, Line, Route, line, route

TEXTS = [
    *("'", '"', "\\", "\\'", "`", "--", "/*", ";", "%", "_", "$1", "?", "{", "}", "{}", "{{0}}"),
    *("{p0:String}", "{p1:Array(String)}", "%s", "%(x)s", "${jndi:x}", "\0", "a\0b", "\x1b[2J"),
    *("\n", "a\r\nX-Injected: yes", "\t", "a\tb\tc", "\u202egnp.exe", "\ufeff", "\u2028", "💩"),
    *("'; DROP TABLE events; --", "' OR 1=1 --", "x') OR ('1'='1", "\\') OR 1=1 --", "NULL"),
    *("../../../../etc/passwd", "/etc/passwd", "..", ".", "%2e%2e%2f", "file:///etc/passwd"),
    *("=1+1", "+1", "-1", "@SUM(1)", "=cmd|'/C calc'!A0", "<script>alert(1)</script>"),
    *("(a+)+$", "(", "[", "[^", "*", "(?i)", ".*", "\\p{L}", "a" * 3000, "[" * 500, "é" * 500),
    *("9" * 400, "-" + "9" * 30, "1e999", "NaN", "Infinity", "true", "null", "\u0661"),
]
BYTES = ["%ff", "%c3%28", "%ed%a0%80", "%f4%90%80%80", "%", "%zz", "%00", "%0d%0aX-Injected:%20yes"]
"""What is no text, as it stands in an address."""
INSIDE = (
    b"Traceback",
    b'File "',
    b"site-packages",
    b".py",
    b"DB::Exception",
    b"SELECT ",
    b"/data/",
)
"""What no answer has in it."""


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    """A workspace with an event for each text, which has it in the fields that are searched."""
    made = new_client(server, tuple(SCOPES))
    made.store(*(holding(number, text) for number, text in enumerate(TEXTS)))
    return made


def holding(number: int, text: str) -> dict[str, Any]:
    fields = ("campaign_id", "template_id", "subject", "reason", "ip_pool", "message_id")
    return event(number, rcpt_tags=[text], rcpt_meta={text: text}, **dict.fromkeys(fields, text))


@pytest.fixture(scope="module")
def asking(client: Client) -> Iterator[Line]:
    with line(client) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def _unchanged(client: Client) -> Iterator[None]:
    """Whatever was asked, the events are as they were."""
    before = everything(client)
    yield
    assert before == everything(client)


def everything(client: Client) -> list[dict[str, Any]]:
    return [each for page in client.pages(f"/ledger/v1/events?{ALL_TIME}") for each in page]


def check(answer: Answer) -> Answer:
    """No answer is a mistake of ours, shows the inside, or has a header that was handed in."""
    assert answer.status < 500, answer
    assert "x-injected" not in answer.headers
    if answer.status >= 400:
        assert [] == [mark for mark in INSIDE if mark in answer.body], answer
    return answer


# -- our own API


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:24])
def test_a_text_finds_what_has_it(text: str, client: Client, asking: Line) -> None:
    """Events are found by equality with any text, and only those that have it; as a tag too, and in
    all filters at once."""
    number = TEXTS.index(text)
    listing = route("GET", "/ledger/v1/events")
    always = {"from": "2024-10-04", "to": "2024-10-05"}  # when they were
    for name in ("campaign_id", "message_id", "tag"):
        answer = check(asking.ask(listing, listing.path, always | {name: text}))
        assert [f"e{number:06}"] == [each["event_id"] for each in answer.json()["events"]], name
    kinds = {name: text for name, (field, _) in FILTERS.items() if name not in UNTEXTUAL}
    assert 200 == check(asking.ask(listing, listing.path, always | kinds)).status
    for name in UNTEXTUAL:
        answer = check(asking.ask(listing, listing.path, always | {name: text}))
        assert answer.status == 400 or [] == answer.json()["events"]
    figures = route("GET", "/ledger/v1/metrics")
    asked = always | {"campaign_id": text, "metric": "count_delivered", "group_by": "campaign_id"}
    (row,) = check(asking.ask(figures, figures.path, asked)).json()["rows"]
    assert (text, 1) == (row["campaign_id"], row["count_delivered"])


UNTEXTUAL = ("type", "bounce_class")
OTHERS = [
    ("/ledger/v1/events", [p.name for p in EVENTS if p.name not in FILTERS]),
    ("/ledger/v1/feed", ["after", "limit", "x"]),
    (
        "/ledger/v1/metrics",
        ["from", "to", "metric", "group_by", "interval", "timezone", "order_by", "limit"],
    ),
]


@pytest.mark.parametrize(("path", "names"), OTHERS)
def test_other_parameters(path: str, names: list[str], asking: Line) -> None:
    """Times, names, numbers and cursors that are none are refused."""
    asked = route("GET", path)
    for name in names:
        for text in TEXTS:
            check(asking.ask(asked, path, {name: text}))
        for raw in BYTES:
            check(asking.ask(asked, f"{path}?{name}={raw}"))
            check(asking.ask(asked, f"{path}?{raw}={name}"))


PLACED = [each for each in READING if "{" in each.path and each.api == "native"]


@pytest.mark.parametrize("asked", PLACED, ids=str)
def test_places(asked: Route, asking: Line) -> None:
    """Ids in the path may be anything; one that is there is found, and no file but an export's."""
    for text in TEXTS:
        answer = check(asking.ask(asked, asked.at(text)))
        assert answer.status in {200, 404}, (text, answer)
        if answer.status == 200:
            assert "/messages/" in asked.path
            assert text.removeprefix("/") == answer.json()["message_id"]
    for raw in BYTES:
        check(asking.ask(asked, asked.at("x").replace("x", raw)))


EXPORTS = route("POST", "/ledger/v1/exports")
MEMBERS = ("format", "compression", "filters", "columns", "name", "incremental", "x")
VALUES: list[Any] = [
    "'",
    "../x",
    "a\0b",
    "",
    0,
    2**70,
    -1.5,
    True,
    None,
    [],
    {},
    ["x"],
    [[]],
    {"x": 1},
]


def test_exports(asking: Line) -> None:
    """Every member of an order with any value, and bodies that are none."""
    for name in MEMBERS:
        for value in [*VALUES, *TEXTS[:12]]:
            if name == "incremental" and value in (None, False):
                continue
            body = json.dumps({"format": "none"} | {name: value}).encode()
            assert 400 == check(asking.ask(EXPORTS, EXPORTS.path, body=body)).status
    for body in (b"", b"x", b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud800"', b"\xff", b"9" * 9999):
        assert 400 == check(asking.ask(EXPORTS, EXPORTS.path, body=body)).status


def test_an_export_of_such_values(client: Client, asking: Line) -> None:
    """A file has them as they are, and its quotes hold: also what a spreadsheet takes for a
    formula, which is the reader's to handle."""
    columns = ["event_id", "subject", "rcpt_tags"]
    filters = {"campaign_id": TEXTS, "subject": ["1"]}
    for order, count in (({}, len(TEXTS)), ({"filters": filters}, None)):
        body = json.dumps({"format": "csv", "columns": columns} | order).encode()
        job = check(asking.ask(EXPORTS, EXPORTS.path, body=body)).json()
        until = time.monotonic() + 60
        while (job := client.get(f"/ledger/v1/exports/{job['id']}"))["status"] != "done":
            assert job["status"] in {"queued", "running"}, job
            assert time.monotonic() < until
            time.sleep(0.02)
        text = client.request("GET", job["download_url"]).body.decode()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert count is None or count == len(rows)
        for row in rows:
            number = int(row["event_id"][1:])
            assert TEXTS[number] == row["subject"]
            assert [TEXTS[number]] == json.loads(row["rcpt_tags"])


# -- the dialects


def test_parameters_of_dialects(asking: Line) -> None:
    """Every parameter of every API has had several of the values, at a route that has it."""
    having = {(each.api, name): each for each in READING for name in each.parameters}
    texts, raws = cycle(TEXTS), cycle(BYTES)
    for (api, name), asked in having.items():
        if api != "native":
            for _ in range(2):
                check(asking.ask(asked, asked.at("own"), {name: next(texts)}))
            check(asking.ask(asked, f"{asked.at('own')}?{name}={next(raws)}&"))


def test_places_of_dialects(asking: Line) -> None:
    """So has every place in their paths."""
    texts = cycle([*TEXTS, "deliveries.../../x.log", "2026-11-20\0", *BYTES])
    for asked in READING:
        if asked.api != "native" and "{" in asked.path:
            for _ in range(6):
                check(asking.ask(asked, asked.at(next(texts))))


ORDER = route("POST", "/v6/events/download")


def test_orders_of_dialects(asking: Line) -> None:
    """Netcore's orders for files, with any value in any member."""
    for name in ("start_date", "end_date", "events", "subject", "tags", "custom_args", "x", "sort"):
        for value in VALUES:
            body = json.dumps({name: value}).encode()
            assert 400 == check(asking.ask(ORDER, ORDER.path, body=body)).status
    for body in (b"x", b"[" * 30_000, b'{"a":' * 10_000, b'{"a":%s}' % (b"9" * 9999), b"\xff"):
        assert 400 == check(asking.ask(ORDER, ORDER.path, body=body)).status


# -- from a server to the command line


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:24])
def test_a_server_cannot_choose_where(text: str) -> None:
    """What a server says of an export becomes the name of a file, and never a path."""
    said = {"id": "a", "status": "done", "format": "csv", "compression": "none"}
    for member in ("id", "name"):
        try:
            job = msgspec.convert(said | {"rows": 1, "bytes": 1, member: text}, Job)
        except msgspec.ValidationError:
            continue
        assert re.fullmatch(r"[A-Za-z0-9._-]+\.csv", job.file_name)


# -- headers

HEADERS = ("Content-Type", "Content-Encoding", "Range", "If-Range", "If-None-Match", "Accept")
RANGES = ["bytes=" + "9" * 5000 + "-", "bytes=0-" + "9" * 5000, "bytes=-" + "9" * 5000, "bytes=1-0"]


def raw(client: Client, head: bytes, body: bytes = b"") -> Answer:
    """The answer to bytes as they stand."""
    parts = urlsplit(client.address)
    with socket.create_connection((parts.hostname, parts.port), 60) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        file = connection.makefile("rb")
        status = int(file.readline().split()[1])
        found = {}
        while stripped := file.readline().strip():
            name, _, value = stripped.decode("latin-1").partition(":")
            found[name.lower()] = value.strip()
        return Answer(status, found, file.read(int(found.get("content-length", 0))))


def test_headers(client: Client) -> None:
    """Any bytes in the headers that we read, of requests that store and of such that load."""
    job = client.post(b'{"format": "csv", "columns": ["event_id"]}', "/ledger/v1/exports").json()
    until = time.monotonic() + 60
    while client.get(f"/ledger/v1/exports/{job['id']}")["status"] != "done":
        assert time.monotonic() < until
        time.sleep(0.02)
    body = lines(event(1))
    targets = [b"GET /ledger/v1/exports/%b/file" % job["id"].encode(), b"POST /ledger/v1/events"]
    texts = [text.encode() for text in TEXTS if text.isprintable()]
    values = [*texts[::4], b"\xff\xfe", b"\xc3"]
    for name in HEADERS:
        for value in [*values, *(each.encode() for each in RANGES if name == "Range")]:
            head = b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer %b\r\n"
            head += b"Content-Length: %d\r\n%b: %b"
            for target in targets:
                given = len(body) if target.startswith(b"POST") else 0
                filled = head % (client.key.encode(), given, name.encode(), value)
                check(raw(client, target + filled, body[:given]))


TARGETS = [
    *(
        b"//[",
        b"//[x]/",
        b"//%5b",
        b"//\xe2\x84\x80/",
        b"//h/ledger/v1/events",
        b"*",
        b"/..",
        b"/%2e",
    ),
    *(
        b"http://[",
        b"http://h/ledger/v1/events",
        b"http://h:99999/",
        b"/" * 3000,
        b"/%00",
        b"/?" * 99,
    ),
    *(b"/ledger/v1/../v1/events", b"/ledger//v1/events", b"/docs/../../etc/passwd", b"/docs%00"),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.decode("latin-1")[:24])
def test_targets(target: bytes, client: Client, server: Server) -> None:
    """Whatever stands where the path is, the answer is no mistake of ours, and nothing breaks
    behind it."""
    head = b"Host: h\r\nConnection: close\r\nAuthorization: Bearer %b" % client.key.encode()
    check(raw(client, b"GET " + target + b" HTTP/1.1\r\n" + head))
    assert "Exception in ASGI" not in server.log.read_text()


BODIES = [
    *(b"", b"\n", b"\0", b"[", b"{", b"[]", b"{}", b"null", b"\xff\xfe", b"\xef\xbb\xbf{}", b'"'),
    *(b"[" * 100_000, b'{"a":' * 100_000, b'{"rcpt_meta":' + b"[" * 100_000, b"9" * 100_000),
    b'{"type":"open","timestamp":1e999}',
    b'{"type":"open","timestamp":"2026-11-20T00:00:00Z","subject":"\\ud800"}',
    b'{"type":"open","timestamp":"2026-11-20T00:00:00Z","subject":"a\tb"}\t{"type":1}',
    b'{"msys":{"message_event":{"type":"x\ty","timestamp":1}}}',
    b'{"msys":' * 50_000,
]
STORING = ["/ledger/v1/events", "/ledger/v1/intake/sparkpost", "/api/v1/ingest/events"]


@pytest.mark.parametrize("path", STORING)
def test_bodies(path: str, server: Server) -> None:
    """Bodies that are none, nested without end, or with what would be columns of the journal, are
    refused; what is stored of them is in this workspace and can be read."""
    other = new_client(server, tuple(SCOPES))
    for kind in (NDJSON, "application/json", "text/plain", ""):
        for body in BODIES:
            answer = other.request("POST", path, body, {"Content-Type": kind})
            assert answer.status < 500, (kind, body[:80], answer)
            assert [] == [mark for mark in INSIDE if mark in answer.body], answer
    everything(other)
    assert 404 == other.request("GET", f"/ledger/v1/{quote('../../etc/passwd')}").status
