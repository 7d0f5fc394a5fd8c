"""`postledger keys` and `postledger workspaces`: the state store itself, also beside a server."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from sqlalchemy.exc import SQLAlchemyError

from postledger.cli.command import Command, add, examples
from postledger.cli.options import HERE, AsJson, Place, check_time, read_time
from postledger.cli.output import Column, for_people, lines, note, say, table
from postledger.errors import StartError
from postledger.state.keys import SCOPES, Key, Keyring, Workspace, open_keyring
from postledger.state.options import DEFAULTS, OPTIONS

KEY_COLUMNS = (
    Column("id"),
    *(Column(head, cut=True) for head in ("workspace", "name", "scopes")),
    *map(Column, ("created", "expires", "state")),
)

OPTION_COLUMNS = tuple(map(Column, ("option", "value", "")))


def _check_option(_: object, name: str) -> None:
    if name not in OPTIONS:
        raise ValueError(f"{name} is none of {', '.join(OPTIONS)}")


def _check_scopes(_: object, scopes: Sequence[str] | None) -> None:
    for scope in scopes or ():
        if scope not in SCOPES:
            raise ValueError(f"{scope} is none of {', '.join(SCOPES)}")


def create_key(
    *,
    workspace: Annotated[
        str, Parameter(metavar="NAME", help="Workspace that it opens; made if it is not there.")
    ],
    scope: Annotated[
        tuple[str, ...],
        Parameter(
            validator=_check_scopes,
            metavar="SCOPE",
            help="What it allows; repeatable. "
            + "; ".join(f"{name}: {meaning}" for name, meaning in SCOPES.items()),
        ),
    ],
    name: Annotated[str, Parameter(metavar="TEXT", help="What it is for, for people.")] = "",
    expires: Annotated[
        str | None,
        Parameter(
            validator=check_time, metavar="TIME", help="RFC 3339, a date, or a span such as 30d."
        ),
    ] = None,
    place: Place = HERE,
) -> None:
    """Make a key, and write it to stdout. It is shown this once, and cannot be found again."""
    now = datetime.now(UTC)
    with _opened(place, must_exist=False) as keyring:
        if workspace not in {known.name for known in keyring.workspaces()}:
            keyring.create_workspace(workspace)
            note(f"made the workspace {workspace}")
        text, key = keyring.create_key(
            workspace, scope, name=name, expires_at=read_time(expires, now) if expires else None
        )
    until = f"until {_time(key.expires_at)}" if key.expires_at else "until it is revoked"
    note(f"key {key.id} for workspace {workspace}: {', '.join(key.scopes)}; {until}")
    lines([text.encode()])


def list_keys(
    *,
    workspace: Annotated[
        str | None, Parameter(metavar="NAME", help="Only the keys of this workspace.")
    ] = None,
    json: Annotated[AsJson, Parameter(help="A JSON object a key, on a terminal too.")] = False,
    place: Place = HERE,
) -> None:
    """List the keys, revoked and expired ones too, the oldest first. Their text is not kept."""
    now = datetime.now(UTC)
    with _opened(place) as keyring:
        keys = keyring.keys(workspace)
    if json or not for_people():
        _write([_described(key, now) for key in keys])
    else:
        table(KEY_COLUMNS, [_row(key, now) for key in keys])


def revoke_key(
    key_id: Annotated[str, Parameter(metavar="ID", help="Its id, as `keys list` shows it.")],
    /,
    *,
    place: Place = HERE,
) -> None:
    """Make a key useless, for good. A running server refuses it within a second."""
    with _opened(place) as keyring:
        key = keyring.revoke(key_id)
    note(f"key {key.id} for workspace {key.workspace} is revoked")


def create_workspace(
    name: Annotated[
        str, Parameter(metavar="NAME", help="Lower-case letters, digits, `-` and `_`.")
    ],
    /,
    *,
    place: Place = HERE,
) -> None:
    """Make a workspace: events and keys of their own, that no other one sees."""
    with _opened(place, must_exist=False) as keyring:
        made = keyring.create_workspace(name)
    note(f"made the workspace {made.name}")


def list_workspaces(
    *,
    json: Annotated[
        AsJson, Parameter(help="A JSON object a workspace, on a terminal too.")
    ] = False,
    place: Place = HERE,
) -> None:
    """List the workspaces."""
    with _opened(place) as keyring:
        workspaces = keyring.workspaces()
    if json or not for_people():
        _write(workspaces)
    else:
        columns = Column("workspace"), Column("created", cut=True)
        table(columns, [(each.name, _time(each.created_at)) for each in workspaces])


def set_option(
    name: Annotated[str, Parameter(metavar="NAME", help="The workspace.")],
    option: Annotated[
        str,
        Parameter(
            validator=_check_option,
            metavar="OPTION",
            help="; ".join(f"{one.name}: {one.meaning}" for one in OPTIONS.values()),
        ),
    ],
    value: Annotated[
        str,
        Parameter(
            metavar="VALUE",
            help="; ".join(f"{one.name}: {one.expected}" for one in OPTIONS.values()),
        ),
    ],
    /,
    *,
    place: Place = HERE,
) -> None:
    """Change a setting of a workspace. A running server follows within a second."""
    with _opened(place) as keyring:
        keyring.set_option(name, option, value)
    note(f"{option} of workspace {name} is {value}")


def show_workspace(
    name: Annotated[str, Parameter(metavar="NAME", help="The workspace.")],
    /,
    *,
    json: Annotated[AsJson, Parameter(help="A JSON object, on a terminal too.")] = False,
    place: Place = HERE,
) -> None:
    """Show a workspace: its settings, and how many keys it has, revoked and expired ones too."""
    now = datetime.now(UTC)
    with _opened(place) as keyring:
        workspace = keyring.workspace(name)
        options = keyring.options(name)
        keys = keyring.keys(name)
    live = sum(key.live(now) for key in keys)
    if json or not for_people():
        counts = {"keys": len(keys), "live_keys": live}
        _write([{**msgspec.to_builtins(workspace), **counts, "options": _marked(options)}])
        return
    say(f"workspace {name}, made {_time(workspace.created_at)}; keys: {len(keys)}, {live} live")
    marks = {True: "default", False: ""}
    table(
        OPTION_COLUMNS,
        [(one, value, marks[value == DEFAULTS[one]]) for one, value in options.items()],
    )


@contextmanager
def _opened(place: Place, *, must_exist: bool = True) -> Iterator[Keyring]:
    """Open the keyring of these settings; `must_exist` keeps a slip from making a new one."""
    settings = place.settings()
    if must_exist and not settings.state and not (settings.directory / "state.sqlite3").exists():
        raise StartError(
            f"there are no workspaces and keys in {settings.directory}; "
            "name the server's directory with --data-dir"
        )
    try:
        with closing(open_keyring(settings)) as keyring:
            yield keyring
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise StartError(f"the state store does not work: {reason}") from error


def _marked(options: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: {"value": value, "default": value == DEFAULTS[name]}
        for name, value in options.items()
    }


def _described(key: Key, now: datetime) -> dict[str, Any]:
    return {**msgspec.to_builtins(key), "state": _state(key, now)}


def _row(key: Key, now: datetime) -> tuple[str, ...]:
    scopes = ", ".join(key.scopes)
    times = _day(key.created_at), _day(key.expires_at)
    return key.id, key.workspace, key.name, scopes, *times, _state(key, now)


def _state(key: Key, now: datetime) -> str:
    if key.live(now):
        return "live"
    return "revoked" if key.revoked_at else "expired"


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d}" if time else ""


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%SZ}" if time else ""


def _write(values: Sequence[Workspace] | Sequence[dict[str, Any]]) -> None:
    lines(map(msgspec.json.encode, values))


keys = App("keys", help_epilogue=examples("postledger keys list"))
add(
    keys,
    (
        Command(
            "create",
            create_key,
            (
                "postledger keys create --workspace shop --scope events:read",
                "KEY=$(postledger keys create --workspace shop --scope admin --expires 30d)",
            ),
        ),
        Command("list", list_keys, ("postledger keys list --workspace shop",)),
        Command("revoke", revoke_key, ("postledger keys revoke 5f7a3c1d9e02",)),
    ),
)

workspaces = App("workspaces", help_epilogue=examples("postledger workspaces list"))
add(
    workspaces,
    (
        Command("create", create_workspace, ("postledger workspaces create shop",)),
        Command("list", list_workspaces, ("postledger workspaces list",)),
        Command("show", show_workspace, ("postledger workspaces show shop",)),
        Command("set", set_option, ("postledger workspaces set shop timezone Europe/Warsaw",)),
    ),
)
