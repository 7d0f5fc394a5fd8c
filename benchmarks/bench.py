"""What the benchmarks share: a server and a raw engine as processes of their own, and clients."""

import asyncio
import http.client
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from postledger import demo

KEY = "benchmark"
END = datetime(2026, 11, 21, tzinfo=UTC)
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-ndjson"}


_QUIET_SECONDS = 7
"""It merges when nothing has come in for five."""


class Server:
    """A Postledger server on a directory, as a user would start it."""

    def __init__(self, directory: Path) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        started = time.perf_counter()
        environment = os.environ | {"POSTLEDGER_API_KEY": KEY, "POSTLEDGER_LOG_LEVEL": "warning"}
        command = [sys.executable, "-m", "postledger.cli", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--data-dir", str(directory)], env=environment)
        while not self._ready():
            if self.process.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.01)
        self.seconds_to_ready = time.perf_counter() - started

    def _ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with closing(connection):
            connection.request("GET", path, headers=HEADERS)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def resident(self) -> int:
        """Bytes of memory."""
        size: int = psutil.Process(self.process.pid).memory_info().rss
        return size

    def settle(self) -> None:
        """Wait until it has nothing more to do, which would take from who is measured next."""
        process, quiet = psutil.Process(self.process.pid), 0
        while quiet < _QUIET_SECONDS:
            quiet = quiet + 1 if process.cpu_percent(1.0) < 5 else 0

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


@contextmanager
def directory(name: str | None) -> Iterator[Path]:
    """A directory to measure in: a named one stays, one without a name is removed."""
    if name is not None:
        Path(name).mkdir(parents=True, exist_ok=True)
        yield Path(name)
        return
    made = Path(tempfile.mkdtemp(prefix="postledger-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def post_all(port: int, bodies: Sequence[bytes], connections: int) -> float:
    """Post all bodies over this many connections; the seconds that it took."""
    waiting = list(reversed(bodies))
    lock = threading.Lock()

    def work() -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
            while True:
                with lock:
                    if not waiting:
                        return
                    body = waiting.pop()
                connection.request("POST", "/ledger/v1/events", body, HEADERS)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    raise SystemExit(f"{answer.status}: {text[:500]!r}")

    return timed(lambda: in_threads(work, connections))


def in_threads(work: Callable[[], None], count: int) -> None:
    """Until all have ended; what one of them raises is raised here."""
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


async def post_singles(port: int, lines: Sequence[bytes], connections: int) -> float:
    """Post each line on its own over this many connections; events a second, all acknowledged."""
    waiting = list(reversed(lines))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            line = waiting.pop()
            writer.write(
                b"POST /ledger/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
                % (KEY.encode(), len(line), line)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"{head!r} {body!r}")
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return len(lines) / (time.perf_counter() - started)


def leave_when_terminated() -> None:
    """SIGTERM ends this process as an exception does, so that what it started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def batches(count: int, size: int, seed: int = 1, days: float = 90) -> list[bytes]:
    return list(demo.batches(count, size=size, seed=seed, end=END, days=days))


def median_ms(work: Callable[[], object], times: int = 15) -> tuple[float, float, float]:
    """Least, median and most milliseconds, after one run that is not counted."""
    work()
    found = sorted(timed(work) * 1000 for _ in range(times))
    return found[0], statistics.median(found), found[-1]


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = psutil.virtual_memory().total >> 30
    return f"{os.cpu_count()} cores ({model}), {memory} GiB, Python {platform.python_version()}"
