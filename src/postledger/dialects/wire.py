"""What dialects are made of: a call that came in, a reply that goes out, operations as data.

A dialect is a module of tables and pure functions. It knows neither SQL nor the web framework nor
another dialect. Each has

* what `Dialect` below lists: its operations as data, how it carries the key, how it refuses
* functions that turn a call into a question, and the answer into a reply
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from postledger.errors import PostledgerError

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter of an operation; `schema` is JSON Schema, as pairs."""

    name: str
    meaning: str
    repeatable: bool = False
    schema: tuple[tuple[str, object], ...] = (("type", "string"),)


@dataclass(frozen=True, slots=True)
class Operation:
    """A path that a dialect answers.

    `path` is a template: `{name}` is one segment, `{name:path}` all that follow. `scope`: what the
    key must allow; None: no key is needed. `answer`: JSON Schema of the body, when it is JSON.
    `status`: of an answer that is no failure. `body`: JSON Schema of the request's; None: it is not
    looked at.
    `others`: what else than `media_type` the body may be.
    """

    path: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    scope: str | None = "events:read"
    method: str = "GET"
    answer: Mapping[str, object] = field(default_factory=lambda: {"type": "object"})
    media_type: str = JSON
    status: int = 200
    body: Mapping[str, object] | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as far as dialects look at it.

    `path` is decoded, `pairs` are the decoded query parameters in their order, blank ones too;
    `values` are the parts of the path that the template names. `headers` have lower-case names.
    `workspace` and `options`, the settings of that workspace, are those of the key; empty before
    the key is checked, and in a call without one. `now` is UTC.
    """

    path: str
    now: datetime
    pairs: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    workspace: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    allowance: "Allowance | None" = None
    body: bytes = b""

    def given(self, name: str) -> list[str]:
        """The values of a parameter, in their order."""
        return [value for known, value in self.pairs if known == name]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still ask, by its tightest limit; `reset`: unix seconds of its new start."""

    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out; a body in pieces is made while it is sent."""

    body: bytes | Iterator[bytes]
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """What `http.vendors` needs of a dialect; a module is one by having these names."""

    @property
    def NAME(self) -> str:  # noqa: N802 -- a module's constant, like those below
        """As it stands in documents, cases and the OpenAPI description."""

    @property
    def OPERATIONS(self) -> tuple[Operation, ...]:  # noqa: N802
        """The paths that it answers: routes and the OpenAPI description are made from them."""

    @property
    def SECURITY(self) -> Mapping[str, Mapping[str, str]]:  # noqa: N802
        """Ways to carry the key, as OpenAPI's security schemes by name; any one of them does."""

    @property
    def PREFIXES(self) -> tuple[str, ...]:  # noqa: N802
        """Paths under which what is not there, or asked with a wrong method, is refused its way."""

    @property
    def LONGEST_URI(self) -> int:  # noqa: N802
        """Most bytes of path and query, as they come."""

    def key(self, call: Call) -> str:
        """The key that a request carries. Raises Unauthenticated when it carries none."""

    def refuse(self, error: PostledgerError, call: Call) -> Reply:
        """The reply for a failure of whatever kind."""
