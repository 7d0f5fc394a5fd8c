"""`postledger export`: matching events as a file, started on the server and loaded here."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from cyclopts import CycloptsError, Parameter

from postledger.cli.fetching import EXPORTS, EndedError, ExportError, Job, fetch, parts_of
from postledger.cli.filtering import ANY, End, Filters, Start, given
from postledger.cli.options import LOCAL, AsJson, Connection, check_file
from postledger.cli.output import for_people, note, printable, say
from postledger.client import Client
from postledger.query import FILTERS

_FORMATS = {".csv": "csv", ".ndjson": "ndjson", ".parquet": "parquet"}
_PACKED = {".gz": "gzip", ".zst": "zstd"}


def _check_output(_: object, value: str) -> None:
    check_file(None, value)
    if value == "-":
        raise ValueError("an export needs a file, to verify it as a whole; name one")


Output = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        validator=_check_output,
        help="File to write, or a directory for a file of the export's own name; one that is named "
        "with a slash at its end is made.",
    ),
]
Format = Annotated[
    Literal["csv", "ndjson", "parquet"] | None,
    Parameter(name="--format", help="Form of the file; what its name ends with unless set."),
]
Compression = Annotated[
    Literal["none", "gzip", "zstd"] | None,
    Parameter(help="As its name ends unless set; zstd for Parquet, which compresses within."),
]
Columns = Annotated[
    tuple[str, ...],
    Parameter(
        name="--column",
        metavar="FIELD",
        help="Repeatable: only these fields, in this order; all unless set.",
    ),
]


class _Listed(msgspec.Struct):
    """An answer of `GET /ledger/v1/exports`, the newest first."""

    exports: list[Job]


def export(
    output: Output = ".",
    /,
    *,
    form: Format = None,
    compression: Compression = None,
    columns: Columns = (),
    filters: Filters = ANY,
    start: Annotated[Start, Parameter(help="First time; from the first event unless set.")] = None,
    end: Annotated[End, Parameter(help="Time to end before; open unless set.")] = None,
    incremental: Annotated[
        str | None,
        Parameter(metavar="NAME", help="Only what was stored since the last export of this name."),
    ] = None,
    resume: Annotated[
        str | None,
        Parameter(metavar="ID", help="Go on with an export that was started before."),
    ] = None,
    keep: Annotated[
        bool, Parameter(help="Leave the export on the server when its file is here.")
    ] = False,
    json: Annotated[
        AsJson, Parameter(help="What came, as a JSON object a file, on a terminal too.")
    ] = False,
    connection: Connection = LOCAL,
) -> None:
    """Write all matching events to a file.

    The server writes it in the background; then it is loaded, and its checksum is verified. A
    download that breaks off goes on by itself. After Ctrl-C, or a failure, the export stays on the
    server, and the command says how to go on with it. An export whose file is here is removed from
    the server, unless --keep says otherwise.

    With --incremental the output is a directory. What an earlier run of this name did not load
    comes first, as a file of its own.
    """
    client, place = connection.client(), Path(output)
    if output.endswith("/"):
        place.mkdir(exist_ok=True)
    if resume is not None:
        _check_alone(form, compression, columns, filters != ANY, start, end, incremental)
        jobs = iter([client.get(f"{EXPORTS}/{quote(resume, safe='')}", [], Job)])
    else:
        asked = _request(place, form, compression, columns, given(filters, start, end))
        _check_place(place, keep=keep, incremental=incremental is not None)
        jobs = _jobs(client, asked, incremental)
    for job in jobs:
        target = place / job.file_name if place.is_dir() else place
        with _telling(job, output, again=incremental is not None):
            loaded = fetch(client, job, target)
        _report(loaded, target, json=json)
        if not keep:
            client.remove(job.path)


# -- what is asked


def _check_alone(*others: object) -> None:
    if any(others):
        raise CycloptsError(
            msg="--resume goes on with what was asked for then; leave the other options out."
        )


def _check_place(place: Path, *, keep: bool, incremental: bool) -> None:
    """Refuse to start what could not be put in its place, or would be lost from a series."""
    if incremental and keep:
        raise CycloptsError(
            msg="--keep does not go with --incremental: what lies on the server was not loaded yet."
        )
    if place.is_dir():
        return
    if incremental:
        raise CycloptsError(
            msg=f"{place} is no directory; --incremental needs one, as more than one file may come."
        )
    if place.exists():
        raise ExportError(f"{place} is there; move it away, or name another file")
    if not place.parent.is_dir():
        raise ExportError(f"there is no directory {place.parent}")
    for part in parts_of(place):
        job = part.name.removeprefix(f"{place.name}.").removesuffix(".part")
        way = _way(job, str(place))
        raise ExportError(f"{part} did not come whole; {way} goes on with it; or remove it")


def _request(
    place: Path,
    form: str | None,
    compression: str | None,
    columns: tuple[str, ...],
    filters: Iterable[tuple[str, str]],
) -> dict[str, Any]:
    """The body of a request; what is not said, the file's name may say."""
    suffixes = [] if place.is_dir() else [each.lower() for each in place.suffixes]
    packed = _PACKED.get(suffixes[-1]) if suffixes else None
    ending = suffixes[-2:-1] if packed else suffixes[-1:]
    form = form or next((_FORMATS[each] for each in ending if each in _FORMATS), None)
    if form is None:
        raise CycloptsError(msg="Say --format, or name a file such as events.parquet.")
    if form == "parquet" and packed:
        raise CycloptsError(msg="A Parquet file is compressed within; leave out the last ending.")
    asked: dict[str, Any] = {
        "format": form,
        "compression": compression or packed or ("zstd" if form == "parquet" else "none"),
        "filters": _grouped(filters),
    }
    return asked | ({"columns": columns} if columns else {})


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Parameters as `filters` has them: a text each for `from` and `to`, else lists."""
    single: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in FILTERS:
            several.setdefault(name, []).append(value)
        else:
            single[name] = value
    return {**single, **several}


def _jobs(client: Client, asked: dict[str, Any], series: str | None) -> Iterator[Job]:
    """The new export; in a series first what an earlier run did not load, the oldest first."""
    if series is not None:
        for job in reversed(client.get(EXPORTS, [], _Listed).exports):
            if job.name == series and job.status in {"queued", "running", "done"}:
                yield job
        asked |= {"name": series, "incremental": True}
    yield client.post(EXPORTS, asked, Job)


# -- what is said


@contextmanager
def _telling(job: Job, output: str, *, again: bool) -> Iterator[None]:
    """Tell how to go on where the block is left early, unless there is nothing to go on with."""
    try:
        yield
    except EndedError:
        raise
    except BaseException:
        way = _way(job.id, output)
        how = f"the same command, or {way}," if again else way
        note(f"export {job.id} stays on the server; {how} goes on with it")
        raise


def _way(job: str, output: str) -> str:
    return f"`{shlex.join(['postledger', 'export', '--resume', job, output])}`"


def _report(job: Job, target: Path, *, json: bool) -> None:
    if for_people() and not json:
        name = printable(str(target))
        say(f"{name}: {job.rows:,} events, {job.bytes:,} bytes, checksum verified")
        return
    found = {"file": str(target), "id": job.id, "name": job.name, "rows": job.rows}
    say(msgspec.json.encode(found | {"bytes": job.bytes, "sha256": job.sha256}).decode())
