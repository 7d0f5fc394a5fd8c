"""The key, and failures: `{"errors": [{"message", "code", "description"}]}`.

Contract `bird-sparkpost.md`, sections 1, 8, 9. The same on SparkPost's paths and on Bird's (U-12).
"""

from base64 import b64decode
from dataclasses import dataclass

import msgspec

from postledger import errors
from postledger.dialects.wire import Call, Reply
from postledger.errors import BadInput, PostledgerError, Unauthenticated


class Missing(BadInput):
    """A parameter is absent that the path needs, or another parameter."""

    title = "A parameter is missing"


class SchemaViolation(BadInput):
    """`query_filters` is not as its schema says; `violations` has each path and what is wrong."""

    title = "The filters are not valid"

    def __init__(self, violations: list[dict[str, str]]) -> None:
        first = violations[0]
        place = f"{first['path']}: " if first["path"] else ""
        super().__init__(f"query_filters: {place}{first['message']}")
        self.violations = violations


@dataclass(frozen=True, slots=True)
class Shape:
    """How a failure is told; `described`: with what was wrong in `description`."""

    status: int
    message: str
    code: str | None = None
    described: bool = True


STATUS: dict[type[PostledgerError], Shape] = {
    errors.BadInput: Shape(400, "invalid params", "1200"),
    Missing: Shape(400, "required parameter is missing", "1401"),
    SchemaViolation: Shape(400, "invalid params", "1200"),
    errors.BadCursor: Shape(400, "invalid params", "1200"),
    errors.Unreadable: Shape(400, "invalid params", "1200"),
    errors.Unsupported: Shape(415, "unsupported content type", "1700"),
    errors.Unauthenticated: Shape(401, "Unauthorized.", described=False),
    errors.Forbidden: Shape(403, "Forbidden.", described=False),
    errors.NotFound: Shape(404, "resource not found", "1600"),
    errors.WrongMethod: Shape(405, "method not allowed", "1102"),
    errors.UriTooLong: Shape(414, "uri too long"),
    errors.TooLarge: Shape(413, "too large", "1300"),
    errors.RateLimited: Shape(429, "Too many requests", described=False),
    errors.NotOffered: Shape(501, "not offered"),
    errors.Unexpected: Shape(500, "internal error"),
    errors.Busy: Shape(503, "service unavailable", "1900"),
    errors.StoreUnavailable: Shape(503, "service unavailable", "1900"),
    errors.StoreFull: Shape(503, "service unavailable", "1900"),
    errors.StoreAway: Shape(503, "service unavailable", "1900"),
}
"""Clients compare the text of 429 (sparkyEvents), so it stands alone."""


def refuse(error: PostledgerError, call: Call) -> Reply:  # noqa: ARG001 -- the same for all
    """The reply for a failure; with 429 and 503 it says when to try again (U-13)."""
    shape = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    element = {"message": shape.message}
    if shape.code:
        element["code"] = shape.code
    if shape.described:
        element["description"] = str(error)
    told: dict[str, object] = {"errors": [element]}
    if isinstance(error, SchemaViolation):
        told["validationErrors"] = error.violations
    return Reply(msgspec.json.encode(told), shape.status, headers=_headers(error))


def _headers(error: PostledgerError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="postledger"'}
    retry_after = getattr(error, "retry_after", None)
    return {} if retry_after is None else {"Retry-After": str(retry_after)}


def key(call: Call) -> str:
    """The key: bare, `Basic base64(KEY:)`, `AccessKey KEY`, or `Bearer KEY`. Raises
    Unauthenticated when there is none."""
    value = call.headers.get("authorization", "").strip()
    scheme, _, rest = value.partition(" ")
    text = rest.strip()
    if scheme.lower() == "basic":
        text = _user(text)
    elif scheme.lower() not in {"accesskey", "bearer"}:
        text = value
    if not text:
        raise Unauthenticated("send a key: Authorization: KEY")
    return text


def _user(credentials: str) -> str:
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[0]
    except ValueError as error:
        raise Unauthenticated("the Basic credentials are not base64") from error
