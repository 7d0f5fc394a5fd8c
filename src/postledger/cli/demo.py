"""`postledger demo`: made-up events, to the server or into a file."""

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import CycloptsError, Parameter, validators

from postledger import demo as made_up
from postledger.cli.options import LOCAL, AsJson, Connection, check_file, check_time, read_time
from postledger.cli.progress import Moved, bar
from postledger.cli.records import Batch
from postledger.cli.sending import Tally, send
from postledger.cli.summary import report
from postledger.errors import PostledgerError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BATCH = 10_000


Number = Annotated[
    int, Parameter(validator=validators.Number(gte=1), metavar="N", help="How many events.")
]
Seed = Annotated[
    int,
    Parameter(
        validator=validators.Number(gte=0), metavar="N", help="Other events for another seed."
    ),
]
Days = Annotated[
    float,
    Parameter(validator=validators.Number(gt=0), help="Over how many days they are spread."),
]
End = Annotated[
    str | None,
    Parameter(
        validator=check_time,
        metavar="TIME",
        help="Time to end before; the last full hour unless set.",
    ),
]
Out = Annotated[
    str | None,
    Parameter(
        allow_leading_hyphen=True,
        validator=check_file,
        metavar="FILE",
        help="Write NDJSON there and send nothing; .gz and .zst are compressed, `-` is stdout.",
    ),
]


def make_events(
    number: Number,
    /,
    *,
    seed: Seed = 1,
    days: Days = 30,
    end: End = None,
    out: Out = None,
    json: Annotated[AsJson, Parameter(help="The summary as a JSON object.")] = False,
    connection: Connection = LOCAL,
) -> int:
    """Make up events of a fictitious sender, and send them to the server or write them to a file.

    The same number, seed, days and end make the same events, on any machine.
    """
    now = datetime.now(UTC)
    last = read_time(end, now) if end else now.replace(minute=0, second=0, microsecond=0)
    if days > (last - made_up.EPOCH) / timedelta(days=1):
        raise CycloptsError(msg="Events are from 1970 on; take fewer --days, or a later --end.")
    bodies = made_up.batches(number, size=BATCH, seed=seed, end=last, days=days)
    if out is not None:
        with bar(number, of_bytes=False) as moved:
            _write(out, bodies, moved)
        return 0
    tally = Tally("demo")
    batches = (Batch("native", body, first_line=1 + at * BATCH) for at, body in enumerate(bodies))
    try:
        with bar(number, of_bytes=False) as moved:
            send(connection.client(), batches, tally, lambda more: moved(tally.read, more))
    except PostledgerError:
        report([tally] if tally.read else [], json=json)
        raise
    return report([tally], json=json)


def _write(out: str, bodies: Iterator[bytes], moved: Moved) -> None:
    written = 0
    with _opened(out) as file:
        for body in bodies:
            file.write(body + b"\n")
            events = body.count(b"\n") + 1
            written += events
            moved(written, events)


@contextmanager
def _opened(out: str) -> Iterator[BinaryIO | gzip.GzipFile | zstd.ZstdFile]:
    """Open for writing. A compressed file has no time in it, so that it is the same each time."""
    if out == "-":
        yield sys.stdout.buffer
        return
    with Path(out).open("wb") as plain:
        if out.endswith(".gz"):
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=plain, mtime=0) as file:
                yield file
        elif out.endswith(".zst"):
            with zstd.ZstdFile(plain, "wb") as packed:
                yield packed
        else:
            yield plain
