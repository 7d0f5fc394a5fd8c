"""Uvicorn's HTTP/1.1, with limits on the head of a request, which comes before any key is known.

Uvicorn keeps a head of whatever length in memory, and waits for its end for ever. An offer of
another protocol, such as `Upgrade: h2c`, ends the request for its parser at the head, without the
body; a server may ignore the offer (RFC 9110, section 7.8), and this one does. Trailers, which come
behind a body in chunks, are headers for uvicorn; they are left out here (section 6.5.1).
"""

import asyncio
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from postledger.http.access import HEADERS
from postledger.settings import KIB

LARGEST_HEAD = 64 * KIB
"""Most bytes that a head may have while its end is still to come, or what stands behind a body."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    HEAD_SECONDS = 30.0
    """How long it may take for a head, its first byte included."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._turns = 0
        self._head_bytes = 0
        self._in_body = False
        self._plain_head = b""
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        turns = self._turns
        try:
            self._feed(data)
        except HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        if self._turns != turns:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if not self._in_body:
            self._wait()
        if self._head_bytes > LARGEST_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._plain_head = self._without_offer()
            return
        super().on_headers_complete()
        self._turns += 1
        self._in_body = True
        self._stop_waiting()

    def on_body(self, body: bytes) -> None:
        self._turns += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._plain_head:
            return
        self._turns += 1
        self._in_body = False
        super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        """Parse; a head with an offer once more without it, so that its body is read."""
        rest = memoryview(data)
        while rest:
            try:
                self.parser.feed_data(rest)
            except HttpParserUpgrade as stop:
                rest = rest[stop.args[0] :]
                self._read_plain_head()
            else:
                return

    def _read_plain_head(self) -> None:
        """By a new parser: for the old one, a connection to be closed has ended."""
        head, self._plain_head = self._plain_head, b""
        if head:
            self.parser = HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            self.parser.feed_data(head)

    def _without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        first = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)
        lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([first, *lines, b"", b""])

    @property
    def _answering(self) -> bool:
        """Whether the answer to an earlier request of the connection is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(self.HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self._answering:
            self._wait()
        elif self._head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer without the application, and close; to what has an answer, or is about to get it,
        only close."""
        if self.transport.is_closing():
            return
        if self._answering or self._in_body:
            self.transport.close()
            return
        body = status.phrase.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *HEADERS,
        ]
        lines = [b"%b: %b" % header for header in headers]
        first = b"HTTP/1.1 %d %b" % (status, body)
        self.transport.write(b"\r\n".join([first, *lines, b"", body]))
        self.transport.close()
