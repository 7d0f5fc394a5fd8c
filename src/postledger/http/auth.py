"""Who asks: the key of a request, checked before its handler runs.

A handler names the scope that it needs in `opt`, and how its API carries the key, if that is not
our way; one that names no scope needs no key.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from postledger.errors import Forbidden, StoreUnavailable, Unauthenticated
from postledger.http.limits import Limits
from postledger.state.keys import Key, Keyring

SCOPE = "scope"
CARRIER = "carrier"
_KEY = "postledger.key"
_AT_ONCE = 4
PATIENCE = 15.0
"""Seconds that a look-up may take: more than `state.tables` gives, which knows more of what is
wrong."""
_AWAY_SECONDS = 1

P = ParamSpec("P")
T = TypeVar("T")

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

    Keys that were looked up a moment ago are known at once. Others are looked up in threads: the
    state store may be a database that does not answer, and nobody else must wait for that.
    """

    def __init__(self, keyring: Keyring, limits: Limits, patience: float = PATIENCE) -> None:
        self._keyring = keyring
        self._patience = patience
        self._limits = limits
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="keys")
        self._away, self._away_until = "", 0.0

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
            key = await self._look_up(self._keyring.authenticate, text)
        if not key.allows(scope):
            raise Forbidden(f"the key lacks the scope {scope}; it has {', '.join(key.scopes)}")
        self._limits.take(key)
        return key

    async def options(self, workspace: str) -> Mapping[str, str]:
        """The settings of a workspace."""
        return await self._look_up(self._keyring.options, workspace)

    async def ready(self) -> None:
        """Raises StoreUnavailable while nothing can be looked up."""
        await self._look_up(self._keyring.check)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def _look_up(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the state store says. Raises StoreUnavailable, after a failure for a moment without
        asking again: where each one takes long, not every request has to wait for its own."""
        if time.monotonic() < self._away_until:
            raise StoreUnavailable(self._away)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                return await loop.run_in_executor(self._threads, lambda: question(*args, **kwargs))
        except TimeoutError as error:
            raise self._failed("the state store does not answer") from error
        except StoreUnavailable as error:
            raise self._failed(str(error)) from error

    def _failed(self, why: str) -> StoreUnavailable:
        self._away, self._away_until = why, time.monotonic() + _AWAY_SECONDS
        return StoreUnavailable(why)


def workspace_of(request: Request[Any, Any, Any]) -> str:
    """The workspace of the key that `Guard` has checked: the only source of it."""
    key: Key = request.scope["state"][_KEY]
    return key.workspace
