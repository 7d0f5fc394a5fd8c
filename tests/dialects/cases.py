"""Wire compatibility as data: what a case is, how it is read, sent and compared.

`cases/README.md` describes the format. The files are YAML with JSON's types: a date, `yes` and
`1:30` are strings, and a name that stands twice in an object is a mistake.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import yaml
from msgspec import UNSET, UnsetType

from conftest import Answer

HOME = Path(__file__).with_suffix("")


class BadCase(Exception):
    """A case that cannot be meant: a typo, a missing file, a path that leads nowhere."""


# -- what a case is


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One request and what its answer is to be. `follow` is only for steps after the first."""

    request: str | None = None
    follow: str | None = None
    headers: dict[str, str] | None = None
    body: Any = UNSET
    status: int
    expect: Any = UNSET
    text: str | dict[str, str] | UnsetType = UNSET
    absent: list[str] = []
    content_type: str | None = None
    answer_headers: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if (self.request is None) == (self.follow is None):
            raise ValueError("one of `request` and `follow` is needed")
        if self.request is not None and not re.fullmatch(r"[A-Z]+ /[^\s]*", self.request):
            raise ValueError("`request` is a method, a space, and a path with its query")
        if self.expect is not UNSET and self.text is not UNSET:
            raise ValueError("`expect` is for JSON and `text` for other bodies")


class Case(Step, frozen=True, kw_only=True):
    """A step with a name and a source, and what is stored before it."""

    name: str
    source: str
    given: str = "events"
    options: dict[str, str] = {}
    local: bool = False
    then: list[Step] = []

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.follow is not None:
            raise ValueError("the first step has no answer to follow")
        if not self.name.strip() or not self.source.strip():
            raise ValueError("a case has a name and a source")


# -- reading


class _Loader(yaml.SafeLoader):
    """YAML with JSON's types only."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise BadCase(f"{name} stands twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    (
        "float",
        r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?",
        list("-0123456789"),
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_form})\Z"), _first
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A case of a file, or why it is none."""

    dialect: str
    topic: str
    name: str
    case: Case | BadCase

    def __str__(self) -> str:
        return f"{self.dialect}/{self.topic}/{self.name}"


def entries(home: Path = HOME) -> list[Entry]:
    """All cases, in the order of their files."""
    return [
        Entry(path.parent.name, path.stem, name, case)
        for path in sorted(home.glob("*/*.yaml"))
        for name, case in _in_file(path)
    ]


def _in_file(path: Path) -> Iterator[tuple[str, Case | BadCase]]:
    try:
        found = parsed(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, BadCase) as error:
        yield "unreadable", BadCase(f"{path}: {error}")
        return
    for number, record in enumerate(found, start=1):
        name = record.get("name") if isinstance(record, dict) else None
        try:
            yield str(name), msgspec.convert(record, Case)
        except msgspec.ValidationError as error:
            yield str(name or number), BadCase(f"{path}, case {number}, {name}: {error}")


def parsed(text: str) -> list[Any]:
    """The list in a file. Raises BadCase, YAMLError."""
    found = yaml.load(text, _Loader)
    if not isinstance(found, list):
        raise BadCase("a file of cases is a list")
    return found


_AGO = re.compile(rb"{([0-9]+(?:\.[0-9]+)?) days ago}")


def dated(events: bytes, now: datetime) -> bytes:
    """Events with `{3 days ago}` filled in: some APIs only look back from the present."""

    def fill(found: re.Match[bytes]) -> bytes:
        return (now - timedelta(days=float(found[1]))).isoformat().encode()

    return _AGO.sub(fill, events)


# -- sending

CARRIERS: dict[str, dict[str, str]] = {
    "sparkpost": {"Authorization": "{key}"},
    "netcore": {"api_key": "{key}"},
    "unosend": {"Authorization": "Bearer {key}"},
    "smtpeter": {},
}
"""The usual way to send the key, where that is a header."""

IN_QUERY = {"smtpeter": "access_token"}
"""The parameter that carries the key, where it is one."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def request_of(step: Step, dialect: str, key: str, before: Any = None) -> Request:
    """The request of a step, its placeholders filled; `before` is the answer of the step before."""
    text = f"GET {_followed(step.follow, before)}" if step.follow else step.request or ""
    method, target = text.split(" ", 1)
    if not step.follow:
        target = _filled(target, key, before)
    headers = CARRIERS[dialect] if step.headers is None else step.headers
    if step.headers is None and dialect in IN_QUERY and f"{IN_QUERY[dialect]}=" not in target:
        target += f"{'&' if '?' in target else '?'}{IN_QUERY[dialect]}={quote(key)}"
    made = {name: value.replace("{key}", key) for name, value in headers.items()}
    return Request(method, target, made, _body(step))


def _body(step: Step) -> bytes:
    if step.body is UNSET:
        return b""
    return step.body.encode() if isinstance(step.body, str) else msgspec.json.encode(step.body)


def _followed(path: str, before: Any) -> str:
    found = at(before, path)
    if not isinstance(found, str):
        raise BadCase(f"{path} of the answer before is {found!r}, which is no link")
    parts = urlsplit(found)
    return parts._replace(scheme="", netloc="").geturl()


def _filled(target: str, key: str, before: Any) -> str:
    def fill(found: re.Match[str]) -> str:
        return quote(str(at(before, found[1])), safe="")

    return re.sub(r"{answer\.([^}]+)}", fill, target).replace("{key}", quote(key))


def send(address: str, request: Request) -> Answer:
    """Send a request as it stands, its target untouched but for UTF-8; what came back."""
    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    lines = {"Host": parts.netloc, "Connection": "close"} | dict(request.headers)
    if request.body or request.method not in {"GET", "HEAD"}:
        lines["Content-Length"] = str(len(request.body))
    if request.body and "content-type" not in {name.lower() for name in lines}:
        lines["Content-Type"] = "application/json"
    head = f"{request.method} {parts.path}{request.target} HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in lines.items()
    )
    with closing(kind(parts.netloc, timeout=60)) as connection:
        connection.send(head.encode() + b"\r\n" + request.body)
        return received(connection, request.method)


def received(connection: HTTPConnection, method: str = "GET") -> Answer:
    """The answer to what was sent over a connection."""
    with closing(HTTPResponse(connection.sock, method=method)) as answer:
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())


# -- comparing

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where `actual` is not what was expected; nothing: it is.

    Objects may have more members; lists have the same length and order; scalars are equal.
    `{matches: regex}` is for a string that has a match, `{type: string}` for any of a JSON type.
    """
    here = path or "the whole"
    match expected:
        case {"matches": str(pattern), **rest} if not rest:
            fits = isinstance(actual, str) and re.search(pattern, actual)
            return [] if fits else [f"{here}: {actual!r} does not match {pattern}"]
        case {"type": str(name), **rest} if not rest and name in _TYPES:
            return [] if _is(actual, name) else [f"{here}: {actual!r} is not of type {name}"]
        case dict() if isinstance(actual, dict):
            return [each for name in expected for each in _member(expected, actual, name, path)]
        case list() if isinstance(actual, list):
            return _elements(expected, actual, path)
    if isinstance(expected, bool) or isinstance(actual, bool):
        equal = expected is actual
    else:
        equal = expected == actual
    return [] if equal else [f"{here}: expected {expected!r}, got {actual!r}"]


def _is(actual: Any, name: str) -> bool:
    if isinstance(actual, bool):
        return name == "boolean"
    return isinstance(actual, _TYPES[name])


def _member(expected: dict[str, Any], actual: dict[str, Any], name: str, path: str) -> list[str]:
    below = f"{path}.{name}".lstrip(".")
    if name not in actual:
        return [f"{below}: is not there; there is {', '.join(actual) or 'nothing'}"]
    return differences(expected[name], actual[name], below)


def _elements(expected: list[Any], actual: list[Any], path: str) -> list[str]:
    if len(expected) != len(actual):
        return [f"{path or 'the whole'}: expected {len(expected)} elements, got {len(actual)}"]
    return [
        each
        for number, pair in enumerate(zip(expected, actual, strict=True))
        for each in differences(*pair, f"{path}.{number}".lstrip("."))
    ]


def at(document: Any, path: str) -> Any:
    """What a dotted path leads to. Raises BadCase when that is nowhere."""
    for name in path.split("."):
        match document:
            case dict() if name in document:
                document = document[name]
            case list() if name.isdecimal() and int(name) < len(document):
                document = document[int(name)]
            case _:
                raise BadCase(f"{path} leads nowhere, for want of {name}")
    return document


def is_absent(document: Any, path: str) -> bool:
    """Whether a path leads nowhere, though what it is in is there; else BadCase."""
    above, _, name = path.rpartition(".")
    within = at(document, above) if above else document
    if isinstance(within, list):
        return not name.isdecimal() or int(name) >= len(within)
    if not isinstance(within, dict):
        raise BadCase(f"{above} is neither object nor array")
    return name not in within


def failings(step: Step, answer: Answer) -> list[str]:
    """What is wrong with the answer to a step; nothing: all is as expected."""
    found = differences(step.status, answer.status, "status")
    if step.content_type is not None:
        given = answer.headers.get("content-type")
        found += differences(step.content_type, given, "content-type")
    for name, expected in step.answer_headers.items():
        found += differences(expected, answer.headers.get(name.lower()), name)
    if step.text is not UNSET:
        found += differences(step.text, answer.body.decode(), "body")
    if step.expect is UNSET and not step.absent:
        return found
    try:
        document = answer.json()
    except ValueError:
        return [*found, "body: is not JSON"]
    if step.expect is not UNSET:
        found += differences(step.expect, document)
    return found + [f"{path}: is there" for path in step.absent if not is_absent(document, path)]
