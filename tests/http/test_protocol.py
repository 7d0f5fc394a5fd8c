"""Heads of requests: how long they may be, and how long they may take. A small application behind
the real protocol."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
import uvicorn

from postledger.http.access import HEADERS
from postledger.http.protocol import LARGEST_HEAD, Protocol


class Hasty(Protocol):
    """It waits for a moment only."""

    HEAD_SECONDS = 0.6


async def counting(scope: Any, receive: Any, send: Any) -> None:
    """Says how many bytes the body has; `/slow` takes longer than a head may, `/deaf` does not read
    the body, `/headers` says how many there are."""
    size, more = 0, scope["path"] != "/deaf"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * Hasty.HEAD_SECONDS)
    body = str(len(scope["headers"]) if scope["path"] == "/headers" else size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(counting, http=Hasty, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        yield connection


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """The next answer; its headers are those of every answer, where it is a refusal."""
    with closing(HTTPResponse(connection)) as response:
        response.begin()
        if response.status >= 400:
            given = {name.lower(): value for name, value in response.getheaders()}
            expected = {name.decode(): value.decode() for name, value in HEADERS}
            assert expected.items() <= given.items()
            assert "close" == given["connection"]
        return response.status, response.read()


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def pour(connection: socket.socket, piece: bytes) -> int:
    """Send the same bytes until the other side has had enough; how many there were."""
    sent = 0
    try:
        while sent < 100 * LARGEST_HEAD:
            connection.sendall(piece)
            sent += len(piece)
    except ConnectionError:
        pass
    return sent


@pytest.mark.parametrize(
    "start",
    [b"GET /", b"GET / HTTP/1.1\r\nX-A: ", b"GET / HTTP/1.1\r\n"],
    ids=["path", "value", ""],
)
def test_a_head_without_end(start: bytes, port: int) -> None:
    """A head that goes on and on is refused; it is not kept in memory."""
    with connected(port) as connection:
        connection.sendall(start)
        piece = (
            b"a" * 4096 if start.strip() == start or start.endswith(b": ") else b"X-B: c\r\n" * 512
        )
        for _ in range(LARGEST_HEAD // len(piece) + 1):
            connection.sendall(piece)
        assert 431 == answer(connection)[0]
        assert closed(connection)
    with connected(port) as connection:
        connection.sendall(start)
        assert pour(connection, piece) < 100 * LARGEST_HEAD


def test_a_head_that_is_as_long_as_may_be(port: int) -> None:
    """Up to the limit it is answered, also in many pieces, and again on the same connection."""
    with connected(port) as connection:
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: ")
            for _ in range(15):
                connection.sendall(b"a" * 4096)
            connection.sendall(b"\r\n\r\n")
            assert (200, b"0") == answer(connection)


def test_a_long_body_is_no_head(port: int) -> None:
    """Bodies, and heads behind them in the same packet, are not counted as heads."""
    body = b"b" * (3 * LARGEST_HEAD)
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connected(port) as connection:
        connection.sendall(head + body + head[:20])
        assert (200, str(len(body)).encode()) == answer(connection)
        connection.sendall(head[20:] + body)
        assert (200, str(len(body)).encode()) == answer(connection)


def test_a_head_that_does_not_come(port: int) -> None:
    """A connection without a head is closed; one with a part of a head is told why."""
    with connected(port) as silent, connected(port) as slow, connected(port) as second:
        slow.sendall(b"GET / HT")
        second.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert 200 == answer(second)[0]
        second.sendall(b"GET /")
        assert closed(silent)
        assert 408 == answer(slow)[0]
        assert 408 == answer(second)[0]


def test_an_answer_is_not_cut_by_the_next_head(port: int) -> None:
    """While an answer is under way, the head of the next request may take its time."""
    with connected(port) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(0.1)  # so that it comes on its own
        connection.sendall(b"GET /")
        assert (200, b"0") == answer(connection)


def test_what_is_no_http(port: int) -> None:
    """It is refused in a word."""
    with connected(port) as connection:
        connection.sendall(b"EHLO mail.example\r\n\r\n")
        assert (400, b"Bad Request") == answer(connection)


def test_requests_on_one_connection(port: int) -> None:
    """Many requests, one after the other, with bodies of all sizes around those of packets."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        for size in (0, 1, 1000, LARGEST_HEAD, 5 * LARGEST_HEAD, 2):
            connection.request("POST", "/", b"x" * size)
            assert str(size).encode() == connection.getresponse().read()


OFFER = (
    b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
)
WHOLE = OFFER + b"Content-Length: 4\r\n\r\n", b"abcd"
CHUNKED = OFFER + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n"


@pytest.mark.parametrize(("head", "body"), [WHOLE, CHUNKED], ids=["length", "chunks"])
@pytest.mark.parametrize("size", [4096, 150, 1])
def test_an_offer_of_another_protocol(head: bytes, body: bytes, size: int, port: int) -> None:
    """It is ignored, and the body is read, in packets of whatever size; so is what follows on the
    connection."""
    with connected(port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for data in (head + body, head + body, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"):
            for start in range(0, len(data), size):
                connection.sendall(data[start : start + size])
            assert (200, b"4" if data.endswith(body) else b"0") == answer(connection)
        connection.sendall(head)
        time.sleep(0.1)  # so that it comes on its own
        connection.sendall(body)
        assert (200, b"4") == answer(connection)


def test_many_offers_in_a_packet(port: int) -> None:
    """Each is a request."""
    head = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    with connected(port) as connection, connection.makefile("rb") as answers:
        connection.sendall(2000 * head + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert 2001 == answers.read().count(b"HTTP/1.1 200 OK")


def test_an_offer_with_the_last_request(port: int) -> None:
    """One that also asks to close is answered, and the connection is closed."""
    head = b"POST / HTTP/1.1\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 2\r\n"
    with connected(port) as connection:
        connection.sendall(head + b"\r\nab")
        assert (200, b"2") == answer(connection)
        assert closed(connection)


@pytest.mark.parametrize(("place", "status"), [(b"/", 200), (b"h.example:80", 400)])
def test_a_tunnel(place: bytes, status: int, port: int) -> None:
    """`CONNECT` is a request as any other."""
    with connected(port) as connection:
        connection.sendall(b"CONNECT %b HTTP/1.1\r\nHost: h\r\n\r\n" % place)
        assert status == answer(connection)[0]


POST = b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_trailers(port: int) -> None:
    """What stands behind the last chunk is read, and is no header; nor is it an offer."""
    trailer = b"X-A: b\r\nConnection: upgrade\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n"
    with connected(port) as connection:
        for path, said in ((b"/", b"3"), (b"/headers", b"2")):
            connection.sendall(POST % path + b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n")
            assert (200, said) == answer(connection)


@pytest.mark.parametrize("path", [b"/", b"/deaf"])
@pytest.mark.parametrize(
    ("start", "piece"),
    [(b"0\r\n", b"X-B: c\r\n" * 512), (b"0\r\nX-A: ", b"a" * 4096), (b"0", b"0" * 4096)],
    ids=["trailers", "a trailer", "a size"],
)
def test_trailers_without_end(start: bytes, piece: bytes, path: bytes, port: int) -> None:
    """Those that go on and on are cut off, whether there is an answer or not; so is the size of a
    chunk."""
    with connected(port) as connection:
        connection.sendall(POST % path + b"3\r\nabc\r\n")
        if path == b"/deaf":
            assert (200, b"0") == answer(connection)
        connection.sendall(start)
        assert pour(connection, piece) < 100 * LARGEST_HEAD
        assert closed(connection)


def test_small_chunks(port: int) -> None:
    """A body that comes in very small pieces is not cut off."""
    count = LARGEST_HEAD // 64
    with connected(port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(POST % b"/")
        for _ in range(count):
            connection.sendall(b"1;" + b"e" * 64)
            connection.sendall(b"\r\na\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert (200, str(count).encode()) == answer(connection)


def test_chunks_that_are_none(port: int) -> None:
    """A body that cannot be read gets no second answer."""
    with connected(port) as connection:
        connection.sendall(POST % b"/deaf")
        assert (200, b"0") == answer(connection)
        connection.sendall(b"x\r\n")
        assert closed(connection)
