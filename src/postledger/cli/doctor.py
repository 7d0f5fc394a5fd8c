"""`postledger doctor`: what is wrong with an installation, and how to mend it."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal, Protocol
from urllib.parse import urlsplit

import msgspec
from cyclopts import Parameter

from postledger.cli.options import HERE, AsJson, Place, check_url
from postledger.cli.output import printable, say
from postledger.client import Client, NoServerError
from postledger.errors import BadSettings, PostledgerError
from postledger.settings import MIB, Settings

LARGEST_DRIFT = 5.0
"""Seconds that the clocks here and of the server may be apart."""

_PRIVATE = ("secret", "state.sqlite3")
_OTHERS = 0o077

Level = Literal["ok", "warning", "error"]


class Finding(Protocol):
    """What was looked at, how it is, and what to do about it; empty where nothing is to be done."""

    @property
    def level(self) -> Level: ...
    @property
    def subject(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def mend(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of this module."""

    level: Level
    subject: str
    message: str
    mend: str = ""


Inspect = Callable[[Settings], Sequence[Finding]]


def check_up(
    *,
    url: Annotated[
        str,
        Parameter(
            env_var="POSTLEDGER_URL",
            validator=check_url,
            metavar="URL",
            help="Address of the server; the one that the settings give unless set.",
        ),
    ] = "",
    json: Annotated[AsJson, Parameter(help="A JSON object a line.")] = False,
    place: Place = HERE,
) -> int:
    """Check settings, data directory, keys, store, clock and server, and say what to mend.

    Exit status 1 if there is an error.
    """
    return show(examine(place, url, inspect=_inspect), json=json)


def examine(place: Place, url: str, *, inspect: Inspect) -> Iterator[Finding]:
    """Look at everything; `inspect` looks at the store."""
    try:
        settings = place.settings()
        import_module("postledger.http.limits").Limits(settings)
    except BadSettings as error:
        yield Found("error", "settings", str(error), "correct them; nothing else can be checked")
        return
    yield Found("ok", "settings", "they can be used")
    yield from _directory(settings)
    yield from _store_room(settings)
    yield _state(settings)
    yield from _store(settings, inspect)
    yield from _server(Client(url or _address(settings)))


def show(findings: Iterable[Finding], *, json: bool) -> int:
    """Write a line for each, with `json` an object, and return the exit status."""
    failed = False
    for finding in findings:
        failed = failed or finding.level == "error"
        if json:
            say(msgspec.json.encode(finding).decode())
            continue
        mend = f"; {finding.mend}" if finding.mend else ""
        say(printable(f"{finding.level:<8} {finding.subject}: {finding.message}{mend}"))
    return 1 if failed else 0


def _inspect(settings: Settings) -> Sequence[Finding]:
    inspect: Inspect = import_module("postledger.store.check").inspect
    return inspect(settings)


def _store(settings: Settings, inspect: Inspect) -> Sequence[Finding]:
    try:
        return inspect(settings)
    except PostledgerError as error:
        return [Found("error", "store", str(error))]


def _state(settings: Settings) -> Finding:
    look: Callable[[str], int | None] = import_module("postledger.state.tables").look
    try:
        found = look(settings.state_url)
    except PostledgerError as error:
        return Found("error", "keys", str(error), "start the database, or correct `state`")
    if found is None:
        return Found("ok", "keys", "none yet")
    return Found("ok", "keys", f"{found:,}, revoked and expired ones too")


def _directory(settings: Settings) -> Iterator[Finding]:
    path = settings.directory
    if not path.exists():
        yield Found(
            "warning",
            "data directory",
            f"{path} is not there",
            "`postledger serve` makes it; or name another with --data-dir",
        )
        return
    yield _writable(path)
    yield _room(path, settings.min_free_bytes)
    yield from _modes(path)


def _writable(path: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=path):
            return Found("ok", "data directory", f"{path} can be written to")
    except OSError as error:
        return Found(
            "error",
            "data directory",
            f"{path} cannot be written to: {error.strerror}",
            "make it a directory that this user owns, on a disk that is not read-only",
        )


def _store_room(settings: Settings) -> Iterator[Finding]:
    """The room of an embedded store that lies elsewhere: there it is that nothing is taken in."""
    where = urlsplit(settings.store)
    path = Path(where.path)
    if where.scheme == "chdb" and path.is_dir() and not path.is_relative_to(settings.directory):
        yield _room(path, settings.min_free_bytes)


def _room(path: Path, wanted: int) -> Finding:
    free = shutil.disk_usage(path).free
    message = f"{free // MIB:,} MiB free in {path}"
    if free >= wanted:
        return Found("ok", "disk", message)
    return Found(
        "error",
        "disk",
        f"{message}, less than min_free_bytes ({wanted // MIB:,} MiB): nothing is taken in",
        "make room, or set POSTLEDGER_MIN_FREE_BYTES",
    )


def _modes(path: Path) -> Iterator[Finding]:
    """What should be for its owner only, and is not: an earlier version, or a copy, made it so."""
    names = [name for name in _PRIVATE if (path / name).exists()]
    seen = [name for name in names if (path / name).stat().st_mode & _OTHERS]
    if seen:
        yield Found(
            "warning",
            "files",
            f"{' and '.join(seen)} can be read by other users of this machine",
            f"`chmod -R go= {path}`",
        )


def _address(settings: Settings) -> str:
    """Return where a server with these settings is reached from here."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _server(client: Client) -> Iterator[Finding]:
    try:
        probe = client.probe("/readyz")
    except NoServerError as error:
        yield Found("warning", "server", str(error))
        return
    if probe.status == HTTPStatus.OK:
        yield Found("ok", "server", f"{client.url} is ready")
    else:
        says = probe.detail or "no reason given"
        message = f"{client.url} is not ready ({probe.status}: {says})"
        yield Found("error", "server", message, "look at its log")
    if probe.date is not None:
        yield _clock(probe.date, datetime.now(UTC))


def _clock(there: datetime, here: datetime) -> Finding:
    """Compare the clocks; a `Date` has whole seconds, so half a second is added to it."""
    drift = (here - there).total_seconds() - 0.5
    if abs(drift) <= LARGEST_DRIFT:
        return Found("ok", "clock", "the same as the server's")
    way = "ahead of" if drift > 0 else "behind"
    return Found(
        "warning",
        "clock",
        f"{abs(drift):.0f} s {way} the server's",
        "set the clocks with NTP: searches by time miss events otherwise",
    )
