"""A body of records, taken apart and checked: what goes to the store, and what is wrong."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from postledger.errors import Problem, TooLarge, Unreadable
from postledger.intake.record import NOT_JSON, Description

MOST_APART = 500_000
"""Most records of a body that are looked at one by one: each costs a hundred bytes and more, and
may have been two."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Good records, one a line, and the problems of the others.

    `indexes[i]` is the record that line i came from; None: line i is record i. `unknown_fields`:
    some record has fields that the registry does not know.
    """

    lines: bytes
    count: int
    indexes: Sequence[int] | None = None
    problems: list[Problem] = field(default_factory=list)
    unknown_fields: bool = False

    def index(self, line: int) -> int:
        """Which record this line came from."""
        return line if self.indexes is None else self.indexes[line]


def check_lines(body: bytes, description: Description, *, largest: int) -> Batch:
    """Records that stand one a line; blank lines are not records. What is good has tabs between
    tokens only, and in `lines` none.

    `largest` is the most bytes that one record may have.
    """
    lines = body.strip(b"\r\n\t ")
    good = _all_good(lines, description, largest)
    batch = good or check_each(lines_of(lines), description, largest=largest)
    if b"\t" in lines or b"\r" in lines:
        return replace(batch, lines=batch.lines.translate(_NO_TABS))
    return batch


def check_records(records: Sequence[bytes], description: Description, *, largest: int) -> Batch:
    """Records that each are one line. Raises Unreadable as `check_each` does."""
    good = _all_good(b"\n".join(records), description, largest)
    return good or check_each(records, description, largest=largest)


def _all_good(lines: bytes, description: Description, largest: int) -> Batch | None:
    found = description.all_good(lines, largest=largest)
    return Batch(lines, found[0], unknown_fields=found[1]) if found is not None else None


def lines_of(body: bytes) -> Iterator[bytes]:
    """The lines that are not blank. Raises TooLarge."""
    refuse_more(body.count(b"\n"))
    return (line for line in body.split(b"\n") if line.strip())


def refuse_more(records: int) -> None:
    """Raises TooLarge when a body has more records than are taken apart."""
    if records > MOST_APART:
        raise TooLarge(
            f"the body has more than {MOST_APART} records, as an array or with a bad one among "
            "them; send fewer at once"
        )


def check_each(records: Iterable[bytes], description: Description, *, largest: int) -> Batch:
    """Records one by one: slower, and tells which are bad and why.

    Raises Unreadable when there are records, and none is JSON.
    """
    good: list[bytes] = []
    indexes: list[int] = []
    problems: list[Problem] = []
    for index, record in enumerate(records):
        size = len(record.rstrip(b"\r"))  # which ends the line
        problem = (
            Problem(f"has {size} bytes, more than {largest}", index=index)
            if size > largest
            else description.problem(record, index)
        )
        if problem is None:
            good.append(record)
            indexes.append(index)
        else:
            problems.append(problem)
    if problems and all(problem.message.startswith(NOT_JSON) for problem in problems) and not good:
        raise Unreadable(f"no record of the body is JSON; the first one {problems[0].message}")
    return Batch(b"\n".join(good), len(good), indexes, problems, unknown_fields=True)


def one_line(record: bytes) -> bytes:
    """A JSON text without line breaks and tabs, which in valid JSON stand between tokens only."""
    return record.translate(_TO_SPACE)


_TO_SPACE = bytes(0x20 if byte in b"\r\n\t" else byte for byte in range(256))
_NO_TABS = bytes(0x20 if byte in b"\r\t" else byte for byte in range(256))
