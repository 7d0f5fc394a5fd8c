"""From a request to a dialect's call, and from its reply to a response; the same for every dialect.

Whatever goes wrong, a key that is missing, a limit that is reached, a mistake of ours, is told in
the dialect's own shape.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler, route
from litestar.response import Stream

from postledger.dialects.wire import Call, Dialect, Operation, Reply
from postledger.errors import (
    BadInput,
    NotFound,
    PostledgerError,
    Unexpected,
    UriTooLong,
    WrongMethod,
)
from postledger.http import body
from postledger.http.auth import Guard, by_name
from postledger.http.lane import Lane
from postledger.http.limits import Limits
from postledger.http.reads import Reads
from postledger.settings import KIB

_LOG = structlog.get_logger()

AnyRequest = Request[Any, Any, Any]
Work = Callable[[Call], Awaitable[Reply | Response[Any]]]
"""What to do; a file is a response already."""
LARGEST_BODY = 64 * KIB


class Mount:
    """Makes routes of a dialect's operations."""

    def __init__(self, guard: Guard, limits: Limits, reads: Reads, lane: Lane) -> None:
        self._guard = guard
        self._limits = limits
        self._reads = reads
        self._lane = lane

    def routes(self, dialect: Dialect, work: Mapping[str, Work]) -> list[HTTPRouteHandler]:
        """A route for each operation; `work` has what to do, by the operation's path."""
        return [self._route(dialect, each, work[each.path]) for each in dialect.OPERATIONS]

    def _route(self, dialect: Dialect, operation: Operation, work: Work) -> HTTPRouteHandler:
        @route(_template(operation.path), http_method=operation.method)  # type: ignore[arg-type]
        async def handle(request: AnyRequest) -> Response[Any]:
            call = _call(request)
            try:
                call = await self._admitted(dialect, operation, call, request)
                if operation.body is not None:
                    call = replace(call, body=await self._body(request))
                reply = await work(call)
                return await self._response(reply)
            except PostledgerError as error:
                return _plain(dialect.refuse(error, call))
            except HTTPException:
                raise  # of the framework: the client went away
            except Exception as error:  # noqa: BLE001 -- the edge: logged, and told without detail
                _LOG.error("failed", route=operation.path, exc_info=error)
                return _plain(dialect.refuse(Unexpected(_OURS), call))

        return handle

    async def _admitted(
        self, dialect: Dialect, operation: Operation, call: Call, request: AnyRequest
    ) -> Call:
        """The call with its workspace, once its key has been checked and counted."""
        if _uri_length(request) > dialect.LONGEST_URI:
            raise UriTooLong(f"path and query have more than {dialect.LONGEST_URI} bytes")
        if operation.scope is None:
            return call
        key = await self._guard.check(dialect.key(call), operation.scope)
        return replace(
            call,
            workspace=key.workspace,
            options=await self._guard.options(key.workspace),
            allowance=self._limits.left(key),
        )

    async def _body(self, request: AnyRequest) -> bytes:
        data, counted = await body.receive(request.stream(), self._lane, LARGEST_BODY)
        self._lane.release(counted)
        encoding = request.headers.get("content-encoding", "").lower()
        return body.decompress(data, encoding, LARGEST_BODY)

    async def _response(self, reply: Reply | Response[Any]) -> Response[Any]:
        if isinstance(reply, Response):
            return reply
        if isinstance(reply.body, bytes):
            return _plain(reply)
        pieces = reply.body
        first = await self._reads.ask(_next, pieces)  # what fails at once is told as a failure
        return Stream(
            self._following(first, pieces),
            status_code=reply.status,
            media_type=reply.media_type,
            headers=dict(reply.headers),
        )

    async def _following(
        self, piece: bytes | None, pieces: Iterator[bytes]
    ) -> AsyncIterator[bytes]:
        while piece is not None:
            yield piece
            piece = await self._reads.ask(_next, pieces)


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="postledger"'}
"""What HTTP wants with each 401 (RFC 9110, section 11.6.1)."""
_OURS = "this is a mistake in Postledger; see its log"


def refusal(
    dialects: tuple[Dialect, ...], request: AnyRequest, error: HTTPException
) -> Response[Any] | None:
    """The answer of the dialect that a path belongs to, for what the framework refuses; None: it
    belongs to none."""
    call = _call(request)
    owner = _owner(dialects, call.path)
    if owner is None:
        return None
    reply = owner.refuse(_meaning(error, request.method, call.path), call)
    return _plain(replace(reply, headers={**(error.headers or {}), **reply.headers}))


def _meaning(error: HTTPException, method: str, path: str) -> PostledgerError:
    """What the framework refuses, in the domain's words."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound(f"there is nothing at {path}")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return WrongMethod(f"{method} is not a method of {path}")
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return BadInput(error.detail)  # a Host header that is none, for instance
    return Unexpected(_OURS)


def _owner(dialects: tuple[Dialect, ...], path: str) -> Dialect | None:
    """The dialect with the longest prefix of a path. `/a` has itself and what is below, `/a/` only
    what is below."""
    found = [
        (len(prefix), number)
        for number, dialect in enumerate(dialects)
        for prefix in dialect.PREFIXES
        if path == prefix or path.startswith(prefix.rstrip("/") + "/")
    ]
    return dialects[max(found)[1]] if found else None


def _call(request: AnyRequest) -> Call:
    query = request.scope["query_string"].decode("utf-8", "replace")
    return Call(
        path=unquote(request.scope["raw_path"].decode()),  # the framework's has no doubled slashes
        now=datetime.now(UTC),
        pairs=tuple(parse_qsl(query, keep_blank_values=True)),
        values={name: str(value).removeprefix("/") for name, value in request.path_params.items()},
        headers=by_name(request.scope["headers"]),
    )


def _uri_length(request: AnyRequest) -> int:
    query = request.scope["query_string"]
    return len(request.scope["raw_path"]) + (len(query) + 1 if query else 0)


def _template(path: str) -> str:
    """A path of an operation as the framework writes it."""
    return re.sub(r"{(\w+)}", r"{\1:str}", path)


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def _plain(reply: Reply) -> Response[bytes]:
    body = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)
    challenge = _CHALLENGE if reply.status == HTTPStatus.UNAUTHORIZED else {}
    return Response(
        body,
        status_code=reply.status,
        media_type=reply.media_type,
        headers={**challenge, **reply.headers},
    )
