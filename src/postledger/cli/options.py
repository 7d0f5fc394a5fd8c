"""Options that several commands have, and how their values are read."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from postledger.cli.output import note
from postledger.client import DEFAULT_URL, PATIENCE, Client
from postledger.settings import Settings, load

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def check_url(_: object, value: str | None) -> None:
    """Refuse what is not the address of an HTTP server."""
    if not value:
        return
    try:
        url = parse_url(value)
    except LocationParseError as error:
        raise ValueError(f"an address like {DEFAULT_URL} is wanted") from error
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise ValueError(f"an address like {DEFAULT_URL} is wanted")
    if url.auth:
        raise ValueError("no user and password in the address; the key goes with --key")


def check_key(_: object, value: str | None) -> None:
    """Refuse what cannot stand in a header."""
    if value and not (value.isascii() and value.isprintable()):
        raise ValueError("a key has ASCII letters only")


def check_file(_: object, value: str | list[str] | None) -> None:
    """Refuse an unknown option where a file is wanted; `-` alone is no option."""
    for name in [value] if isinstance(value, str) else value or []:
        if name.startswith("-") and name != "-":
            raise ValueError(f"there is no option {name}; a file of this name is ./{name}")


def check_time(_: object, value: str | None) -> None:
    """Refuse what `read_time` cannot read."""
    if value is not None:
        read_time(value, datetime.now(UTC))


def read_time(text: str, now: datetime) -> datetime:
    """Read RFC 3339, a date (its midnight, UTC), or a span from now on, such as `30d`."""
    span = _SPAN.fullmatch(text)
    try:
        if span:
            return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise ValueError("a time like 2026-11-20T09:30:00Z is wanted") from error
    if len(text) > len("2026-11-20") and time.tzinfo is None:
        raise ValueError("the time zone is missing; put Z behind it for UTC")
    return time.replace(tzinfo=time.tzinfo or UTC)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach the server."""

    url: Annotated[
        str,
        Parameter(
            env_var="POSTLEDGER_URL",
            validator=check_url,
            metavar="URL",
            help="Address of the server.",
        ),
    ] = DEFAULT_URL
    key: Annotated[
        str,
        Parameter(
            env_var="POSTLEDGER_API_KEY",
            validator=check_key,
            show_default=False,
            metavar="KEY",
            help="Key, as `postledger keys create` gives it.",
        ),
    ] = ""
    patience: Annotated[
        float,
        Parameter(
            validator=validators.Number(gte=0),
            metavar="SECONDS",
            help="Longest time to wait for one answer while the server is busy or away.",
        ),
    ] = PATIENCE

    def client(self) -> Client:
        return Client(self.url or DEFAULT_URL, self.key, patience=self.patience, notice=note)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Place:
    """Which directory, and which settings."""

    data_dir: Annotated[
        str | None, Parameter(metavar="DIR", help="Directory of everything that is kept.")
    ] = None
    config: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Settings file; else `postledger.toml`, if it is there."),
    ] = None

    def settings(self, **overrides: object) -> Settings:
        return load(file=self.config, overrides={"data_dir": self.data_dir, **overrides})


LOCAL = Connection()
HERE = Place()
"""What stands when none of the options is given."""

AsJson = Annotated[bool, Parameter(name="--json")]
