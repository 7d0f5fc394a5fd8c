"""Every wire API answers as its cases say: files of requests and answers, one runner.

Against a service elsewhere, with what it has stored: `POSTLEDGER_CASES_URL`, `POSTLEDGER_CASES_KEY`
and `-k` with the dialect's name. Cases that make sense only here are skipped then.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cases import (
    CARRIERS,
    HOME,
    BadCase,
    Case,
    Entry,
    Request,
    Step,
    at,
    dated,
    differences,
    entries,
    failings,
    is_absent,
    parsed,
    request_of,
    send,
)
from conftest import Answer, Client, Server
from postledger.dialects import DIALECTS
from postledger.dialects.wire import JSON
from postledger.state.keys import SCOPES

LEAST = {"sparkpost": 40, "netcore": 40, "unosend": 80, "smtpeter": 75}
ENTRIES = entries()
ELSEWHERE = os.environ.get("POSTLEDGER_CASES_URL", "")
_WORKSPACES = count(1)

Open = Callable[[str, str, Mapping[str, str]], Client]


@pytest.fixture(scope="session")
def workspace(request: pytest.FixtureRequest) -> Open:
    """A client of the workspace that has a file of events and options; each is loaded once."""
    if ELSEWHERE:
        there = Client(ELSEWHERE.rstrip("/"), os.environ["POSTLEDGER_CASES_KEY"])
        return lambda *_: there
    server: Server = request.getfixturevalue("server")
    ring = request.getfixturevalue("keyring")
    ready: dict[tuple[object, ...], Client] = {}

    def load(dialect: str, given: str, options: Mapping[str, str]) -> Client:
        which = (dialect, given, *sorted(options.items()))
        if which not in ready:
            name = f"cases-{os.getpid()}-{next(_WORKSPACES)}"
            ring.create_workspace(name)
            for option, value in options.items():
                ring.set_option(name, option, value)
            key, _ = ring.create_key(name, SCOPES)
            client = Client(server.client.address, key)
            _store(client, HOME / dialect / "given" / f"{given}.ndjson")
            ready[which] = client
        return ready[which]

    return load


def _store(client: Client, path: Path) -> None:
    if not path.is_file():
        raise BadCase(f"there is no {path}")
    body = dated(path.read_bytes(), datetime.now(UTC))
    if body.strip():
        answer = client.post(body, Content_Type="application/x-ndjson")
        assert 200 == answer.status, (path, answer)
        assert 0 == answer.json()["rejected"], (path, answer)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_case(entry: Entry, workspace: Open) -> None:
    """The answer is what the case expects, and so are those of the steps that follow it."""
    if isinstance(entry.case, BadCase):
        raise entry.case
    case = entry.case
    if case.local and ELSEWHERE:
        pytest.skip("makes no sense against a service elsewhere")
    client = workspace(entry.dialect, case.given, case.options)
    before = None
    for step in [case, *case.then]:
        if step.headers is None and step is not case:
            step = msgspec.structs.replace(step, headers=case.headers)  # noqa: PLW2901
        request = request_of(step, entry.dialect, client.key, before)
        answer = send(client.address, request)
        found = failings(step, answer)
        assert [] == found, _told(case, request, answer, found)
        before = answer.json() if answer.headers.get("content-type") == JSON else None


def _told(case: Case, request: Request, answer: Answer, found: list[str]) -> str:
    lines = [f"{request.method} {request.target}", f"source: {case.source}", *found]
    return "\n".join([*lines, f"{answer.status} {answer.headers}", answer.body.decode()[:4000]])


@pytest.mark.parametrize("dialect", [dialect.NAME for dialect in DIALECTS])
def test_enough_cases(dialect: str) -> None:
    """Each dialect has its cases, each under a name of its own and with a source."""
    found = [entry for entry in ENTRIES if entry.dialect == dialect]
    assert len(found) >= LEAST[dialect]
    assert [] == [name for name, times in Counter(e.name for e in found).items() if times > 1]
    for entry in found:
        assert isinstance(entry.case, Case), entry.case
        assert entry.case.source.strip()


def test_of_known_dialects() -> None:
    """Cases are of dialects that there are, and the runner knows how each sends its key."""
    names = {dialect.NAME for dialect in DIALECTS}
    assert names == set(CARRIERS)
    assert {entry.dialect for entry in ENTRIES} <= names


# -- the runner itself

MATCHING = [
    ({}, {"a": 1}),
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": {"b": []}}, {"a": {"b": [], "c": 1}}),
    ([{"a": 1}, {}], [{"a": 1, "b": 2}, {"c": 3}]),
    (1, 1.0),
    (None, None),
    ("", ""),
    ({"matches": "^a+$"}, "aaa"),
    ({"matches": "b"}, "abc"),
    ({"type": "string"}, ""),
    ({"type": "integer"}, 3),
    ({"type": "number"}, 3),
    ({"type": "number"}, 3.5),
    ({"type": "boolean"}, False),
    ({"type": "null"}, None),
    ({"type": "array"}, []),
    ({"type": "object"}, {"type": "object"}),
    ({"type": "bounce"}, {"type": "bounce", "id": "1"}),
    ({"type": "string", "id": "1"}, {"type": "string", "id": "1"}),
    ({"matches": 3}, {"matches": 3}),
]
OTHER = [
    ({"a": 1}, {}, ["a: is not there; there is nothing"]),
    ({"a": None}, {"b": 1}, ["a: is not there; there is b"]),
    ({"a": 1}, {"a": 2}, ["a: expected 1, got 2"]),
    ({"a": {"b": 1}}, {"a": {"b": "1"}}, ["a.b: expected 1, got '1'"]),
    ({"a": {}}, {"a": []}, ["a: expected {}, got []"]),
    ([], [1], ["the whole: expected 0 elements, got 1"]),
    ([], {}, ["the whole: expected [], got {}"]),
    ([1, 2], [2, 1], ["0: expected 1, got 2", "1: expected 2, got 1"]),
    ({"a": [{"b": 1}]}, {"a": [{}]}, ["a.0.b: is not there; there is nothing"]),
    (1, True, ["the whole: expected 1, got True"]),
    (False, 0, ["the whole: expected False, got 0"]),
    ("", None, ["the whole: expected '', got None"]),
    ({"matches": "^a$"}, "ab", ["the whole: 'ab' does not match ^a$"]),
    ({"matches": "1"}, 1, ["the whole: 1 does not match 1"]),
    ({"type": "integer"}, True, ["the whole: True is not of type integer"]),
    ({"type": "integer"}, 1.5, ["the whole: 1.5 is not of type integer"]),
    ({"type": "string"}, None, ["the whole: None is not of type string"]),
    ({"type": "bounce"}, "bounce", ["the whole: expected {'type': 'bounce'}, got 'bounce'"]),
]


@pytest.mark.parametrize(("expected", "actual"), MATCHING)
def test_what_matches(expected: Any, actual: Any) -> None:
    """A subset matches."""
    assert [] == differences(expected, actual)


@pytest.mark.parametrize(("expected", "actual", "told"), OTHER)
def test_what_does_not_match(expected: Any, actual: Any, told: list[str]) -> None:
    """What is missing or other is told with its path."""
    assert told == differences(expected, actual)


def test_paths() -> None:
    """A dotted path leads to members and elements; absent is only what could be there."""
    document = {"a": [{"b": None}], "c": "text"}
    assert at(document, "a.0") == {"b": None}
    assert at(document, "a.0.b") is None
    for path in ("x", "a.1", "a.b", "c.d", "a.-1"):
        with pytest.raises(BadCase):
            at(document, path)
    assert is_absent(document, "x")
    assert is_absent(document, "a.0.x")
    assert is_absent(document, "a.1")
    assert not is_absent(document, "a.0")
    assert not is_absent(document, "a.0.b")
    for path in ("x.y", "a.1.b", "c.d"):
        with pytest.raises(BadCase):
            is_absent(document, path)


def test_types_of_yaml() -> None:
    """Values are of JSON's types; what older YAML takes for times, octals and booleans is text."""
    text = "- {a: 2026-11-01, b: yes, c: 1:30, d: 010, e: 1_0, f: 1, g: 1.5, h: null, i: true}"
    expected = ["2026-11-01", "yes", "1:30", "010", "1_0", 1, 1.5, None, True]
    assert [expected] == [list(record.values()) for record in parsed(text)]
    with pytest.raises(BadCase, match="stands twice"):
        parsed("- {a: 1, a: 2}")


GOOD = {"name": "n", "source": "s", "request": "GET /x", "status": 200}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"sauce": "s"}, "sauce"),
    ({"name": " "}, "name"),
    ({"source": ""}, "source"),
    ({"status": "200"}, "status"),
    ({"request": "/x"}, "method"),
    ({"request": "GET /x y"}, "method"),
    ({"request": None}, "follow"),
    ({"request": None, "follow": "a"}, "follow"),
    ({"expect": {}, "text": ""}, "expect"),
    ({"then": [{"status": 200}]}, "follow"),
    ({"then": [GOOD]}, "unknown field"),
    ({"headers": {"a": 1}}, "headers"),
]


def test_a_case_that_is_none(tmp_path: Path) -> None:
    """A typo in a file fails: its case does, and the others of the file do not."""
    assert GOOD["name"] == msgspec.convert(GOOD, Case).name
    for change, told in BAD:
        with pytest.raises(msgspec.ValidationError, match=told):
            msgspec.convert(GOOD | change, Case)
    (tmp_path / "d").mkdir()
    file = tmp_path / "d" / "t.yaml"
    file.write_text(f"[{msgspec.json.encode(GOOD).decode()}, {{name: m, requests: GET /}}, 3]")
    good, typo, number = entries(tmp_path)
    assert "d/t/n" == str(good)
    assert isinstance(good.case, Case)
    assert "requests" in str(typo.case)
    assert isinstance(number.case, BadCase)
    file.write_text("- {name: m")
    assert [BadCase] == [type(entry.case) for entry in entries(tmp_path)]


def test_times_that_are_relative() -> None:
    """Given events may tell their age, where an API only looks back from the present."""
    now = datetime(2026, 11, 10, 12, tzinfo=UTC)
    line = b'{"timestamp": "{1.5 days ago}", "subject": "{days} ago"}'
    expected = b'{"timestamp": "2026-11-09T00:00:00+00:00", "subject": "{days} ago"}'
    assert expected == dated(line, now)


def test_requests() -> None:
    """The key goes as the dialect sends it, unless the case says how; placeholders are filled."""
    before = {"next": "http://h/p?q=a%2Bb", "rows": [{"id": "a/b é"}]}

    def made(dialect: str, **step: Any) -> Request:
        return request_of(Step(status=200, **step), dialect, "k", before)

    assert made("sparkpost", request="GET /x").headers == {"Authorization": "k"}
    assert made("netcore", request="GET /x").headers == {"api_key": "k"}
    assert made("unosend", request="GET /x").headers == {"Authorization": "Bearer k"}
    assert made("smtpeter", request="GET /x").target == "/x?access_token=k"
    assert made("smtpeter", request="GET /x?y=1").target == "/x?y=1&access_token=k"
    assert made("smtpeter", request="GET /x?access_token={key}").target == "/x?access_token=k"
    assert made("smtpeter", request="GET /x", headers={}).target == "/x"
    assert made("netcore", request="GET /x", headers={}).headers == {}
    assert made("netcore", request="GET /x", headers={"A": "b {key}"}).headers == {"A": "b k"}
    assert made("netcore", follow="next").target == "/p?q=a%2Bb"
    filled = made("netcore", request="POST /{answer.rows.0.id}?a={x}", body={"b": 1})
    assert filled == Request("POST", "/a%2Fb%20%C3%A9?a={x}", {"api_key": "k"}, b'{"b":1}')
    with pytest.raises(BadCase):
        made("netcore", follow="rows")


def test_failings() -> None:
    """Status, headers, type, body and absent members are all compared."""
    answer = Answer(200, {"content-type": "text/plain", "retry-after": "3"}, b'{"a": 1}')

    def told(**step: Any) -> list[str]:
        return failings(Step(request="GET /x", **({"status": 200} | step)), answer)

    good = {"content_type": "text/plain", "answer_headers": {"Retry-After": {"matches": "^[0-9]$"}}}
    assert [] == told(**good, expect={"a": 1}, absent=["b"])
    assert [] == told(text='{"a": 1}')
    assert [] == told(text={"matches": "^{"})
    assert ["status: expected 201, got 200"] == told(status=201)
    assert ["content-type: expected 'a/b', got 'text/plain'"] == told(content_type="a/b")
    assert ["X: expected '', got None"] == told(answer_headers={"X": ""})
    assert ["a: is there"] == told(absent=["a"])
    assert ["a: expected 2, got 1"] == told(expect={"a": 2})
    assert ["body: expected '', got '{\"a\": 1}'"] == told(text="")
    plain = Answer(200, {}, b"text")
    assert ["body: is not JSON"] == failings(Step(request="GET /x", status=200, expect={}), plain)
    assert [] == failings(Step(request="GET /x", status=200), plain)
