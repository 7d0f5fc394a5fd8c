"""What a file of records looks like, and the bodies that are made of it.

The first record decides. NDJSON is streamed: cut at newlines, never parsed here. All else is read
whole: a JSON array, one JSON object over several lines, the answer of a SparkPost events search
(`{"results": [...], ...}`), and lines that are each an array or an answer. The records are native
events or SparkPost's `{"msys": {GROUP: {...}}}`.
"""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from postledger.cli.output import one_line
from postledger.cli.reading import Source, UnreadableFileError

MIB = 1024 * 1024
MOST_BYTES = 16 * MIB
"""The largest body, unless one record alone is larger."""
LONGEST_LINE = 64 * MIB

Form = Literal["native", "sparkpost"]


@dataclass(frozen=True, slots=True)
class Batch:
    """A body of NDJSON, and where its lines stand in their file.

    `lines` has the line number of each record, where the records did not stand one on each line,
    from `first_line` on.
    """

    form: Form
    body: bytes
    first_line: int = 1
    lines: tuple[int, ...] | None = None

    def line_numbers(self) -> Sequence[int]:
        """Return the line of each record in the file; blank lines are lines, but not records."""
        if self.lines is not None:
            return self.lines
        lines = enumerate(self.body.split(b"\n"), self.first_line)
        return [number for number, line in lines if line.strip()]


class _Head(msgspec.Struct):
    """What tells the forms of a record from each other."""

    type: msgspec.Raw | UnsetType = UNSET
    msys: msgspec.Raw | UnsetType = UNSET
    results: msgspec.Raw | UnsetType = UNSET

    def rows(self) -> list[msgspec.Raw] | None:
        """Return the records, if this is the answer of an events search.

        Raises msgspec.ValidationError if it has something else in their place.
        """
        if self.results is UNSET or self.type is not UNSET:
            return None
        return msgspec.json.decode(self.results, type=list[msgspec.Raw])


def batches(source: Source, *, form: Form | None, most_lines: int) -> Iterator[Batch]:
    """Read all records, at most `most_lines` and about `MOST_BYTES` a batch.

    `form` None: what the first record is. Raises UnreadableFileError.
    """
    chunks = source.chunks()
    head = _head(chunks)
    first, second = _two_lines(head)
    if not first:
        return
    if _is_ndjson(first, second):
        yield from _streamed(source, head, chunks, form or _form(first, second), most_lines)
        return
    data = head + b"".join(chunks)
    try:
        rows = _rows(data)
    except RecursionError as error:
        raise UnreadableFileError(
            f"{source.name} has a record that is nested too deep; as NDJSON, one record a line, "
            "the others can be read"
        ) from error
    except msgspec.ValidationError as error:
        raise UnreadableFileError(
            f"{source.name} has no events in it: its `results` is no array"
        ) from error
    except msgspec.DecodeError as error:
        raise UnreadableFileError(
            f"{source.name} is neither NDJSON nor one JSON value: {error}; "
            "`jq -c .` makes NDJSON of it, if it is JSON"
        ) from error
    yield from _packed(data, rows, form or _form(*rows[:1]), most_lines)


# -- telling the forms


def _head(chunks: Iterator[bytes]) -> bytes:
    """Read on to the end of the first line that is not blank, or a little further."""
    head = bytearray()
    for chunk in chunks:
        head += chunk
        if b"\n" in head.lstrip() or len(head) > LONGEST_LINE:
            break
    return bytes(head.removeprefix(codecs.BOM_UTF8))


def _two_lines(head: bytes) -> tuple[bytes, bytes]:
    """Return the first two lines that are not blank; the second may be cut off."""
    first, _, rest = head.lstrip().partition(b"\n")
    return first, rest.lstrip().partition(b"\n")[0]


def _is_ndjson(first: bytes, second: bytes) -> bool:
    """Whether each line is a record, good or bad: not several, nor a part of one."""
    if first.startswith(b"["):
        return False
    try:
        return msgspec.json.decode(first, type=_Head).rows() is None
    except (msgspec.ValidationError, RecursionError):
        return True  # the server says what is wrong with it
    except msgspec.DecodeError as error:
        cut_off = "truncated" in str(error)  # msgspec has one class for all that is not JSON
        return not cut_off or _decoded(second) is not None


def _form(*lines: bytes | msgspec.Raw) -> Form:
    heads = map(_decoded, lines)
    return "sparkpost" if any(head and head.msys is not UNSET for head in heads) else "native"


def _decoded(line: bytes | msgspec.Raw) -> _Head | None:
    try:
        return msgspec.json.decode(line, type=_Head)
    except RecursionError:
        return _Head()
    except msgspec.DecodeError:
        return None


# -- NDJSON


def _streamed(
    source: Source, head: bytes, chunks: Iterable[bytes], form: Form, most_lines: int
) -> Iterator[Batch]:
    line = 1
    for body in cut(source.name, chain([head], chunks), most_lines):
        if not body.isspace():
            yield Batch(form, body, first_line=line)
        line += body.count(b"\n")


def cut(name: str, chunks: Iterable[bytes], most_lines: int) -> Iterator[bytes]:
    """Cut at newlines, which stay with the line before."""
    pending, newlines = bytearray(), 0
    for chunk in chunks:
        pending += chunk
        newlines += chunk.count(b"\n")
        while newlines and (newlines >= most_lines or len(pending) >= MOST_BYTES):
            end = _end(pending, most_lines)
            newlines -= pending.count(b"\n", 0, end)
            yield bytes(pending[:end])
            del pending[:end]
        if len(pending) > LONGEST_LINE:
            raise UnreadableFileError(
                f"{name} has a line of more than {LONGEST_LINE // MIB} MiB; is it NDJSON?"
            )
    if pending:
        yield bytes(pending)


def _end(data: bytearray, most_lines: int) -> int:
    """Where a body ends that begins with `data`: behind a newline, and there is one."""
    end = data.rfind(b"\n", 0, MOST_BYTES) + 1 or data.find(b"\n") + 1
    if data.count(b"\n", 0, end) <= most_lines:
        return end
    end = 0
    for _ in range(most_lines):
        end = data.find(b"\n", end) + 1
    return end


# -- arrays, answers, objects


def _rows(data: bytes) -> list[msgspec.Raw]:
    """Return the records of one JSON value, or of one on each line.

    Raises msgspec.DecodeError, and RecursionError for what is nested too deep.
    """
    try:
        return _rows_of(data)
    except msgspec.DecodeError:
        with suppress(msgspec.DecodeError):
            return [row for line in data.split(b"\n") if line.strip() for row in _rows_of(line)]
        raise


def _rows_of(data: bytes) -> list[msgspec.Raw]:
    if data.lstrip().startswith(b"["):
        return msgspec.json.decode(data, type=list[msgspec.Raw])
    rows = msgspec.json.decode(data, type=_Head).rows()
    return [msgspec.Raw(data.strip())] if rows is None else rows


def _packed(
    data: bytes, rows: Sequence[msgspec.Raw], form: Form, most_lines: int
) -> Iterator[Batch]:
    body, lines = bytearray(), list[int]()
    for row, line in zip(rows, _line_numbers(data, rows), strict=True):
        text = one_line(bytes(row)) + b"\n"
        if lines and (len(lines) == most_lines or len(body) + len(text) > MOST_BYTES):
            yield Batch(form, bytes(body), lines=tuple(lines))
            body, lines = bytearray(), []
        body += text
        lines.append(line)
    if lines:
        yield Batch(form, bytes(body), lines=tuple(lines))


def _line_numbers(data: bytes, rows: Iterable[msgspec.Raw]) -> Iterator[int]:
    """Where each row begins; the rows stand in `data` in this order."""
    line, counted, end = 1, 0, 0
    for row in rows:
        begin = data.index(row, end)
        line += data.count(b"\n", counted, begin)
        counted, end = begin, begin + len(memoryview(row))
        yield line
