"""SparkPost's own path for events that are handed in, `POST /api/v1/ingest/events`.

Contract `bird-sparkpost.md`, sections 5.1 and 8. The answer is SparkPost's, `{"results": {"id":
UUID}}`. What SparkPost tells later, in ingest events, is told at once: bad records are named in
`errors`, next to `results`, where a client that looks for `results` passes over them.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, post
from litestar.handlers import HTTPRouteHandler

from postledger.dialects import sparkpost as dialect
from postledger.dialects.wire import Call
from postledger.errors import PostledgerError, Problem
from postledger.http.auth import CARRIER, SCOPE, Connection, workspace_of
from postledger.http.ledger import MOST_ERRORS_LISTED, Intake
from postledger.intake import sparkpost

AnyRequest = Request[Any, Any, Any]


def ingest_routes(intake: Intake) -> list[HTTPRouteHandler]:
    """The route that takes SparkPost's ingest lines."""

    @post(
        "/api/v1/ingest/events",
        status_code=200,
        opt={SCOPE: "events:write", CARRIER: _key},
        exception_handlers={PostledgerError: _refuse},
    )
    async def ingest(request: AnyRequest) -> Response[bytes]:
        """Store newline-delimited events in SparkPost's envelope."""
        stored = await intake.store(
            workspace_of(request), request.headers, request.stream(), "sparkpost", sparkpost.read
        )
        named = [_element(_told(problem)) for problem in stored.bad[:MOST_ERRORS_LISTED]]
        if more := len(stored.bad) - len(named):
            named.append(_element(f"{more} more records are bad"))
        if stored.nothing_usable and not stored.pinged:
            return _json(422, {"errors": named})
        members: dict[str, Any] = {"results": {"id": str(uuid.uuid4())}}
        return _json(200, members | ({"errors": named} if named else {}))

    return [ingest]


def _key(connection: Connection) -> str:
    return dialect.key(_call(connection))


def _refuse(request: AnyRequest, error: PostledgerError) -> Response[bytes]:
    reply = dialect.refuse(error, _call(request))
    body = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)
    return Response(
        body,
        status_code=reply.status,
        media_type=reply.media_type,
        headers=dict(reply.headers),
    )


def _call(connection: Connection) -> Call:
    """As far as the dialect looks at it for a key and a failure."""
    return Call(connection.scope["path"], datetime.now(UTC), headers=dict(connection.headers))


def _told(problem: Problem) -> str:
    """Records are counted from 0, blank lines are none."""
    where = f"record {problem.index}" + (f", {problem.field}" if problem.field else "")
    return f"{where}: {problem.message}"


def _element(description: str) -> dict[str, Any]:
    return {
        "message": "invalid data format/type",
        "code": "1300",
        "description": description,
    }


def _json(status: int, content: object) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type=MediaType.JSON)
