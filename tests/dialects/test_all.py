"""What holds for every dialect: each event type, field and failure has its answer; no key opens
another workspace; rates are told each in its own way."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit
from uuid import uuid4

import pytest

from cases import Request, Step, request_of, send
from conftest import Answer, Client, Server, new_client, problem
from making import iso
from postledger import errors
from postledger.dialects import DIALECTS
from postledger.dialects.wire import JSON, Call, Dialect, Operation
from postledger.errors import PostledgerError, StartError
from postledger.events import EVENT_TYPES, FIELD, FIELDS, Kind
from postledger.http.limits import Limits
from postledger.settings import load
from postledger.state.keys import Key

NOW = datetime.now(UTC)
MOMENT = NOW - timedelta(hours=1)
FIRST, LAST = (NOW - timedelta(days=3)).date(), (NOW + timedelta(days=2)).date()
RECIPIENT = str(FIELD["rcpt_to"].sample)
MEDIA_TYPE = {"sparkpost": JSON, "netcore": JSON, "unosend": JSON, "smtpeter": "text/plain"}
"""Of what is refused."""

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.NAME)
each_operation = pytest.mark.parametrize(
    ("dialect", "operation"),
    [(dialect, each) for dialect in DIALECTS for each in dialect.OPERATIONS],
    ids=lambda value: value.path if isinstance(value, Operation) else value.NAME,
)


@dataclass(frozen=True)
class Listing:
    """A dialect's main list: its address for a range of days, what sets the size of its pages,
    where the rows are, and by what it is asked for events of one type, if that is an event's own
    (in Netcore's API it is the state of a message)."""

    path: str
    span: str
    size: str
    rows: Callable[[Any], list[Any]]
    most: int = 1000
    kind: str = ""

    @property
    def whole(self) -> str:
        """The address of the largest page."""
        return f"{self.path}?{self.span}" + (f"&{self.size}={self.most}" if self.size else "")


LISTINGS = {
    "sparkpost": Listing(
        "/api/v1/events/message",
        f"from={FIRST}T00:00&to={LAST}T00:00",
        "per_page",
        lambda body: body["results"],
        kind="events",
    ),
    "netcore": Listing(
        "/v5.1/events", f"startdate={FIRST}&enddate={LAST}", "limit", lambda body: body["data"]
    ),
    "unosend": Listing(
        "/v1/events", "days=90", "limit", lambda body: body["data"]["data"], 100, "event_type"
    ),
    "smtpeter": Listing(
        f"/v1/events/email/{RECIPIENT}", f"start={FIRST}&end={LAST}", "", lambda body: body
    ),
}


def ask(client: Client, dialect: Dialect, target: str, method: str = "GET") -> Answer:
    """The answer to a request with the key as the dialect carries it."""
    step = Step(request=f"{method} {target}", status=200)
    return send(client.address, request_of(step, dialect.NAME, client.key))


def strictly(body: bytes) -> Any:
    """The JSON value of a body: no NaN, no name twice."""

    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    def refuse(text: str) -> None:
        raise AssertionError(text)

    return json.loads(body.decode(), parse_constant=refuse, object_pairs_hook=whole)


def listed(client: Client, dialect: Dialect, more: str = "") -> list[Any]:
    """The rows of a dialect's main list, on one page."""
    answer = ask(client, dialect, LISTINGS[dialect.NAME].whole + more)
    assert 200 == answer.status, answer
    assert answer.headers["content-type"].partition(";")[0] == JSON
    return LISTINGS[dialect.NAME].rows(strictly(answer.body))


def full(number: int = 0, **fields: Any) -> dict[str, Any]:
    """An event with every field, of a message of its own."""
    whole = {field.name: field.sample for field in FIELDS} | {
        "event_id": f"event-{number}",
        "message_id": f"message-{number}",
        "timestamp": iso(MOMENT + timedelta(seconds=number)),
        "injection_time": iso(MOMENT),
        "scheduled_time": iso(MOMENT),
    }
    return whole | fields


# -- event types and fields


@each_dialect
def test_types_are_decided(dialect: Any) -> None:
    """Its table of types names every event type, and no other."""
    assert list(EVENT_TYPES) == list(dialect.TYPES)
    assert any(dialect.TYPES.values())


@pytest.fixture(scope="module")
def every_type(server: Server) -> Client:
    """A client of a workspace with an event of each type, each with all fields."""
    client = new_client(server)
    client.store(*(full(number, type=kind) for number, kind in enumerate(EVENT_TYPES)))
    return client


@each_dialect
def test_every_type_is_listed(dialect: Any, every_type: Client) -> None:
    """The main list has a row for each event whose type the dialect can say, and no other row; one
    that is shown only when it is named is shown then."""
    said = [name for name in dialect.TYPES.values() if name is not None]
    unnamed = getattr(dialect, "NAMED_ONLY", ())
    assert len([name for name in said if name not in unnamed]) == len(listed(every_type, dialect))
    parameter = LISTINGS[dialect.NAME].kind
    for name, times in Counter(said).items() if parameter else ():
        found = len(listed(every_type, dialect, f"&{parameter}={name}"))
        assert times == found or (name in unnamed and times < found), name


HOSTILE: dict[Kind, list[Any]] = {
    Kind.TEXT: [
        "",
        " ",
        "\"'`\\",
        "</script><!--",
        "%s %d {} {0} $1 %00 %ff",
        "a\r\nb\tc\u2028\u0000\u001f\u007f",
        "Zażółć \U0001d518 \u202e\ufeff\U0010ffff",
        "null",
        "-1e400",
        ";,;|=&?#/:@",
        '<a@b>, "c" <d@e>',
        "x" * 20_000,
    ],
    Kind.INTEGER: [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), "7"],
    Kind.BOOLEAN: [True, False, 0, "1"],
    Kind.TIME: ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999Z", "2026-02-28T23:59:59+14:00"],
    Kind.TEXTS: [[], [""], [";", ",", "a;b", '"'], ["é" * 5000], [str(n) for n in range(300)]],
    Kind.OBJECT: [
        {},
        {"": ""},
        {"type": 1, "event_id": None, "results": [], "a.b": {"c": [1, [2], {}]}},
        {"n": 2**64, "m": -(2**63), "f": 1e308, "g": 1e-320},
        {"country": 5, "latitude": "north", "longitude": None, "zip": [], "city": {}},
        {"\u0000\ud7ff": "\U0001f4a9", '"': "\\"},
    ],
}
HOSTILE[Kind.CODE] = [*HOSTILE[Kind.TEXT], 0, -1, 2**63 - 1]


def hostile(name: str) -> list[Any]:
    """Values for a field; ids of events have a limit."""
    values = HOSTILE[FIELD[name].kind]
    return [v for v in values if name != "event_id" or len(str(v)) <= 1000]


_FIXED = {"type", "received_at"}


_PLACING = {"timestamp", "injection_time", "event_id", "message_id", "rcpt_to", "raw_rcpt_to"}
"""They decide whether an event is in a list, or where."""
_OTHERS = [name for name in FIELD if name not in _FIXED | _PLACING]


@pytest.mark.parametrize(
    "names",
    [*((name,) for name in sorted(_PLACING)), *(_OTHERS[n::10] for n in range(10))],
    ids=" ".join,
)
def test_no_field_breaks_a_list(names: Sequence[str], client: Client) -> None:
    """Whatever a field holds, every dialect lists the events as JSON."""
    values = {name: cycle([full()[name], *hostile(name)]) for name in names}
    kinds = cycle(EVENT_TYPES)
    made = [
        full(number, type=next(kinds), **{name: next(each) for name, each in values.items()})
        for number in range(70)
    ]
    assert len(made) == client.store(*made)["accepted"]
    for dialect in DIALECTS:
        rows = listed(client, dialect)
        assert rows or "rcpt_to" in names


# -- failures


def classes(kind: type[PostledgerError]) -> Iterator[type[PostledgerError]]:
    """A class and what is below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from classes(below)


FAILURES = [
    kind
    for kind in classes(PostledgerError)
    if kind.__module__ == "postledger.errors"
    and kind is not PostledgerError
    and not issubclass(kind, StartError)
]
OURS = (errors.NotOffered, errors.Unexpected, errors.Busy, errors.StoreUnavailable)
WAIT = (errors.RateLimited, errors.Busy, errors.StoreUnavailable)
STATUS = {
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.WrongMethod: 405,
    errors.UriTooLong: 414,
    errors.RateLimited: 429,
    errors.NotOffered: 501,
    errors.Unexpected: 500,
    errors.Busy: 503,
    errors.StoreUnavailable: 503,
    errors.StoreFull: 503,
    errors.StoreAway: 503,
}
MESSAGES = ["it failed", 'a "quoted" \\ <b>é\U0001d518</b>\r\n\t\u0000', ""]


def calls(dialect: Dialect) -> list[Call]:
    """A call of each path, and of one that there is not."""
    paths = [operation.path for operation in dialect.OPERATIONS]
    return [Call(path, NOW) for path in [*paths, *(f"{p}/none" for p in dialect.PREFIXES), "/"]]


def failure(kind: type[PostledgerError], message: str) -> list[PostledgerError]:
    made = [kind(message)]
    if issubclass(kind, errors.BadInput):
        made.append(kind(message, errors.Problem(message, parameter=message)))
        made.append(kind(message, errors.Problem(message, index=3, field="x")))
    return made


@each_dialect
@pytest.mark.parametrize("kind", FAILURES)
def test_every_failure_is_refused(dialect: Any, kind: type[PostledgerError]) -> None:
    """It has a status, a body in the right form, and says when to try again where that helps."""
    assert any(above in dialect.STATUS for above in kind.__mro__ if above is not PostledgerError)
    for message in MESSAGES:
        for error in failure(kind, message):
            for call in calls(dialect):
                reply = dialect.refuse(error, call)
                assert reply.status in (range(500, 600) if kind in OURS else range(400, 600))
                assert STATUS.get(kind, reply.status) == reply.status
                assert MEDIA_TYPE[dialect.NAME] == reply.media_type.partition(";")[0]
                assert isinstance(reply.body, bytes)
                assert reply.body.decode().strip()
                if reply.media_type == JSON:
                    strictly(reply.body)
                waits = {name.lower(): value for name, value in reply.headers.items()}
                if kind in WAIT:
                    assert int(waits["retry-after"]) > 0
                for name, value in reply.headers.items():
                    assert re.fullmatch(r"[\x20-\x7e]*", name + value)


@each_dialect
def test_an_unknown_failure(dialect: Dialect) -> None:
    """A failure that is a kind of another is refused like that."""

    class Odd(errors.BadCursor):
        pass

    class Late(errors.StoreFull):
        pass

    for call in calls(dialect):
        for kind in (Odd, Late):
            parent = kind.__mro__[1]
            assert dialect.refuse(parent("x"), call) == dialect.refuse(kind("x"), call)


# -- operations


@pytest.fixture(scope="module")
def paths(server: Server) -> dict[str, Any]:
    """Those of the OpenAPI description, as the server gives it."""
    found: dict[str, Any] = Client(server.client.address, "").get("/openapi.json")["paths"]
    return found


@pytest.fixture(scope="module")
def writer(server: Server) -> Client:
    return new_client(server, ("events:write",))


@each_operation
def test_is_described(dialect: Dialect, operation: Operation, paths: dict[str, Any]) -> None:
    """It is in the OpenAPI description, with every parameter, a meaning and a schema for each."""
    described = paths[operation.path.replace(":path}", "}")][operation.method.lower()]
    assert [dialect.NAME] == described["tags"]
    named = {parameter["name"]: parameter for parameter in described["parameters"]}
    for parameter in operation.parameters:
        assert parameter.meaning.strip()
        assert named[parameter.name]["schema"]["type"]
    in_path = re.findall(r"{(\w+)", operation.path)
    assert set(named) == {*in_path, *(parameter.name for parameter in operation.parameters)}
    assert operation.summary.strip()
    if operation.media_type == JSON:
        assert {"type", "anyOf", "oneOf"} & described["responses"][str(operation.status)][
            "content"
        ][JSON]["schema"].keys()


def filled(path: str, value: str) -> str:
    """The path of an operation with a value in each of its places."""
    return re.sub(r"{[^}]+}", quote(value, safe=""), path)


@each_operation
def test_needs_a_key(dialect: Dialect, operation: Operation, writer: Client) -> None:
    """Without a key, with a wrong one, and with one that lacks the scope it is refused; what needs
    no key answers without."""
    target = filled(operation.path, "x")
    nobody = Client(writer.address, "pl_none_at-all")
    bare = send(nobody.address, Request(operation.method, target, {}, b""))
    if operation.scope is None:
        assert 200 == bare.status
        assert 200 == ask(nobody, dialect, target, operation.method).status
        return
    answers = [
        (401, bare),
        (401, ask(nobody, dialect, target, operation.method)),
        (403, ask(writer, dialect, target, operation.method)),
    ]
    for status, answer in answers:
        assert status == answer.status, answer
        assert MEDIA_TYPE[dialect.NAME] == answer.headers["content-type"].partition(";")[0]
        assert answer.body


# -- tenants

THEIRS = "theirs-5c1b"
"""In what the other workspace may be asked by; `SECRET` in what only its rows tell."""
SECRET = "secret-9f7e"
ASKED = (THEIRS, f"{THEIRS}@{THEIRS}.example", f"{THEIRS}.example")


def foreign(number: int, kind: str) -> dict[str, Any]:
    """An event of the other workspace."""
    codes = {f.name: THEIRS for f in FIELDS if f.kind in {Kind.CODE, Kind.TEXT}}
    told = dict.fromkeys(("target_link_url", "user_agent", "raw_reason"), f"https://{SECRET}/")
    return full(
        number,
        **codes
        | told
        | {
            "type": kind,
            "event_id": THEIRS if number == 0 else f"{THEIRS}-{number}",
            "message_id": THEIRS if number < 3 else f"{THEIRS}-{number}",
            "rcpt_to": ASKED[1],
            "raw_rcpt_to": ASKED[1],
            "friendly_from": ASKED[1],
            "msg_from": ASKED[1],
            "recipient_domain": ASKED[2],
            "sending_domain": ASKED[2],
            "subject": f"{THEIRS} {SECRET}",
            "reason": f"{THEIRS} {SECRET}",
            "rcpt_tags": [THEIRS, SECRET],
            "rcpt_meta": {"a": SECRET},
        },
    )


@dataclass(frozen=True)
class Two:
    """Two workspaces with nothing in common; `name` is of theirs."""

    ours: Client
    theirs: Client
    name: str


@pytest.fixture(scope="module")
def two(server: Server, keyring: Any) -> Two:
    name = f"theirs-{uuid4().hex[:8]}"
    keyring.create_workspace(name)
    made = Two(new_client(server), new_client(server, workspace=name), name)
    made.theirs.store(*(foreign(number, kind) for number, kind in enumerate(EVENT_TYPES)))
    made.ours.store(*(full(number, type=kind) for number, kind in enumerate(EVENT_TYPES)))
    return made


def path_of_theirs(dialect: Dialect) -> str:
    """Their main list."""
    return LISTINGS[dialect.NAME].path.replace(RECIPIENT, ASKED[1])


def tokens(document: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """What leads to further pages, in an answer: names and values that are links or places."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in inner:
        if isinstance(value, dict | list):
            yield from tokens(value, str(key))
        elif isinstance(value, str) and re.search(r"(?i)scroll|cursor|next|href", f"{name} {key}"):
            yield str(key), value


def further(two: Two, dialect: Dialect) -> list[str]:
    """What their pages lead on by: links, and the places in them."""
    listing = LISTINGS[dialect.NAME]
    if not listing.size:
        return []
    target = f"{path_of_theirs(dialect)}?{listing.span}&{listing.size}=2"
    found = [value for _, value in tokens(ask(two.theirs, dialect, target).json())]
    links = [urlsplit(value) for value in found if "?" in value]
    inside = [
        unquote(value)
        for link in links
        for name, _, value in [pair.partition("=") for pair in link.query.split("&")]
        if re.search("scroll|cursor", name)
    ]
    return [*found, *inside]


def requests_for_theirs(
    two: Two, dialect: Dialect, operation: Operation, places: list[str]
) -> Iterator[str]:
    """Every way to ask for what is theirs: their ids in the path and in each parameter."""
    span = LISTINGS[dialect.NAME].span
    paths = [filled(operation.path, value) for value in (*ASKED, two.name)]
    yield from (f"{path}?{span}" for path in dict.fromkeys(paths))
    for parameter in operation.parameters:
        if f"{parameter.name}=" not in f"&{span}":
            for value in values_for(parameter.name, places):
                yield f"{paths[0]}?{span}&{urlencode({parameter.name: value})}"


def values_for(name: str, places: list[str]) -> list[str]:
    """What a parameter may be given to find something of theirs."""
    if re.search(r"(?i)scroll|cursor|page|offset", name):
        return places
    if re.search(r"(?i)domain", name):
        return [ASKED[2]]
    return list(
        ASKED[:2] if re.search(r"(?i)mail|recipient|from|sender|address", name) else ASKED[:1]
    )


@each_dialect
def test_tenants(dialect: Dialect, two: Two) -> None:
    """With a key of one workspace nothing of another is shown: no id of theirs, in the path or in a
    parameter, and no place in a list of theirs brings any of it."""
    theirs = ask(two.theirs, dialect, f"{path_of_theirs(dialect)}?{LISTINGS[dialect.NAME].span}")
    assert SECRET in theirs.body.decode()
    places = further(two, dialect)
    assert places or not LISTINGS[dialect.NAME].size or dialect.NAME == "unosend"
    asked = [
        (operation.method, target)
        for operation in dialect.OPERATIONS
        for target in requests_for_theirs(two, dialect, operation, places)
    ]
    links = [("GET", urlsplit(place)._replace(scheme="", netloc="").geturl()) for place in places]
    for method, target in [*asked, *(link for link in links if link[1].startswith("/"))]:
        answer = ask(two.ours, dialect, target, method)
        assert answer.status < 500 or answer.status == 501, (target, answer)
        assert SECRET not in answer.body.decode(), (target, answer)


# -- rates

KEY = Key("k", "w", "", ("admin",), datetime(2026, 11, 20, tzinfo=UTC), None, None)


@pytest.fixture
def limited(start: Callable[..., Server]) -> Callable[..., Server]:
    """Starts a server with a rate. A day's window does not end within a test."""

    def begin(**env: str) -> Server:
        return start(**env).start()

    return begin


def check_refused(answer: Answer, media_type: str) -> None:
    assert 429 == answer.status, answer
    assert 1 <= int(answer.headers["retry-after"]) <= 24 * 60 * 60
    assert media_type == answer.headers["content-type"].partition(";")[0]
    assert answer.body


def test_rate_of_a_key(limited: Callable[..., Server]) -> None:
    """What a key asks beyond its rate is refused, by each API in its own shape; others are not."""
    running = limited(POSTLEDGER_KEY_RATE="3/day")
    for dialect in DIALECTS:
        client = new_client(running)
        answers = [ask(client, dialect, LISTINGS[dialect.NAME].whole) for _ in range(5)]
        assert [200] * 3 + [429] * 2 == [answer.status for answer in answers]
        check_refused(answers[3], MEDIA_TYPE[dialect.NAME])
        check_refused(answers[4], MEDIA_TYPE[dialect.NAME])
    client = new_client(running)
    for _ in range(3):
        client.get("/ledger/v1/events")
    refused = problem(client.request("GET", "/ledger/v1/events"), 429)
    assert "3 per 1 day" in refused["detail"]
    check_refused(client.post(b"{}"), "application/problem+json")
    for dialect in DIALECTS:
        answer = ask(client, dialect, LISTINGS[dialect.NAME].whole)
        check_refused(answer, MEDIA_TYPE[dialect.NAME])
    assert 200 == client.request("GET", "/healthz").status


def test_rate_of_a_workspace(limited: Callable[..., Server]) -> None:
    """All keys of a workspace share its rate; another workspace has its own."""
    running = limited(POSTLEDGER_WORKSPACE_RATE="3/day")
    for dialect in DIALECTS:
        name = f"shared-{dialect.NAME}"
        new_client(running, workspace=_made(running, name))
        one, other = (new_client(running, workspace=name) for _ in range(2))
        target = LISTINGS[dialect.NAME].whole
        statuses = [ask(who, dialect, target).status for who in (one, other, one, other, one)]
        assert [200, 200, 200, 429, 429] == statuses
        check_refused(ask(other, dialect, target), MEDIA_TYPE[dialect.NAME])


def _made(running: Server, name: str) -> str:
    from conftest import keyring_of

    keyring_of(running).create_workspace(name)
    return name


@pytest.mark.parametrize("name", ["KEY_RATE", "WORKSPACE_RATE"])
@pytest.mark.parametrize("rate", ["many", "3", "0/second", "1/minute;", "-1/hour", "1/fortnight"])
def test_a_rate_that_is_none(name: str, rate: str) -> None:
    """It is refused, in one sentence that names the setting and what was expected."""
    with pytest.raises(errors.BadSettings) as refused:
        Limits(load({f"POSTLEDGER_{name}": rate}))
    assert str(refused.value).startswith(f"{name.lower()}: expected rates such as 100/second")
    assert rate in str(refused.value)


def test_a_rate_that_is_there_twice() -> None:
    """It counts a request once."""
    limits = Limits(load({"POSTLEDGER_KEY_RATE": "3/day; 3/day; 3 per 1 day"}))
    for left in (2, 1, 0):
        limits.take(KEY)
        assert left == limits.left(KEY).remaining
    with pytest.raises(errors.RateLimited):
        limits.take(KEY)


@pytest.mark.parametrize("rate", ["1/minute; 1/year", "1/year; 1/minute"])
def test_several_rates_are_waited_for(rate: str) -> None:
    """Who is told when to come again is not refused then by another rate."""
    limits = Limits(load({"POSTLEDGER_KEY_RATE": rate}))
    limits.take(KEY)
    with pytest.raises(errors.RateLimited, match="1 per 1 year") as refused:
        limits.take(KEY)
    assert refused.value.retry_after > 60


def test_a_bad_rate_at_start(start: Callable[..., Server]) -> None:
    """The server does not start, and says why in one line."""
    server = start(POSTLEDGER_KEY_RATE="many")
    done = subprocess.run(
        [sys.executable, "-m", "postledger.cli", "serve", "--port", "0"],
        env=server.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 1 == done.returncode
    assert ["postledger: key_rate:"] == [line[:21] for line in done.stderr.splitlines()]


def test_no_rate(server: Server) -> None:
    """Without a rate nothing is refused for being asked too often."""
    client = new_client(server)
    for dialect in DIALECTS:
        for _ in range(5):
            assert 200 == ask(client, dialect, LISTINGS[dialect.NAME].whole).status


def test_names() -> None:
    """The tables here are of all dialects."""
    assert {dialect.NAME for dialect in DIALECTS} == set(LISTINGS) == set(MEDIA_TYPE)
