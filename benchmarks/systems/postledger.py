"""Postledger, as a user has it: a server process, asked over HTTP."""

import asyncio
import http.client
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import postledger
from benchmarks import bench, exports
from benchmarks.figures import fold
from benchmarks.questions import Question, Rows, Values, from_json
from benchmarks.stream import Intake
from benchmarks.systems import Size
from benchmarks.systems.statements import growing_engine
from postledger.settings import load
from postledger.store import columns
from postledger.store.engine import Engine
from postledger.store.tidy import Tidy

_CONNECTIONS = 8


class Postledger:
    indexes: Sequence[str] = ()

    def __init__(self, place: Path) -> None:
        self.version = postledger.__version__
        self._place = place
        self._running: bench.Server | None = None
        self._connected: http.client.HTTPConnection | None = None

    @property
    def _server(self) -> bench.Server:
        """Started when it is needed: with an engine of this process it cannot share the store."""
        if self._running is None:
            self._running = bench.Server(self._place)
        return self._running

    @property
    def _connection(self) -> http.client.HTTPConnection:
        if self._connected is None:
            port = self._server.port
            self._connected = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        return self._connected

    def _stop(self) -> None:
        if self._connected is not None:
            self._connected.close()
        if self._running is not None:
            self._running.stop()
        self._connected = self._running = None

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        """The store without its server."""
        self._stop()
        engine = Engine(load({}, overrides={"data_dir": str(self._place), "readers": 1}))
        try:
            yield engine
        finally:
            engine.close()

    def load(self, chunks: Iterable[list[bytes]]) -> float:
        return sum(bench.post_all(self._server.port, each, _CONNECTIONS) for each in chunks)

    def grow(self, copies: int) -> None:
        """Past the writer, which would look each of them up."""
        names = ("seq", *columns.INSERTED)
        with self._engine() as engine:
            engine.writer.command(growing_engine(f"{engine.database}.events", names, copies))

    def settle(self) -> float:
        """Fold the roll-ups and merge parts, as a server does when nothing comes in."""
        self._stop()
        return bench.timed(lambda: fold(str(self._place))) + bench.timed(self._merge)

    def size(self) -> Size:
        """Events, journal and roll-ups; what the engine writes about itself is left out."""
        with self._engine() as engine:
            ((size,),) = engine.writer.query(
                "SELECT sum(bytes_on_disk) FROM system.parts WHERE active "
                f"AND database = '{engine.database}'"
            ).result_rows
            return Size(engine.size().events, int(size))

    def asking(self, question: Question, values: Values) -> Callable[[], object]:
        url = question.url(values)

        def ask() -> bytes:
            self._connection.request("GET", url, headers=bench.HEADERS)
            answer = self._connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{url}: {answer.status} {body[:300]!r}")
            return body

        return ask

    def rows(self, question: Question, answer: object) -> Rows:
        assert isinstance(answer, bytes)
        return from_json(question, answer)

    def export(self, form: str, file: Path) -> None:  # noqa: ARG002 -- the server names it
        """The file stays where the server has it, and is removed with its job."""
        exports.export(self._server, form, "zstd" if form == "parquet" else "none")

    def take(self, way: Intake, bodies: list[bytes]) -> float | None:
        port = self._server.port
        if way.size == 1:
            return len(bodies) / asyncio.run(bench.post_singles(port, bodies, way.connections))
        return bench.post_all(port, bodies, way.connections)

    def close(self) -> None:
        self._stop()

    def _merge(self) -> None:
        with self._engine() as engine:
            tidy = Tidy(engine)
            while tidy.once():
                pass
