"""`postledger import`: events from files to the server."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from postledger.cli.options import LOCAL, AsJson, Connection, check_file
from postledger.cli.output import note
from postledger.cli.progress import Moved, bar
from postledger.cli.reading import Source, UnreadableFileError, opened, size_of
from postledger.cli.records import Form, batches
from postledger.cli.sending import Tally, send
from postledger.cli.summary import report
from postledger.client import Client, NotJsonError
from postledger.errors import PostledgerError

Files = Annotated[
    list[str],
    Parameter(
        allow_leading_hyphen=True,
        validator=check_file,
        help="Files, plain, .gz or .zst; `-` is standard input.",
    ),
]
Format = Annotated[
    Literal["auto", "native", "sparkpost"],
    Parameter(name="--format", help="What the records are; auto: the first one of a file tells."),
]
BatchSize = Annotated[
    int,
    Parameter(validator=validators.Number(gte=1), metavar="N", help="Most records in one request."),
]


def import_events(
    files: Files,
    /,
    *,
    form: Format = "auto",
    batch_size: BatchSize = 10_000,
    json: Annotated[AsJson, Parameter(help="The summary as a JSON object.")] = False,
    connection: Connection = LOCAL,
) -> int:
    """Load events from files into the running server.

    Native events: NDJSON, a JSON array, or a single object. SparkPost's: webhook batches, NDJSON of
    `{"msys": ...}`, or the answers of an events search.

    An import that was interrupted is resumed by running it again: what the server has already
    counts as a duplicate, and changes nothing. The summary names each rejected record by file, line
    and number of the record, counted from 1. A file that cannot be read is named, and the others
    are loaded. Exit status 1 if there is one, or a record was rejected.
    """
    tallies = [Tally(name) for name in files]
    wanted = None if form == "auto" else form
    try:
        with bar(_total(files), of_bytes=True) as moved:
            _load(connection.client(), tallies, wanted, batch_size, moved)
    except (PostledgerError, OSError):
        report([tally for tally in tallies if tally.read or tally.failure], json=json)
        raise
    return report(tallies, json=json)


def _total(files: Sequence[str]) -> int | None:
    sizes = [size_of(name) for name in files]
    return None if None in sizes else sum(filter(None, sizes))


def _load(
    client: Client, tallies: Iterable[Tally], form: Form | None, most_lines: int, moved: Moved
) -> None:
    done = 0
    for tally in tallies:
        try:
            with opened(tally.file) as source:
                found = batches(source, form=form, most_lines=most_lines)
                try:
                    send(client, found, tally, partial(_moved, moved, source, done))
                finally:
                    done += source.position
        except (UnreadableFileError, NotJsonError) as error:
            tally.failure = str(error)
            note(f"postledger: {error}")


def _moved(moved: Moved, source: Source, done: int, events: int) -> None:
    moved(done + source.position, events)
