"""A command as a value, and how commands are put into an application or a group."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from cyclopts import App


class Command(NamedTuple):
    """A command: its name, what it does, and examples for its help."""

    name: str
    function: Callable[..., int | None]
    examples: tuple[str, ...]


def add(app: App, commands: Iterable[Command]) -> None:
    for command in commands:
        app.command(command.function, name=command.name, help_epilogue=examples(*command.examples))


def examples(*lines: str) -> str:
    """Return the examples as they stand below a help text, in Markdown."""
    return "\n".join(["Example:", "", "```", *lines, "```"])
