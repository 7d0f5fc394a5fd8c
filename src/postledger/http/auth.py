"""Who asks: the key of a request, checked before its handler runs.

A handler names the scope that it needs in `opt`, and how its API carries the key, if that is not
our way; one that names no scope needs no key.
"""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from postledger.errors import Forbidden, Unauthenticated
from postledger.http.limits import Limits
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


class Guard:
    """Lets a request pass when its key has the scope that its handler needs.

    Asynchronous though it waits for nothing: the framework sends others to a thread, which costs
    more than the look-up.
    """

    def __init__(self, keyring: Keyring, limits: Limits) -> None:
        self._keyring = keyring
        self._limits = limits

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        scope = handler.opt.get(SCOPE)
        if scope is None:
            return
        carrier = handler.opt.get(CARRIER, bearer)
        connection.scope["state"][_KEY] = self.check(carrier(connection), scope)

    def check(self, text: str, scope: str) -> Key:
        """The key with this text, which has this scope and may ask; else Unauthenticated, Forbidden
        or RateLimited."""
        key = self.known(text, scope)
        self._limits.take(key)
        return key

    def known(self, text: str, scope: str) -> Key:
        """As `check`, without a count."""
        key = self._keyring.authenticate(text)
        if not key.allows(scope):
            raise Forbidden(f"the key lacks the scope {scope}; it has {', '.join(key.scopes)}")
        return key


def workspace_of(request: Request[Any, Any, Any]) -> str:
    """The workspace of the key that `Guard` has checked: the only source of it."""
    key: Key = request.scope["state"][_KEY]
    return key.workspace
