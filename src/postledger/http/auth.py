"""Who asks: the key of a request, checked before its handler runs.

A handler names the scope that it needs in `opt`, and how its API carries the key, if that is not
our way; one that names no scope needs no key.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from postledger.errors import Forbidden, Unauthenticated
from postledger.http.limits import Limits
from postledger.http.lookups import Lookups
from postledger.state.keys import Key, Keyring

SCOPE = "scope"
CARRIER = "carrier"
_KEY = "postledger.key"

Connection = ASGIConnection[Any, Any, Any, Any]


def bearer(connection: Connection) -> str:
    """The key in `Authorization: Bearer KEY`. Raises Unauthenticated when there is none."""
    return bearer_of(connection.headers.get("authorization", ""))


def bearer_of(header: str) -> str:
    """The key in the value of that header. Raises Unauthenticated when there is none."""
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated("send a key: Authorization: Bearer KEY")
    return key.strip()


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by lower-case names; of several with one name the first, as the framework has
    it."""
    first: dict[str, str] = {}
    for name, value in headers:
        first.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return first


class Guard:
    """Lets a request pass when its key has the scope that its handler needs. Keys that were looked
    up a moment ago are known at once."""

    def __init__(self, keyring: Keyring, lookups: Lookups, limits: Limits) -> None:
        self._keyring = keyring
        self._lookups = lookups
        self._limits = limits

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        scope = handler.opt.get(SCOPE)
        if scope is None:
            return
        carrier = handler.opt.get(CARRIER, bearer)
        connection.scope["state"][_KEY] = await self.check(carrier(connection), scope)

    async def check(self, text: str, scope: str) -> Key:
        """The key with this text, which has this scope and may ask; else Unauthenticated, Forbidden
        or RateLimited."""
        key = self._keyring.remembered(text)
        if key is None:
            key = await self._lookups.ask(self._keyring.authenticate, text)
        if not key.allows(scope):
            raise Forbidden(f"the key lacks the scope {scope}; it has {', '.join(key.scopes)}")
        self._limits.take(key)
        return key

    async def options(self, workspace: str) -> Mapping[str, str]:
        """The settings of a workspace."""
        return await self._lookups.ask(self._keyring.options, workspace)


def workspace_of(request: Request[Any, Any, Any]) -> str:
    """The workspace of the key that `Guard` has checked: the only source of it."""
    key: Key = request.scope["state"][_KEY]
    return key.workspace
