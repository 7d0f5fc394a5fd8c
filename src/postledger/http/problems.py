"""Failures as problem details (RFC 9457), for everything under `/ledger/v1`."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from postledger import errors
from postledger.errors import BadInput, PostledgerError, Problem

MEDIA_TYPE = "application/problem+json"
_LOG = structlog.get_logger()

STATUS: dict[type[PostledgerError], int] = {
    errors.BadInput: 400,
    errors.BadCursor: 400,
    errors.Unreadable: 400,
    errors.Unsupported: 415,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.TooLarge: 413,
    errors.RateLimited: 429,
    errors.Unexpected: 500,
    errors.Busy: 503,
    errors.StoreUnavailable: 503,
    errors.StoreFull: 503,
    errors.StoreAway: 503,
}


def body(status: int, title: str, detail: str, **members: Any) -> bytes:
    """A problem document; `type` is `about:blank`, since the status and the detail say it all."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return msgspec.json.encode(document | members)


def shown(problem: Problem) -> dict[str, Any]:
    """One element of `errors`: what is not known is left out."""
    return {name: value for name, value in asdict(problem).items() if value is not None}


def answer(_: object, error: PostledgerError) -> Response[bytes]:
    """The answer for a failure that the domain knows."""
    members = {}
    if isinstance(error, BadInput) and error.problems:
        members["errors"] = [shown(problem) for problem in error.problems]
    return _response(status_of(error), error.title, str(error), headers_of(error), members)


def answer_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The answer for what the framework refuses: an unknown path, a wrong method."""
    title = HTTPStatus(error.status_code).phrase
    return _response(error.status_code, title, error.detail or title, dict(error.headers or {}), {})


def answer_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer for a mistake of ours."""
    return unexpected(str(request.scope.get("path_template")), error)


def unexpected(route: str, error: Exception) -> Response[bytes]:
    """What the mistake was goes to the log, not to the client."""
    _LOG.error("failed", route=route, exc_info=error)
    return _response(500, "Internal error", "this is a mistake in Postledger; see its log", {}, {})


def status_of(error: PostledgerError) -> int:
    """The HTTP status for a failure."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def headers_of(error: PostledgerError) -> dict[str, str]:
    """The headers that go with it: how to send a key, when to try again."""
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="postledger"'}
    retry_after = getattr(error, "retry_after", None)
    return {} if retry_after is None else {"Retry-After": str(retry_after)}


def _response(
    status: int, title: str, detail: str, headers: dict[str, str], members: dict[str, Any]
) -> Response[bytes]:
    return Response(
        body(status, title, detail, **members),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )
