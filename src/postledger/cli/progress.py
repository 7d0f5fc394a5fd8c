"""A bar on stderr, where that is a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from postledger.cli.output import STDERR

Moved = Callable[[int, int], None]
"""Told how far it is now, in all, and how many more events that were."""

Step = Callable[[int, int | None, str], None]
"""Told how far it is now, of how much, and the same in words."""


@contextmanager
def bar(total: int | None, *, of_bytes: bool) -> Iterator[Moved]:
    """Show a bar up to `total`, None where that is not known, and events a second."""
    if not STDERR.is_interactive:
        yield lambda _position, _events: None
        return
    far = DownloadColumn() if of_bytes else TextColumn("{task.completed:,.0f} of {task.total:,.0f}")
    rate = TextColumn("{task.fields[rate]:,.0f} events/s")
    started, events = monotonic(), 0
    with Progress(
        BarColumn(),
        far,
        rate,
        TimeRemainingColumn(),
        console=STDERR,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task("", total=total, rate=0.0)

        def moved(position: int, more: int) -> None:
            nonlocal events
            events += more
            seconds = max(monotonic() - started, 0.001)
            progress.update(task, completed=position, rate=events / seconds)

        yield moved


@contextmanager
def stepping(what: str) -> Iterator[Step]:
    """Show a bar of a step, which is `what`."""
    if not STDERR.is_interactive:
        yield lambda _done, _total, _words: None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(),
        console=STDERR,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task(what, total=None, words="")

        def step(done: int, total: int | None, words: str) -> None:
            progress.update(task, completed=done, total=total, words=words)

        yield step
