"""How a request carries the key, and how it is refused [2, 7]."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from postledger import errors
from postledger.dialects.wire import Call, Reply
from postledger.errors import BadInput, PostledgerError, Problem, Unauthenticated

SECURITY: Mapping[str, Mapping[str, str]] = {
    "netcore": {"type": "apiKey", "in": "header", "name": "api_key"},
    "key": {"type": "http", "scheme": "bearer"},
    "netcore_v6": {"type": "http", "scheme": "x-api-key"},
}

STATUS: dict[type[PostledgerError], int] = {
    errors.BadInput: 400,
    errors.BadCursor: 400,
    errors.Unreadable: 400,
    errors.Unsupported: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.WrongMethod: 405,
    errors.UriTooLong: 414,
    errors.TooLarge: 413,
    errors.RateLimited: 429,
    errors.NotOffered: 501,
    errors.Unexpected: 500,
    errors.Busy: 503,
    errors.StoreUnavailable: 503,
    errors.StoreFull: 503,
    errors.StoreAway: 503,
    errors.PostledgerError: 500,
}

_HEADERS = ("api_key", "api-key")  # what maps headers to variables makes one of both
_SCHEMES = frozenset({"bearer", "x-api-key"})


def key(call: Call) -> str:
    """The key that a request carries. Raises Unauthenticated when it carries none."""
    for name in _HEADERS:
        if found := call.headers.get(name, "").strip():
            return found
    scheme, _, found = call.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() not in _SCHEMES or not found.strip():
        raise Unauthenticated("send a key, in the header api_key or as Authorization: Bearer KEY")
    return found.strip()


class _Fault(msgspec.Struct, omit_defaults=True):
    message: str
    description: str
    field: str = ""


class _Refusal(msgspec.Struct):
    """One client reads `error[0].message`, another `error[0].description` [7]."""

    status: str
    message: str
    error: list[_Fault]


def refuse(error: PostledgerError, call: Call) -> Reply:  # noqa: ARG001 -- as every dialect
    """The reply for a failure."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    problems = error.problems if isinstance(error, BadInput) else ()
    body = refusal(status, str(error), *problems)
    return Reply(body, status, headers=_headers(error))


def refusal(status: int, said: str, *problems: Problem) -> bytes:
    """The body that tells of a failure: of these problems, or else what is said of it."""
    phrase = HTTPStatus(status).phrase
    faults = [_Fault(phrase, each.message, each.parameter or "") for each in problems]
    return msgspec.json.encode(_Refusal("error", phrase, faults or [_Fault(phrase, said)]))


def _headers(error: PostledgerError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="postledger"'}
    retry_after = getattr(error, "retry_after", None)
    return {} if retry_after is None else {"Retry-After": str(retry_after)}
