"""Settings: from the environment and `postledger.toml` to one frozen value, read once.

A setting `name` is `POSTLEDGER_NAME` in the environment and `name` in the file; the environment
wins, and options of the command line win over both. What is unknown is refused, so that a slip of
the pen does not pass for a setting. `SETTINGS` has them all; `docs/settings.md` is checked against
it.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from postledger.errors import BadSettings

PREFIX = "POSTLEDGER_"
FILE = "postledger.toml"
ELSEWHERE = {"CONFIG": "path of the settings file", "URL": "address for the command line"}
"""`POSTLEDGER_*` variables that are not settings of the server."""

KIB, MIB = 1024, 1024 * 1024


def _help(text: str, **limits: Any) -> Meta:
    return Meta(description=text, **limits)


_RATE = (
    "Requests that one {} may make, such as `100/second` or `100/second; 5000/minute`; "
    "empty: any number"
)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a server. Sizes in bytes, times in seconds unless the name says otherwise."""

    host: Annotated[str, _help("Address to listen on", min_length=1)] = "127.0.0.1"
    port: Annotated[int, _help("Port to listen on; 0: any free one", ge=0, le=65535)] = 8025
    data_dir: Annotated[str, _help("Directory of everything that is kept", min_length=1)] = "./data"
    store: Annotated[
        str,
        _help(
            "DSN of the event store: `chdb:///absolute/dir`, "
            "`clickhouse://user:password@host:8123/database` or `clickhouses://...` for TLS; "
            "empty: `<data_dir>/events`"
        ),
    ] = ""
    state: Annotated[
        str,
        _help(
            "SQLAlchemy URL of workspaces and keys; empty: SQLite in the data directory. "
            "`postgresql+psycopg://...` needs the extra `postgresql`"
        ),
    ] = ""
    api_key: Annotated[str, _help("When set: a key with every scope on workspace `default`")] = ""
    secret: Annotated[
        str,
        _help(
            "Secret that stored keys are hashed with; empty: `<data_dir>/secret`, made at the "
            "first start. Processes that share a state store need the same one"
        ),
    ] = ""
    max_body_bytes: Annotated[
        int, _help("Largest request body, after decompression", ge=KIB, le=1024 * MIB)
    ] = 64 * MIB
    max_event_bytes: Annotated[int, _help("Largest event", ge=KIB, le=64 * MIB)] = MIB
    max_pending_bytes: Annotated[
        int,
        _help("Bodies under way, all together and unpacked; beyond it 503", ge=MIB, le=16384 * MIB),
    ] = 256 * MIB
    small_body_bytes: Annotated[
        int,
        _help(
            "Bodies up to this size go through the journal and share inserts; larger ones are "
            "inserted on their own",
            ge=0,
            le=16 * MIB,
        ),
    ] = 512 * KIB
    flush_ms: Annotated[
        int, _help("Longest time that an event stays in the journal only, ms", ge=1, le=60_000)
    ] = 2000
    quiet_seconds: Annotated[
        int,
        _help(
            "When nothing has come in for so long, parts of the embedded store are merged, so that "
            "look-ups meet few of them; 0: never",
            ge=0,
            le=3600,
        ),
    ] = 5
    keep_events_days: Annotated[
        int,
        _help(
            "Days, today not counted, of which events are kept; older ones are removed and no "
            "longer taken in, their roll-ups stay; 0: for ever",
            ge=0,
            le=100_000,
        ),
    ] = 0
    keep_rollups_days: Annotated[
        int,
        _help(
            "Days of which roll-ups are kept, not fewer than of events; 0: for ever",
            ge=0,
            le=100_000,
        ),
    ] = 0
    min_free_bytes: Annotated[
        int, _help("Free room on the disk below which nothing more is taken in", ge=0)
    ] = 32 * MIB
    readers: Annotated[int, _help("Queries that run at once", ge=1, le=64)] = 4
    query_seconds: Annotated[int, _help("Longest time for one query", ge=1, le=3600)] = 60
    query_memory_bytes: Annotated[int, _help("Most memory for one query", ge=64 * MIB)] = 1024 * MIB
    export_workers: Annotated[int, _help("Exports that run at once; others wait", ge=1, le=16)] = 1
    export_keep_days: Annotated[
        int,
        _help("Days after which an export and its file are removed; 0: never", ge=0, le=36_500),
    ] = 7
    key_rate: Annotated[str, _help(_RATE.format("key"))] = ""
    workspace_rate: Annotated[str, _help(_RATE.format("workspace"))] = ""
    log_format: Annotated[
        Literal["auto", "console", "json"], _help("`auto`: `console` on a terminal, else `json`")
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _help("The least important that is logged")
    ] = "info"

    @property
    def directory(self) -> Path:
        """The data directory, absolute."""
        return Path(self.data_dir).expanduser().resolve()

    @property
    def store_dsn(self) -> str:
        """The DSN of the event store, with the default filled in."""
        return self.store or f"chdb://{self.directory / 'events'}"

    @property
    def state_url(self) -> str:
        """The URL of the state store, with the default filled in."""
        return self.state or f"sqlite:///{self.directory / 'state.sqlite3'}"


def load(
    environ: Mapping[str, str] | None = None,
    *,
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Settings from file, environment and `overrides`, the later ones winning.

    The file is `file`, else the one that `POSTLEDGER_CONFIG` names, else `postledger.toml` in the
    working directory if it is there. Overrides that are None count as absent. Raises BadSettings
    with a sentence that names what is wrong.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(environ, file) | _from_environment(environ)
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(_explain(error, values)) from error
    _check_retention(settings)
    if settings.api_key != settings.api_key.strip():
        raise BadSettings("api_key: white space at an end, which no request can send; remove it")
    return settings


def _check_retention(settings: Settings) -> None:
    """Figures come from the roll-ups, so they must not end before the events."""
    forever = 0
    shorter = settings.keep_rollups_days != forever and (
        settings.keep_events_days == forever
        or settings.keep_rollups_days < settings.keep_events_days
    )
    if shorter:
        raise BadSettings(
            f"keep_rollups_days: {settings.keep_rollups_days} is less than keep_events_days, "
            f"{settings.keep_events_days or 'for ever'}; roll-ups must not end before the events"
        )


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    found = {
        name.removeprefix(PREFIX): value
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }
    known = {name.upper() for name in Settings.__struct_fields__}
    for name in sorted(found.keys() - known - ELSEWHERE.keys()):
        raise BadSettings(f"{PREFIX}{name} is not a setting. {_known()}")
    return {name.lower(): value for name, value in found.items() if name in known}


def _from_file(environ: Mapping[str, str], file: Path | None) -> dict[str, object]:
    named = file or (Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None)
    path = named or Path(FILE)
    if named is None and not path.exists():
        return {}
    try:
        values: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not TOML: {error}") from error
    for name in sorted(values.keys() - set(Settings.__struct_fields__)):
        raise BadSettings(f"{name} in {path} is not a setting. {_known()}")
    return values


def _known() -> str:
    return "Settings are: " + ", ".join(Settings.__struct_fields__)


def _explain(error: msgspec.ValidationError, values: Mapping[str, object]) -> str:
    what, _, where = str(error).partition(" - at `$.")
    name = where.rstrip("`")
    if what.startswith("Invalid enum value"):
        what = f"Expected one of {', '.join(get_args(get_type_hints(Settings)[name]))}"
    what = what.partition(", got ")[0].replace("`int`", "a whole number").replace("`str`", "a text")
    given = (
        "" if name in {"", "api_key", "secret", "state", "store"} else f", not {values.get(name)!r}"
    )
    return f"{name or 'settings'}: {what[0].lower()}{what[1:]}{given}"
