"""How the key travels, and how failures are told [1, 5, 6]."""

from typing import Any

import msgspec

from postledger import errors
from postledger.dialects.wire import JSON, Allowance, Call, Reply
from postledger.errors import BadInput, NotFound, PostledgerError, RateLimited, Unauthenticated


class EmailNotFound(NotFound):
    """No e-mail has this id."""


STATUS: dict[type[PostledgerError], tuple[int, str]] = {
    PostledgerError: (500, "internal_server_error"),
    errors.BadInput: (400, "validation_error"),
    errors.BadCursor: (400, "validation_error"),
    errors.Unreadable: (400, "invalid_json"),
    errors.Unsupported: (415, "validation_error"),
    errors.Unauthenticated: (401, "invalid_api_key"),
    errors.Forbidden: (403, "insufficient_permissions"),
    errors.NotFound: (404, "not_found"),
    EmailNotFound: (404, "email_not_found"),
    errors.WrongMethod: (405, "method_not_allowed"),
    errors.UriTooLong: (414, "validation_error"),
    errors.TooLarge: (413, "validation_error"),
    errors.RateLimited: (429, "rate_limit_exceeded"),
    errors.NotOffered: (501, "not_implemented"),
    errors.Unexpected: (500, "internal_server_error"),
    errors.Busy: (503, "service_unavailable"),
    errors.StoreUnavailable: (503, "service_unavailable"),
    errors.StoreFull: (503, "service_unavailable"),
    errors.StoreAway: (503, "service_unavailable"),
}
"""HTTP status and `error.code` [5]. `method_not_allowed` and `not_implemented` are ours: the
documented list has nothing for them."""

_NO_KEY = "missing_api_key"


def key(call: Call) -> str:
    """The key that a request carries. Raises Unauthenticated when it carries none."""
    scheme, _, found = call.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not found.strip():
        raise Unauthenticated("Send an API key: Authorization: Bearer KEY")
    return found.strip()


def refuse(error: PostledgerError, call: Call) -> Reply:
    """The reply for a failure [5]."""
    status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if isinstance(error, Unauthenticated) and not _has_key(call):
        code = _NO_KEY
    told: dict[str, Any] = {"code": code, "message": str(error) or error.title, "status": status}
    if isinstance(error, BadInput) and error.problems:
        told["details"] = {"errors": _problems(error, call)}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        told["retry_after"] = retry_after
    body = msgspec.json.encode({"error": told})
    return Reply(body, status, JSON, _headers(error, call, retry_after))


def rates(allowance: Allowance | None) -> dict[str, str]:
    """The headers that tell what may still be asked [6]."""
    if allowance is None:
        return {}
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(allowance.reset),
    }


def _headers(error: PostledgerError, call: Call, retry_after: int | None) -> dict[str, str]:
    allowance = call.allowance
    if isinstance(error, RateLimited) and error.limit:
        allowance = Allowance(error.limit, 0, int(call.now.timestamp()) + error.retry_after)
    headers = rates(allowance)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _has_key(call: Call) -> bool:
    try:
        return bool(key(call))
    except Unauthenticated:
        return False


def _problems(error: BadInput, call: Call) -> list[dict[str, Any]]:
    return [
        {
            "field": problem.parameter or problem.field,
            "message": problem.message,
            "value": next(iter(call.given(problem.parameter or "")), None),
        }
        for problem in error.problems
    ]
