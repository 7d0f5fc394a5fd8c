"""The description of the API: OpenAPI 3.1 at `/openapi.json`, and a page for people at `/docs`.

Made from the tables that the code itself works with: the field registry, the parameters, the
failures. A test holds it to the application's routes.
"""

import re
from datetime import UTC, datetime
from functools import cache
from html import escape
from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from postledger import __version__
from postledger.dialects import DIALECTS
from postledger.dialects.wire import JSON, Call, Dialect, Operation, Parameter
from postledger.errors import NotFound
from postledger.events import EVENT_TYPES, FIELDS, STATES, Field, Kind
from postledger.http import exports, metrics
from postledger.http.parameters import EVENTS, FEED

Schema = dict[str, Any]

_KINDS: dict[Kind, Schema] = {
    Kind.TEXT: {"type": "string"},
    Kind.CODE: {"type": ["string", "integer"]},
    Kind.INTEGER: {"type": ["integer", "string"], "format": "int64"},
    Kind.BOOLEAN: {"enum": [True, False, 0, 1, "0", "1"]},
    Kind.TIME: {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.OBJECT: {"type": "object", "additionalProperties": True},
}
_KINDS_OUT = _KINDS | {
    Kind.CODE: {"type": "string"},
    Kind.INTEGER: {"type": "integer", "format": "int64"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TIME: {"type": "string", "format": "date-time"},
}
_ATOMIC = Parameter(
    "atomic",
    "`true`: one bad record refuses the whole body",
    schema=(("type", "boolean"), ("default", False)),
)


def description_routes() -> list[HTTPRouteHandler]:
    """Routes that need no key."""

    @get("/openapi.json")
    async def describe() -> Response[bytes]:
        """The OpenAPI description."""
        return Response(msgspec.json.encode(document()), media_type=MediaType.JSON)

    @get("/docs")
    async def show() -> Response[bytes]:
        """The description as a page."""
        return Response(
            page().encode(),
            media_type="text/html",
            headers={"Content-Security-Policy": _POLICY},
        )

    return [describe, show]


_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page has its style within it, and nothing else."""


@cache
def document() -> Schema:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postledger",
            "version": __version__,
            "summary": "The event ledger for e-mail",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _merged(_paths(), _dialect_paths()),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}
            | {name: scheme for each in DIALECTS for name, scheme in each.SECURITY.items()},
        },
        "security": [{"key": []}],
    }


def _paths() -> Schema:
    events_in = {
        "application/json": {"schema": {"anyOf": [_ref("Event"), _list(_ref("Event"))]}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    }
    sparkpost_in = {
        "application/json": {"schema": _list(_ref("SparkPostEvent"))},
        "application/x-ndjson": {"schema": {"type": "string"}},
    }
    return {
        "/ledger/v1/events": {
            "post": _storing("Store events", events_in, "StoreResult", [_ATOMIC]),
            "get": _reading("A page of events", "EventPage", EVENTS, faulty=True),
        },
        "/ledger/v1/events/{event_id}": {
            "get": _reading("One event", "StoredEvent", (), path="event_id")
        },
        "/ledger/v1/messages/{message_id}": {
            "get": _reading("What became of a message", "Timeline", (), path="message_id")
        },
        "/ledger/v1/feed": {
            "get": _reading("Events in the order of storing", "FeedPage", FEED, faulty=True)
        },
        metrics.METRICS_PATH: {
            "get": _reading("Figures", "Metrics", metrics.PARAMETERS, faulty=True)
        },
        "/ledger/v1/intake/sparkpost": {
            "post": _storing(
                "Store a webhook batch of SparkPost", sparkpost_in, "StoreResult", [_ATOMIC]
            )
        },
        "/api/v1/ingest/events": {
            "post": _storing("SparkPost: ingest events", sparkpost_in, "IngestResult", [])
            | {"security": [{"sparkpost": []}, {"key": []}]}
        },
        **_export_paths(),
        "/healthz": _open("The process lives", "application/json"),
        "/readyz": _open("Events can be stored and read", "application/json", not_ready=True),
        "/metrics": _open("Figures of the process (Prometheus)", "text/plain"),
        "/openapi.json": _open("This description", "application/json"),
        "/docs": _open("This description, for people", "text/html"),
    }


def _export_paths() -> Schema:
    """The paths of exports; each names its scope."""
    named = [{"name": "export_id", "in": "path", "required": True, "schema": {"type": "string"}}]
    body = {"required": True, "content": {"application/json": {"schema": _ref("ExportRequest")}}}
    file: Schema = {"description": "The file", "content": {"application/octet-stream": {}}}
    start = {
        "summary": "Start an export",
        "description": f"Needs the scope {exports.WRITE}.",
        "requestBody": body,
        "responses": {"202": _response("Export"), **_failures(*_KEYED, 413, 415, 503)},
    }
    load = _export("The file of an export", exports.READ, {"200": file}, named, 416)
    load["responses"] |= {"206": file, "304": {"description": "The file that you have"}}
    gone = {"200": _response("Export"), "204": {"description": "Removed, with its file"}}
    remove = _export("Cancel or remove an export", exports.WRITE, gone, named)
    one = exports.EXPORTS_PATH + "/{export_id}"
    return {
        exports.EXPORTS_PATH: {
            "post": start,
            "get": _export("The newest exports", exports.READ, {"200": _response("Exports")}),
        },
        one: {
            "get": _export("An export", exports.READ, {"200": _response("Export")}, named),
            "delete": remove,
        },
        one + "/file": {"get": load},
    }


def _export(
    summary: str, scope: str, answers: Schema, named: list[Schema] | None = None, *more: int
) -> Schema:
    failures = (*_KEYED, 404, 503, *more) if named else (*_KEYED, 503)
    return {
        "summary": summary,
        "description": f"Needs the scope {scope}.",
        "parameters": named or [],
        "responses": {**answers, **_failures(*failures)},
    }


def _merged(paths: Schema, more: Schema) -> Schema:
    return paths | {path: paths.get(path, {}) | methods for path, methods in more.items()}


def _dialect_paths() -> Schema:
    paths: Schema = {}
    for dialect in DIALECTS:
        for operation in dialect.OPERATIONS:
            path = operation.path.replace(":path}", "}")
            described = _dialect_operation(dialect, operation)
            paths.setdefault(path, {})[operation.method.lower()] = described
    return paths


def _dialect_operation(dialect: Dialect, operation: Operation) -> Schema:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)", operation.path)
    ]
    scope = operation.scope
    answer = {operation.media_type: {"schema": operation.answer}}
    answer |= {kind: {"schema": {"type": "string"}} for kind in operation.others}
    refused = dialect.refuse(NotFound("nothing there"), Call(operation.path, datetime.now(UTC)))
    failure: Schema = {refused.media_type.partition(";")[0]: {}}
    sent = {JSON: {"schema": operation.body}}
    body: Schema = {} if operation.body is None else {"requestBody": {"content": sent}}
    return {
        "summary": operation.summary,
        "description": f"Needs the scope {scope}." if scope else "Needs no key.",
        "tags": [dialect.NAME],
        "security": [{name: []} for name in dialect.SECURITY] if scope else [],
        "parameters": in_path + [_parameter(each) for each in operation.parameters],
        **body,
        "responses": {
            str(operation.status): {"description": "Done", "content": answer},
            "default": {"description": "A failure, in the dialect's shape", "content": failure},
        },
    }


def _storing(summary: str, content: Schema, result: str, parameters: list[Parameter]) -> Schema:
    return {
        "summary": summary,
        "description": "Content-Encoding may be gzip or zstd. Needs the scope events:write.",
        "parameters": [_parameter(parameter) for parameter in parameters],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": _response(result), **_failures(*_KEYED, 413, 415, 422, 503)},
    }


def _reading(
    summary: str,
    result: str,
    parameters: tuple[Parameter, ...],
    *,
    path: str | None = None,
    faulty: bool = False,
) -> Schema:
    in_path = {"name": path, "in": "path", "required": True, "schema": {"type": "string"}}
    failures = (*_KEYED, 503) if faulty else (*_KEYED, 404, 503)
    return {
        "summary": summary,
        "description": "Needs the scope events:read.",
        "parameters": ([in_path] if path else []) + [_parameter(p) for p in parameters],
        "responses": {"200": _response(result), **_failures(*failures)},
    }


def _open(summary: str, media_type: str, *, not_ready: bool = False) -> Schema:
    answer = {"description": summary, "content": {media_type: {}}}
    failures = _failures(503) if not_ready else {}
    return {"get": {"summary": summary, "security": [], "responses": {"200": answer, **failures}}}


def _parameter(parameter: Parameter) -> Schema:
    schema: Schema = dict(parameter.schema)
    if parameter.name == "type":
        schema["enum"] = list(EVENT_TYPES)
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "schema": _list(schema) if parameter.repeatable else schema,
    }


_FAILURES = {
    400: "A parameter, a header or the body cannot be meant",
    401: "No key, or none that is valid",
    403: "The key lacks the scope",
    404: "Not found in this workspace",
    413: "The body is larger than max_body_bytes",
    416: "The file has none of the bytes asked for",
    415: "A content type or encoding other than the ones named",
    422: "No record is good, or with `atomic` one is not; nothing was stored",
    429: "More requests than `key_rate` or `workspace_rate` allows; try again after `Retry-After`",
    503: "Try again after `Retry-After` seconds",
}


_KEYED = (400, 401, 403, 429)
"""What any request with a key may get."""


def _failures(*statuses: int) -> Schema:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {str(s): {"description": _FAILURES[s], "content": content} for s in sorted(statuses)}


def _response(schema: str) -> Schema:
    content = {"application/json": {"schema": _ref(schema)}}
    return {"description": "Done", "content": content}


def _schemas() -> Schema:
    text, number = {"type": "string"}, {"type": "integer"}
    problem = {
        "message": text,
        "parameter": text,
        "index": number,
        "field": text,
    }
    errors = _list(_object(problem, "message"))
    result = {"accepted": number, "duplicates": number, "rejected": number, "errors": errors}
    stored = _ref("StoredEvent")
    recipient = {
        "rcpt_to": text,
        "state": {"type": "string", "enum": list(STATES)},
        "events": _list(stored),
    }
    following: Schema = {"type": ["string", "null"]}
    return {
        "Event": _event(_KINDS, "type", "timestamp"),
        "StoredEvent": _event(_KINDS_OUT, "event_id", "type", "timestamp", "received_at"),
        "SparkPostEvent": _object({"msys": {"type": "object"}}, "msys"),
        "StoreResult": _object(result, *result),
        "IngestResult": _object({"results": _object({"id": text}, "id")}, "results"),
        "EventPage": _object(
            {"events": _list(stored), "next": following, "total": number}, "events", "next"
        ),
        "FeedPage": _object({"events": _list(stored), "next": text}, "events", "next"),
        "Timeline": _object(
            {"message_id": text, "recipients": _list(_object(recipient, *recipient))},
            "message_id",
            "recipients",
        ),
        "Metrics": metrics.SCHEMA,
        **exports.SCHEMA,
        "Exports": _object({"exports": _list(_ref("Export"))}, "exports"),
        "Problem": _object(
            {"type": text, "title": text, "status": number, "detail": text, "errors": errors},
            "title",
            "status",
        ),
    }


def _event(kinds: dict[Kind, Schema], *required: str) -> Schema:
    return _object({field.name: _field(field, kinds) for field in FIELDS}, *required)


def _field(field: Field, kinds: dict[Kind, Schema]) -> Schema:
    described = {"description": field.meaning, "examples": [field.sample]}
    if field.name == "type":
        return {"type": "string", "enum": list(EVENT_TYPES), **described}
    return kinds[field.kind] | described


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


# -- for people


@cache
def page() -> str:
    """The description as one HTML page that loads nothing from elsewhere."""
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    )
    fields = "".join(_row(f.name, f"{f.kind.value}. {f.meaning}") for f in FIELDS)
    types = "".join(_row(name, meaning) for name, meaning in EVENT_TYPES.items())
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Postledger API</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
        "padding:0 1rem}td{vertical-align:top;padding:.1rem .8rem .1rem 0}code{background:#f3f3f3;"
        "padding:0 .2rem}h2{margin-top:2rem}</style>"
        f"<h1>Postledger {escape(__version__)}</h1><p>OpenAPI: <a href=/openapi.json>"
        f"/openapi.json</a></p>{operations}<h2>Event fields</h2><table>{fields}</table>"
        f"<h2>Event types</h2><table>{types}</table></html>"
    )


def _operation(method: str, path: str, operation: Schema) -> str:
    rows = "".join(
        _row(parameter["name"], parameter.get("description", "in the path"))
        for parameter in operation.get("parameters", [])
    )
    answers = "".join(_row(s, a["description"]) for s, a in operation["responses"].items())
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}. "
        f"{escape(operation.get('description', ''))}</p><table>{rows}{answers}</table>"
    )


def _row(name: str, text: str) -> str:
    return f"<tr><td><code>{escape(name)}</code><td>{escape(text)}"
