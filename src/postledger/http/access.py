"""Around the application: a log line and figures of each request, and headers that all have."""

import time

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

from postledger.http.figures import Figures

_LOG = structlog.get_logger()
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Of every answer, unless it says otherwise."""
GONE = 499
"""Noted where a client went away before its body was whole; it gets no answer."""


class Access:
    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def listen() -> ReceiveMessage:
            nonlocal status
            message = await receive()
            if message["type"] == "http.disconnect":
                status = status or GONE
            return message

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = status or message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                extra = [header for header in HEADERS if header[0] not in present]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await self._app(scope, listen, watch)
        finally:
            self._note(scope, status or 500, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = str(scope.get("method")), scope["path"]
        route = str(scope.get("path_template") or "other")
        self._figures.requests.labels(method, route, str(status)).inc()
        self._figures.request_seconds.labels(method, route).observe(seconds)
        log = _LOG.debug if path in _QUIET else _LOG.info
        log("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
