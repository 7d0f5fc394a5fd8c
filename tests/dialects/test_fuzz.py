"""No input makes a 500: the routes of the dialects under requests that were made by chance, from
their OpenAPI description and byte by byte. The chance is the same each time."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from itertools import cycle
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from cases import CARRIERS, IN_QUERY, Step, received, request_of, send
from conftest import Answer, Client, Server, new_client
from postledger.dialects import DIALECTS
from postledger.dialects.wire import JSON, Dialect, Operation
from postledger.events import EVENT_TYPES
from postledger.state.keys import SCOPES
from test_all import LISTINGS, MEDIA_TYPE, MOMENT, full

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.NAME)


def bounded(examples: int) -> settings:
    """Settings for a test of so many examples, the same ones each time."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    """A client of a workspace with an event of each type, each with all fields."""
    made = new_client(server, tuple(SCOPES))
    made.store(*(full(number, type=kind) for number, kind in enumerate(EVENT_TYPES)))
    return made


def carried(dialect: Dialect, client: Client) -> dict[str, str]:
    """The headers with the key."""
    headers = CARRIERS[dialect.NAME].items()
    return {name: value.replace("{key}", client.key) for name, value in headers}


def check(target: object, answer: Answer) -> None:
    """What holds for every answer: it is no mistake of ours, and JSON where it says so."""
    assert answer.status < 500, (target, answer)
    if answer.headers.get("content-type") == JSON and answer.body:
        json.loads(answer.body)


# -- from the description


@each_dialect
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_described(dialect: Dialect, mode: str, client: Client) -> None:
    """Requests as the description has them, and such as it has not, are answered, and the bodies of
    the answers are what it says."""
    document = Client(client.address, "").get("/openapi.json")
    schema: Any = schemathesis.openapi.from_dict(document)
    mine = schema.include(tag=dialect.NAME, method="GET")
    operations = [found.ok() for found in mine.get_all_operations()]
    assert sum(each.method == "GET" for each in dialect.OPERATIONS) == len(operations)
    query = {IN_QUERY[dialect.NAME]: client.key} if dialect.NAME in IN_QUERY else None
    headers = carried(dialect, client)
    wanted = schemathesis.GenerationMode[mode]
    cases = [each.as_strategy(wanted, headers=headers or None) for each in operations]

    span = dict(parse_qsl(LISTINGS[dialect.NAME].span))

    @bounded(30)
    @given(st.one_of(cases), st.booleans())
    def run(case: Any, tame: bool) -> None:  # noqa: FBT001
        if tame:  # else most are refused for their dates, or for a place in no list
            kept = {k: v for k, v in case.query.items() if not re.search("(?i)scroll|cursor", k)}
            case.query = kept | span
        response = case.call(base_url=client.address, headers=headers, params=query)
        answer = Answer(response.status_code, {}, response.content)
        check(case.formatted_path, answer)
        case.validate_response(
            response, checks=[content_type_conformance, response_schema_conformance]
        )

    run()


DAY = (MOMENT + timedelta(seconds=1)).date()  # of the delivery
PLACES = [
    *(
        ("unosend", f"{base}/emails/{{id}}", f"message-{number}{end}")
        for base in ("", "/v1", "/api/v1")
        for number, end in ((1, ""), (11, "/clicks"))
    ),
    ("smtpeter", "/v1/logfiles/{name}", str(DAY)),
    *(
        ("smtpeter", f"/v1/logfiles/{{name}}{end}", f"deliveries.{DAY}.log")
        for end in ("", "/header", "/csv", "/csv/header", "/json")
    ),
]
"""Paths with a place in them, and something that is there."""


@pytest.mark.parametrize(("name", "path", "place"), PLACES)
def test_described_places(name: str, path: str, place: str, client: Client) -> None:
    """What is found under a name that chance does not make is what the description says."""
    (dialect,) = (each for each in DIALECTS if each.NAME == name)
    document = Client(client.address, "").get("/openapi.json")
    schema: Any = schemathesis.openapi.from_dict(document)
    (variable,) = re.findall(r"{(\w+)}", path)
    case = schema[path]["GET"].Case(path_parameters={variable: place})
    query = {IN_QUERY[name]: client.key} if name in IN_QUERY else None
    response = case.call(base_url=client.address, headers=carried(dialect, client), params=query)
    assert 200 == response.status_code, response.content
    case.validate_response(response, checks=[content_type_conformance, response_schema_conformance])


# -- byte by byte

NAMES = ["", "page", "cursor", "limit", "offset", "delimiter", "timezone", "[]", "from[]", "_"]
VALUES = [
    *("", "0", "-1", "+1", " 1", "1e3", "1.0", "1_000", "0x1", "NaN", "Infinity", "true", "null"),
    *("2147483648", "9223372036854775808", "9" * 400, "-" + "9" * 30, "%D9%A1", "%EF%BC%91"),
    *("2026-11-20", "2026-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "2026-11-20T24:00"),
    *("0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "2026-11-20T09:30:00Z"),
    *("2026-11-20T09:30:00+01:00", "2026-11-20T09:30", "-2026-11-20", "1763629200", "2026-11-20x"),
    *("%", "%2", "%zz", "%00", "%0d%0a", "%ff%fe", "%c3%28", "%ed%a0%80", "%f4%90%80%80", "%2525"),
    *("\\", "'", '"', "%27%20OR%201=1--", "{", "}", "[", "]", "(", "*", "?", ".", "..", "$", "^"),
    *(",", ";", ",,,", ";;", "|", "a,b;c d", "%2C", "%3B", "-", "_", "%C3%A9", "%F0%9F%92%A9"),
    *(
        "a" * 3000,
        "%41" * 1000,
        "a," * 1000,
        "%",
        "initial",
        "eyJ9",
        "AAAA",
        "bounce",
        "open,click",
    ),
]
ESCAPED = st.binary(max_size=8).map(lambda text: b"".join(b"%%%02x" % byte for byte in text))
ASCII = st.integers(0x21, 0x7E).map(lambda byte: bytes([byte]))
HIGH = st.sampled_from([b"\xff", b"\xc3", "é".encode()])  # the server itself refuses these
BYTES = st.lists(st.one_of(ASCII, ASCII, ASCII, ESCAPED, HIGH), max_size=12).map(b"".join)
VALUE = st.sampled_from(VALUES).map(str.encode) | ESCAPED | BYTES


def queries(dialect: Dialect) -> st.SearchStrategy[tuple[str, bytes]]:
    """An operation of a dialect, and the bytes behind its `?`."""

    def of(operation: Operation) -> st.SearchStrategy[tuple[str, bytes]]:
        names = [*(parameter.name for parameter in operation.parameters), *NAMES]
        name = st.sampled_from(names).map(str.encode) | BYTES
        pair = st.tuples(name, VALUE).map(b"=".join) | VALUE
        span = st.sampled_from([b"", LISTINGS[dialect.NAME].span.encode()])
        pairs = st.lists(pair, max_size=5).map(b"&".join)
        return st.tuples(st.just(operation.path), st.tuples(span, pairs).map(b"&".join))

    gets = [each for each in dialect.OPERATIONS if each.method == "GET"]
    return st.sampled_from(gets).flatmap(of)


def asked(client: Client, dialect: Dialect, target: bytes) -> Answer:
    """The answer to GET of these very bytes, with the key."""
    if dialect.NAME in IN_QUERY:
        joint = b"&" if b"?" in target else b"?"
        target += joint + f"{IN_QUERY[dialect.NAME]}={client.key}".encode()
    lines = {"Host": "h", "Connection": "close"} | carried(dialect, client)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
    connection = HTTPConnection(urlsplit(client.address).netloc, timeout=60)
    try:
        connection.send(b"GET " + target + b" HTTP/1.1\r\n" + head + b"\r\n")
        return received(connection)
    finally:
        connection.close()


def in_place(path: str, value: bytes) -> bytes:
    """The path of an operation with bytes in each of its places."""
    return re.sub(rb"{[^}]+}", lambda _: value, path.encode())


@each_dialect
def test_queries(dialect: Dialect, client: Client) -> None:
    """Whatever stands behind the `?`, the answer is no mistake of ours."""
    statuses = set()

    @bounded(120)
    @given(queries(dialect))
    def run(made: tuple[str, bytes]) -> None:
        path, query = made
        target = in_place(path, b"x") + b"?" + query
        answer = asked(client, dialect, target)
        check(target, answer)
        statuses.add(answer.status)

    run()
    assert {200, 400} <= statuses or dialect.NAME in {"unosend", "netcore"}


def paths(dialect: Dialect) -> st.SearchStrategy[bytes]:
    """Paths of a dialect with anything in their places, and paths near them."""
    places = st.sampled_from([each.path for each in dialect.OPERATIONS])
    part = (VALUE | st.lists(VALUE, max_size=3).map(b"/".join)).map(
        lambda value: re.sub(rb"[?#]", b"", value)
    )
    known = st.builds(in_place, places, part)
    roots = st.sampled_from([prefix.encode() for prefix in dialect.PREFIXES])
    near = st.tuples(roots | known, st.sampled_from([b"/", b"//", b"", b"/../", b"%2f"]), part)
    return known | near.map(b"".join)


@each_dialect
def test_paths(dialect: Dialect, client: Client) -> None:
    """Whatever stands in the path or near it, the answer is no mistake of ours."""
    statuses = set()

    @bounded(100)
    @given(paths(dialect))
    def run(target: bytes) -> None:
        answer = asked(client, dialect, target)
        check(target, answer)
        statuses.add(answer.status)

    run()
    assert 404 in statuses


METHODS = ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"]
BODIES = [b"", b"{}", b"[]", b"null", b'{"startdate": [', b"\xff\xfe", b"[" * 2000, b"a=1&b=%ff"]


@each_dialect
def test_methods(dialect: Dialect, client: Client) -> None:
    """Whatever the method and the body, the answer is no mistake of ours; 501 is only where this
    version does not offer what the original does."""
    offered = {(each.method, each.path) for each in dialect.OPERATIONS}
    bodies = cycle(BODIES)
    for _, path in sorted(offered):
        for method in METHODS:
            step = Step(request=f"{method} {in_place(path, b'x').decode()}", status=0)
            asked_for = request_of(step, dialect.NAME, client.key)
            answer = send(client.address, replace(asked_for, body=next(bodies)))
            if answer.status == 501:
                assert (method, path) in offered
            else:
                check((method, path), answer)


@each_dialect
def test_headers(dialect: Dialect, client: Client) -> None:
    """Whatever stands in the header of the key, the answer is a refusal."""
    target = LISTINGS[dialect.NAME].whole

    @bounded(40)
    @given(st.sampled_from(["Authorization", "api_key", "Accept", "Host"]), BYTES | VALUE)
    def run(name: str, value: bytes) -> None:
        connection = HTTPConnection(urlsplit(client.address).netloc, timeout=60)
        try:
            head = f"GET {target} HTTP/1.1\r\nConnection: close\r\n{name}: ".encode()
            connection.send(head + value + b"\r\n\r\n")
            answer = received(connection)
        finally:
            connection.close()
        assert 400 <= answer.status < 500, answer

    run()


@each_dialect
@pytest.mark.parametrize("more", [0, 1])
def test_the_longest_address(dialect: Dialect, more: int, client: Client) -> None:
    """An address of the greatest length is answered, and one byte more is refused cleanly."""
    key = f"&{IN_QUERY[dialect.NAME]}={client.key}" if dialect.NAME in IN_QUERY else ""
    target = f"{LISTINGS[dialect.NAME].whole}&ignored="
    target += "x" * (dialect.LONGEST_URI + more - len(target) - len(key))
    answer = asked(client, dialect, target.encode())
    assert (414 if more else 200) == answer.status, answer
    if more:
        assert MEDIA_TYPE[dialect.NAME] == answer.headers["content-type"].partition(";")[0]
        assert answer.body
