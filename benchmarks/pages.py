"""Where the time of each API's page goes: in which statements of the engine, and outside of it.

    python -m benchmarks.load DIRECTORY [--events 10000000]
    python -m benchmarks.pages DIRECTORY

The server runs in this process, so that each statement can be timed. *Engine* is the time in which
at least one statement was under way; *outside* is what is left of the request: HTTP, the key,
parameters, decoding and rendering, on both sides of the socket.
"""

import argparse
import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from clickhouse_connect.driver.client import Client

from benchmarks import bench
from benchmarks.dialects import questions
from benchmarks.figures import fold
from postledger.http.app import application
from postledger.http.protocol import Protocol
from postledger.http.server import VOCABULARIES, configure_logs
from postledger.settings import Settings, load
from postledger.state.keys import DEFAULT_WORKSPACE, open_keyring
from postledger.store.engine import Engine
from postledger.store.writer import Writer

_TIMES = 9
Span = tuple[float, float]


class Statements:
    """When each statement of the engine began and ended."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def watch(self, engine: Engine) -> None:
        """Note what all readers of the engine run from now on."""
        clients = [engine._readers.get() for _ in range(engine.settings.readers)]
        for client in clients:
            client.raw_query = self._noted(client)  # type: ignore[method-assign]
            engine._readers.put(client)

    def _noted(self, client: Client) -> Callable[..., bytes]:
        run = client.raw_query

        def noted(*args: Any, **more: Any) -> bytes:
            started = time.perf_counter()
            try:
                return run(*args, **more)
            finally:
                self.spans.append((started, time.perf_counter()))

        return noted


def union(spans: Sequence[Span]) -> float:
    """How long at least one of them lasted."""
    total, end = 0.0, 0.0
    for first, last in sorted(spans):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    options = parser.parse_args()
    print(bench.machine())
    server = bench.Server(Path(options.directory))  # it picks what is asked
    try:
        asked = questions(server)
    finally:
        server.stop()
    fold(options.directory)
    quiet = {"log_level": "warning"}
    settings = load({}, overrides=quiet | {"data_dir": options.directory, "api_key": bench.KEY})
    configure_logs(settings)
    with serving(settings) as (port, statements), closing(_connection(port)) as connection:
        print(f"{'':50} {'ms':>7} {'engine':>7} {'outside':>7}  statements")
        for name, paths in asked.items():
            print(f"{name:50} {measured(connection, paths, statements)}", flush=True)


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[int, Statements]]:
    """A server in a thread of this process: its port, and the statements that it runs."""
    engine = Engine(settings)
    keyring = open_keyring(settings)
    keyring.ensure_workspace(DEFAULT_WORKSPACE)
    app = application(settings, engine, Writer(engine, VOCABULARIES), keyring)
    config = uvicorn.Config(
        app, port=0, http=Protocol, ws="none", lifespan="on", access_log=False, log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        statements = Statements()
        statements.watch(engine)
        yield server.servers[0].sockets[0].getsockname()[1], statements
    finally:
        server.should_exit = True
        thread.join()
        engine.close()


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=120)


def measured(
    connection: http.client.HTTPConnection, paths: Sequence[str], statements: Statements
) -> str:
    """Medians over all paths, as a line of the table."""
    totals, engines, each = [], [], []
    for path in paths:
        for number in range(_TIMES + 1):
            statements.spans.clear()
            seconds = bench.timed(lambda: get(connection, path))  # noqa: B023 -- runs at once
            if number:
                totals.append(seconds * 1000)
                engines.append(union(statements.spans) * 1000)
                each.append([(last - first) * 1000 for first, last in statements.spans])
    total, engine = statistics.median(totals), statistics.median(engines)
    length = min(map(len, each))
    shown = ", ".join(f"{statistics.median(runs):.0f}" for runs in zip(*each, strict=False))
    more = "" if length == max(map(len, each)) else ", ..."
    return f"{total:7.1f} {engine:7.1f} {total - engine:7.1f}  {shown}{more}"


def get(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path, headers=bench.HEADERS)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {body[:300]!r}")


if __name__ == "__main__":
    main()
