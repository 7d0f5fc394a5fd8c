"""The description of the API: whole, well formed, and true."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conftest import Client
from making import ALL_TIME, Event, event
from postledger.events import EVENT_TYPES, FIELDS, STATES
from postledger.http.description import document, page
from postledger.http.metrics import METRICS_PATH
from postledger.http.metrics import PARAMETERS as FIGURES
from postledger.http.parameters import EVENTS, FEED

PROGRAM = """
import json, sys
from postledger.http.app import application
from postledger.settings import load
from postledger.state.keys import open_keyring
from postledger.store.engine import Engine
from postledger.store.writer import Writer

settings = load({}, overrides={"data_dir": sys.argv[1]})
engine = Engine(settings)
app = application(settings, engine, Writer(engine, {}), open_keyring(settings))._app._app
print(json.dumps([[route.path_format, sorted(route.methods)] for route in app.routes]))
engine.close()
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Path and method of every route of the application."""
    directory = tmp_path_factory.mktemp("routes")
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory)], capture_output=True, text=True, check=False
    )
    assert program.returncode == 0, program.stderr
    routes = json.loads(program.stdout.splitlines()[-1])
    return {
        (re.sub(r":\w+}", "}", path), method.lower())
        for path, methods in routes
        for method in methods
        if method not in {"OPTIONS", "HEAD"}
    }


def test_routes(served: set[tuple[str, str]]) -> None:
    """Every route of the application is described, and no other."""
    described = {
        (path, method) for path, methods in document()["paths"].items() for method in methods
    }
    assert served == described


def test_served(client: Client) -> None:
    """`/openapi.json` serves the document, as JSON."""
    answer = Client(client.address, "").request("GET", "/openapi.json")
    assert (200, "application/json") == (answer.status, answer.headers["content-type"])
    assert document() == answer.json()


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON document."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from inside(each)
    elif isinstance(value, list):
        for each in value:
            yield from inside(each)


def test_form() -> None:
    """The document has the parts that OpenAPI 3.1 wants, and every reference leads somewhere."""
    whole = document()
    assert re.fullmatch(r"3\.1\.\d+", whole["openapi"])
    assert {"title", "version"} <= whole["info"].keys()
    schemes = whole["components"]["securitySchemes"]
    for path, methods in whole["paths"].items():
        assert path.startswith("/")
        for method, operation in methods.items():
            assert method in {"get", "post", "put", "patch", "delete"}
            assert operation["summary"]
            assert operation["responses"]
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5]\d\d|default", status)
                assert response["description"]
            for needed in operation.get("security", whole["security"]):
                assert needed.keys() <= schemes.keys()
            parameters = operation.get("parameters", [])
            named = [(parameter["name"], parameter["in"]) for parameter in parameters]
            assert len(named) == len(set(named))
            in_path = {name for name, place in named if place == "path"}
            assert set(re.findall(r"{(\w+)}", path)) == in_path
            assert all("schema" in parameter for parameter in parameters)
            assert all(p.get("required") for p in parameters if p["in"] == "path")
    for reference in (found["$ref"] for found in inside(whole) if "$ref" in found):
        assert reference.removeprefix("#/components/schemas/") in whole["components"]["schemas"]
    assert whole == json.loads(json.dumps(whole))


@pytest.mark.parametrize("status", ["429", "503"])
def test_what_any_request_may_get(status: str) -> None:
    """Each request of our own API that needs a key may be one too many, or find a store away."""
    for path, methods in document()["paths"].items():
        if path.startswith("/ledger/v1"):
            assert all(status in operation["responses"] for operation in methods.values()), path


def test_registry() -> None:
    """The schemas of events have every field and type of the registry."""
    schemas = document()["components"]["schemas"]
    for name in ("Event", "StoredEvent"):
        assert [field.name for field in FIELDS] == list(schemas[name]["properties"])
        assert list(EVENT_TYPES) == schemas[name]["properties"]["type"]["enum"]
    recipient = schemas["Timeline"]["properties"]["recipients"]["items"]
    assert list(STATES) == recipient["properties"]["state"]["enum"]
    for path, known in (
        ("/ledger/v1/events", EVENTS),
        ("/ledger/v1/feed", FEED),
        (METRICS_PATH, FIGURES),
    ):
        described = document()["paths"][path]["get"]["parameters"]
        assert [parameter.name for parameter in known] == [one["name"] for one in described]


TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def fits(value: Any, schema: dict[str, Any]) -> bool:  # noqa: PLR0911 -- one a keyword
    """Whether a value is what a schema says; the parts of JSON Schema that the document uses."""
    if "$ref" in schema:
        return fits(value, document()["components"]["schemas"][schema["$ref"].split("/")[-1]])
    if "anyOf" in schema:
        return any(fits(value, each) for each in schema["anyOf"])
    if "enum" in schema and value not in schema["enum"]:
        return False
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return False
    if isinstance(value, list) and "items" in schema:
        return all(fits(each, schema["items"]) for each in value)
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return set(schema.get("required", ())) <= value.keys() and all(
            fits(each, known[name]) for name, each in value.items() if name in known
        )
    return True


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])  # type: ignore[arg-type]


def test_answers_fit(client: Client) -> None:
    """What the server answers is what the description says: events, pages, counts, failures."""
    sample: Event = {field.name: field.sample for field in FIELDS}
    client.store(sample, event(1, message_id="m"))
    place = f"/ledger/v1/events?{ALL_TIME}"
    asked = [
        ("get", "/ledger/v1/events", place, 200),
        ("get", "/ledger/v1/events", place + "&limit=1&total=true", 200),
        ("get", "/ledger/v1/events", place + "&limit=0", 400),
        ("get", "/ledger/v1/events/{event_id}", f"/ledger/v1/events/{sample['event_id']}", 200),
        ("get", "/ledger/v1/events/{event_id}", "/ledger/v1/events/none", 404),
        ("get", "/ledger/v1/messages/{message_id}", "/ledger/v1/messages/m", 200),
        ("get", "/ledger/v1/messages/{message_id}", "/ledger/v1/messages/none", 404),
        ("get", "/ledger/v1/feed", "/ledger/v1/feed", 200),
        ("get", "/ledger/v1/feed", "/ledger/v1/feed?after=x", 400),
        ("get", METRICS_PATH, f"{METRICS_PATH}?{ALL_TIME}&group_by=bounce_class", 200),
        ("get", METRICS_PATH, f"{METRICS_PATH}?{ALL_TIME}&interval=month&group_by=type", 200),
        ("get", METRICS_PATH, f"{METRICS_PATH}?metric=x", 400),
        ("post", "/ledger/v1/events", "/ledger/v1/events", 200),
        ("post", "/ledger/v1/events", "/ledger/v1/events?atomic=x", 400),
        ("post", "/ledger/v1/intake/sparkpost", "/ledger/v1/intake/sparkpost", 422),
    ]
    for method, path, address, status in asked:
        body = json.dumps(sample).encode() if method == "post" else None
        answer = client.request(method.upper(), address, body, {"Content-Type": "application/json"})
        assert status == answer.status, answer
        described = document()["paths"][path][method]["responses"][str(status)]["content"]
        media_type = answer.headers["content-type"].partition(";")[0]
        assert fits(answer.json(), described[media_type]["schema"]), (address, answer)


def test_the_sample_fits() -> None:
    """An event of samples is what the schema of events says, and one without a time is not."""
    schema = document()["components"]["schemas"]["Event"]
    sample = {field.name: field.sample for field in FIELDS}
    assert fits(sample, schema)
    assert not fits({"type": "open"}, schema)
    assert not fits(sample | {"type": "no such"}, schema)
    assert not fits(sample | {"msg_size": []}, schema)


class Links(HTMLParser):
    """Collects what a page loads or leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "action"}]


def test_page(client: Client) -> None:
    """`/docs` shows every route, field and type, and loads nothing from anywhere."""
    answer = Client(client.address, "").request("GET", "/docs")
    assert (200, "text/html; charset=utf-8") == (answer.status, answer.headers["content-type"])
    text = answer.body.decode()
    assert page() == text
    links = Links()
    links.feed(text)
    assert ["/openapi.json"] == sorted(set(links.found))
    assert not links.tags & {"script", "link", "img", "iframe"}
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in document()["paths"]:
        assert path in text
    for name in [*EVENT_TYPES, *(field.name for field in FIELDS)]:
        assert f"<code>{name}</code>" in text


def test_installed_type_marker() -> None:
    """The package says that it has types."""
    import postledger

    assert (Path(postledger.__file__).parent / "py.typed").exists()
