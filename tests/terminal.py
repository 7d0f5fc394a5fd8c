"""Commands as a person runs them: with a terminal, or in a process of their own."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO

from postledger.cli import main


def started(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """A command that runs. It hears Ctrl-C, also when the tests run in the background of a shell,
    which lets its children ignore it."""
    return subprocess.Popen(
        [sys.executable, "-m", "postledger.cli", *arguments],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        **options,
    )


@contextmanager
def a_terminal() -> Iterator[tuple[TextIO, bytearray]]:
    """A terminal to write to, and what came there, which is complete at the end."""
    here, there = pty.openpty()
    out = bytearray()
    reader = threading.Thread(target=_read_all, args=(here, out))
    reader.start()
    with os.fdopen(there, "w") as terminal:
        yield terminal, out
    reader.join()
    os.close(here)
    out[:] = out.replace(b"\r\n", b"\n")


def _read_all(terminal: int, out: bytearray) -> None:
    with suppress(OSError):  # Linux: the other side is closed
        while data := os.read(terminal, 65536):
            out += data


def on_terminal(*arguments: str) -> tuple[int, str]:
    """Run with stdout on a terminal; the status, and what came without colours."""
    with a_terminal() as (terminal, out), redirect_stdout(terminal):
        status = main(arguments)
    return status, re.sub(r"\x1b\[[0-9;]*m", "", out.decode())
