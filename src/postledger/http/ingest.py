"""SparkPost's own path for events that are handed in, `POST /api/v1/ingest/events`.

Contract `bird-sparkpost.md`, sections 5.1 and 8. The answer is SparkPost's, `{"results": {"id":
UUID}}`. What SparkPost tells later, in ingest events, is told at once: bad records are named in
`errors`, next to `results`, where a client that looks for `results` passes over them.
"""

import uuid
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, post
from litestar.handlers import HTTPRouteHandler

from postledger.errors import PostledgerError, Problem
from postledger.http import problems
from postledger.http.auth import CARRIER, SCOPE, sparkpost_key, workspace_of
from postledger.http.ledger import MOST_ERRORS_LISTED, Intake
from postledger.intake import sparkpost

AnyRequest = Request[Any, Any, Any]

_CODES = {400: "1200", 413: "1300", 415: "1700", 422: "1300", 503: "1900"}
_MESSAGES = {401: "Unauthorized.", 403: "Forbidden."}


def ingest_routes(intake: Intake) -> list[HTTPRouteHandler]:
    """The route that takes SparkPost's ingest lines."""

    @post(
        "/api/v1/ingest/events",
        status_code=200,
        opt={SCOPE: "events:write", CARRIER: sparkpost_key},
        exception_handlers={PostledgerError: _refuse},
    )
    async def ingest(request: AnyRequest) -> Response[bytes]:
        """Store newline-delimited events in SparkPost's envelope."""
        stored = await intake.store(
            workspace_of(request), request.headers, request.stream(), "sparkpost", sparkpost.read
        )
        named = [_element(problem) for problem in stored.bad[:MOST_ERRORS_LISTED]]
        if stored.nothing_usable and not stored.pinged:
            return _json(422, {"errors": named})
        members: dict[str, Any] = {"results": {"id": str(uuid.uuid4())}}
        return _json(200, members | ({"errors": named} if named else {}))

    return [ingest]


def _refuse(_: AnyRequest, error: PostledgerError) -> Response[bytes]:
    status, headers = problems.status_of(error), problems.headers_of(error)
    element: dict[str, Any] = {"message": _MESSAGES.get(status, error.title)}
    if status in _CODES:
        element |= {"code": _CODES[status], "description": str(error)}
    return _json(status, {"errors": [element]}, headers)


def _element(problem: Problem) -> dict[str, Any]:
    where = f"line {problem.index}" + (f", {problem.field}" if problem.field else "")
    return {
        "message": "invalid data format/type",
        "code": "1300",
        "description": f"{where}: {problem.message}",
    }


def _json(status: int, content: object, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        msgspec.json.encode(content),
        status_code=status,
        media_type=MediaType.JSON,
        headers=headers or {},
    )
