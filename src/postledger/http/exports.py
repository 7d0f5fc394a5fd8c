"""Our own API: exports (contract `native.md`, section 7)."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from postledger.dialects.wire import Parameter
from postledger.errors import BadInput, Problem, Unreadable
from postledger.events import FIELD
from postledger.exports.asking import Asked
from postledger.exports.runner import Runner
from postledger.http import body, parameters
from postledger.http.auth import SCOPE, workspace_of
from postledger.http.download import download
from postledger.http.lane import Lane
from postledger.http.lookups import Lookups
from postledger.http.reads import Reads
from postledger.query import FILTERS, EventQuery
from postledger.settings import MIB
from postledger.state.exports import STATUSES, Job
from postledger.store.export import COMPRESSIONS, FORMATS
from postledger.store.reader import Reader

EXPORTS_PATH = "/ledger/v1/exports"
READ, WRITE = "exports:read", "exports:write"
_ALL = {"from": "1970-01-01", "to": "2200-01-01"}

AnyRequest = Request[Any, Any, Any]

FILTERING: tuple[Parameter, ...] = tuple(
    parameter for parameter in parameters.EVENTS if parameter.name in {*_ALL, *FILTERS}
)
_TEXT: dict[str, Any] = {"type": "string"}
_VALUE = {"type": ["string", "integer"]}
MEMBERS: dict[str, dict[str, Any]] = {
    "format": _TEXT | {"enum": list(FORMATS), "description": "Form of the file"},
    "compression": _TEXT
    | {
        "enum": list(COMPRESSIONS),
        "default": "none",
        "description": "Of the whole file; Parquet compresses within",
    },
    "filters": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            p.name: {"anyOf": [_VALUE, {"type": "array", "minItems": 1, "items": _VALUE}]}
            if p.repeatable
            else _TEXT
            for p in FILTERING
        },
        "description": "Parameters of `GET /ledger/v1/events` and their values; default: all",
    },
    "columns": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": _TEXT | {"enum": list(FIELD)},
        "description": "Fields, in this order; default: all, with ndjson the event as stored",
    },
    "name": _TEXT
    | {
        "pattern": "^[A-Za-z0-9._-]{1,64}$",
        "description": "Of a series of exports; one at a time is under way",
    },
    "incremental": {
        "type": "boolean",
        "default": False,
        "description": "Only what was stored since the last finished export of this name",
    },
}
"""What the body of a request may have, as JSON Schema."""


def export_routes(
    runner: Runner, reader: Reader, reads: Reads, lookups: Lookups, lane: Lane
) -> list[HTTPRouteHandler]:
    """The routes of exports."""
    adding = asyncio.Lock()
    """Who looks up the last number first is added first: else one that looked later could be done
    before, and the place of their name would go back."""

    @post(EXPORTS_PATH, status_code=202, opt={SCOPE: WRITE})
    async def start_export(request: AnyRequest) -> Response[bytes]:
        """Start an export of what has been stored so far."""
        parameters.none(request.query_params.multi_items())
        data, counted = await body.receive(request.stream(), lane, MIB)
        lane.release(counted)
        workspace = workspace_of(request)
        plain = body.decompress(data, request.headers.get("content-encoding", "").lower(), MIB)
        asked = read(plain, workspace, datetime.now(UTC))
        async with adding:
            last = await reads.ask(reader.last, workspace)
            job = await lookups.ask(runner.add, asked, last)
        return _json(shown(job), 202, Location=f"{EXPORTS_PATH}/{job.id}")

    @get(EXPORTS_PATH, opt={SCOPE: READ})
    async def list_exports(request: AnyRequest) -> Response[bytes]:
        """The exports of the workspace, the newest first."""
        parameters.none(request.query_params.multi_items())
        jobs = await lookups.ask(runner.of, workspace_of(request))
        return _json({"exports": [shown(job) for job in jobs]})

    @get(EXPORTS_PATH + "/{export_id:str}", opt={SCOPE: READ})
    async def show_export(request: AnyRequest, export_id: str) -> Response[bytes]:
        """How far an export is."""
        parameters.none(request.query_params.multi_items())
        return _json(shown(await lookups.ask(runner.get, workspace_of(request), export_id)))

    @get(EXPORTS_PATH + "/{export_id:str}/file", opt={SCOPE: READ})
    async def load_export(request: AnyRequest, export_id: str) -> Response[Any]:
        """The file, whole or in part."""
        parameters.none(request.query_params.multi_items())
        workspace = workspace_of(request)
        job, path = await lookups.ask(runner.file, workspace, export_id)
        name = f"{job.name or 'export'}-{path.name}"
        return download(request.headers, path, name, job.sha256 or "")

    @delete(EXPORTS_PATH + "/{export_id:str}", status_code=200, opt={SCOPE: WRITE})
    async def remove_export(request: AnyRequest, export_id: str) -> Response[bytes]:
        """Cancel an export that is under way; remove one that is not, with its file."""
        parameters.none(request.query_params.multi_items())
        workspace = workspace_of(request)
        job = await lookups.ask(runner.cancel_or_remove, workspace, export_id)
        return Response(b"", status_code=204) if job is None else _json(shown(job))

    return [start_export, list_exports, show_export, load_export, remove_export]


@asynccontextmanager
async def exporting(runner: Runner) -> AsyncIterator[None]:
    """Until the block is left, exports run."""
    await asyncio.to_thread(runner.start)
    try:
        yield
    finally:
        await asyncio.to_thread(runner.close)


def shown(job: Job) -> dict[str, Any]:
    """A job as the API gives it."""
    error = {} if job.error is None else {"error": job.error}
    name = {} if job.name is None else {"name": job.name}
    return {
        "id": job.id,
        "status": job.status,
        "format": job.asked["format"],
        "compression": job.asked["compression"],
        **name,
        "rows": job.rows,
        "rows_total": job.rows_total,
        "bytes": job.bytes,
        "sha256": job.sha256,
        "created_at": _time(job.created_at),
        "finished_at": job.finished_at and _time(job.finished_at),
        **error,
        "download_url": f"{EXPORTS_PATH}/{job.id}/file",
    }


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- the body of a request


def read(data: bytes, workspace: str, now: datetime) -> Asked:
    """What the body asks for. Raises BadInput that names the member or the filter."""
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise BadInput("the body is not a JSON object")
    unknown = [name for name in given if name not in MEMBERS]
    if unknown:
        problems = [Problem("is not a member of this request", parameter=name) for name in unknown]
        known = ", ".join(MEMBERS)
        raise BadInput(f"{unknown[0]} is not a member of this request: {known}", *problems)
    name, incremental = _name(given), given.get("incremental", False)
    if not isinstance(incremental, bool):
        raise BadInput.parameter("incremental", "expected true or false")
    if incremental and name is None:
        raise BadInput.parameter("name", "is needed with `incremental`, to say what to go on from")
    return Asked(
        _query(given.get("filters", {}), workspace, now),
        _one_of(given, "format", FORMATS),
        _one_of({"compression": "none"} | given, "compression", COMPRESSIONS),
        _columns(given),
        name,
        incremental,
    )


def _one_of(given: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = given.get(name)
    if value not in choices or not isinstance(value, str):
        raise BadInput.parameter(name, f"expected one of {', '.join(choices)}")
    return value


def _name(given: dict[str, Any]) -> str | None:
    name = given.get("name")
    if name is None:
        return None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise BadInput.parameter("name", "expected 1 to 64 letters, digits, '.', '_' and '-'")
    return name


def _columns(given: dict[str, Any]) -> tuple[str, ...] | None:
    names = given.get("columns")
    if names is None:
        return None
    if not isinstance(names, list) or not names:
        raise BadInput.parameter("columns", "expected a list of fields, one at least")
    for name in names:
        if not isinstance(name, str) or name not in FIELD:
            raise BadInput.parameter("columns", f"{name} is not a field of an event")
        if names.count(name) > 1:
            raise BadInput.parameter("columns", f"{name} is given twice")
    return tuple(names)


def _query(filters: object, workspace: str, now: datetime) -> EventQuery:
    if not isinstance(filters, dict):
        raise BadInput.parameter("filters", "expected an object of parameters and their values")
    given = parameters.collect(_pairs(filters), FILTERING)
    for name, default in _ALL.items():
        given.setdefault(name, [default])
    start, end = parameters.range_of(given, now, timedelta())
    return EventQuery(workspace, start, end, parameters.filters_of(given))


def _pairs(filters: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The filters as parameters of a query would give them."""
    for name, values in filters.items():
        if values == []:
            raise BadInput.parameter(name, "expected one value at least")
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise BadInput.parameter(name, "expected a text, an integer, or a list of them")
            yield name, str(value)


# -- for the description

SCHEMA: dict[str, Any] = {
    "ExportRequest": {
        "type": "object",
        "properties": MEMBERS,
        "required": ["format"],
        "additionalProperties": False,
    },
    "Export": {
        "type": "object",
        "properties": {
            "id": _TEXT,
            "status": _TEXT | {"enum": list(STATUSES)},
            "format": _TEXT,
            "compression": _TEXT,
            "name": _TEXT,
            "rows": {"type": "integer"},
            "rows_total": {"type": ["integer", "null"]},
            "bytes": {"type": "integer"},
            "sha256": {"type": ["string", "null"]},
            "created_at": _TEXT | {"format": "date-time"},
            "finished_at": {"type": ["string", "null"], "format": "date-time"},
            "error": _TEXT,
            "download_url": _TEXT,
        },
        "required": ["id", "status", "rows", "rows_total", "bytes", "sha256", "created_at"],
    },
}


def _json(content: object, status: int = 200, **headers: str) -> Response[bytes]:
    return Response(
        msgspec.json.encode(content),
        status_code=status,
        media_type=MediaType.JSON.value,
        headers=headers,
    )
