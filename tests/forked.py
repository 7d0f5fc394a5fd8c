"""Commands in processes of their own, forked from one that has imported what they need.

To import it takes longer than to start a server. What is forked is a process like any other, but
for that; `tests/http/test_process.py` has some started from nothing.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["postledger.cli", "postledger.http.server", "numpy", "pyarrow"])
"""The last two are what the engine's own module loads. It cannot be here itself: it starts threads,
which do not live on in a fork."""


class Forked:
    """A command that runs; what tests use of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._process = CONTEXT.Process(
            target=_run, args=(list(arguments), dict(environment), str(log), str(Path.cwd()))
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; negative: the signal that ended it."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("postledger", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """The exit status of a command, and all that it says."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        status = Forked(arguments, environment, log).wait(120)
        return status, log.read_text()


def _run(arguments: list[str], environment: dict[str, str], log: str, directory: str) -> None:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    into = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(into, 1)
    os.dup2(into, 2)
    os.close(into)
    from postledger.cli import main

    sys.exit(main(arguments))
