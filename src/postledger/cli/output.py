"""Tables and sentences for people, NDJSON for programs, notes on stderr."""

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

STDERR = Console(stderr=True)
"""The one console of stderr: notes and progress bars have to know of each other."""


_BETWEEN = 3
"""What stands between two columns at most."""


class Column(NamedTuple):
    """A column of a table: its head, and its part of the width, or 0 for as wide as it needs.

    `right`: of numbers, which are not cut; the head is broken into lines instead.
    `cut`: where there is no room, it is such columns that are cut, and others only after them.
    """

    head: str
    ratio: int = 0
    right: bool = False
    cut: bool = False

    def width(self, cells: Iterable[str]) -> int:
        """What it needs at least, so that no cell and no word of the head is cut."""
        return max(map(cell_len, [*self.head.split(), *cells]), default=0)


def for_people() -> bool:
    """Whether a person reads stdout, and not a program."""
    return sys.stdout.isatty()


def lines(rows: Iterable[bytes]) -> None:
    """Write NDJSON to stdout at once; a row that has newlines becomes one line."""
    text = b"".join(one_line(row) + b"\n" for row in rows)
    if text:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()


def one_line(row: bytes) -> bytes:
    """Return the JSON on one line: a newline in JSON is always between tokens."""
    return row.strip().replace(b"\r", b" ").replace(b"\n", b" ")


def say(text: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Write a line to stderr, above a progress bar if there is one."""
    STDERR.print(text, soft_wrap=True, highlight=False, markup=False)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, head: bool = True) -> None:
    """Write a table to stdout, as wide as the terminal; long cells are cut."""
    made = Table(box=SIMPLE_HEAD if head else None, show_header=head, pad_edge=False)
    made.expand = any(column.ratio for column in columns)
    cells = [[printable(cell) for cell in row] for row in rows]
    for at, column in enumerate(columns):
        made.add_column(
            column.head,
            ratio=column.ratio or None,
            no_wrap=not (column.right or column.cut),
            overflow="ellipsis",
            justify="right" if column.right else "left",
            width=column.width(row[at] for row in cells) if column.right else None,
        )
    for row in cells:
        made.add_row(*(Text(cell, no_wrap=True) for cell in row))
    Console(file=sys.stdout).print(made)


def fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], kept: int) -> int:
    """How many of the columns have room, of the first `kept` all; others are as they are."""
    room = Console(file=sys.stdout).width
    for at, column in enumerate(columns):
        room -= column.width(row[at] for row in rows) + _BETWEEN
        if room < 0 and at >= kept:
            return at
    return len(columns)


def printable(text: str) -> str:
    """Return the text without what could steer a terminal: subjects come from anywhere."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
