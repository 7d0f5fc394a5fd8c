"""Workspaces, and the keys that give access to them.

A key is `pl_ID_SECRET`: the id is for people and for finding it, the secret is 256 random bits.
What is stored is HMAC-SHA256 of the whole key with the server's secret; a slow hash would add
nothing to so much chance. A key is shown once, when it is made.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from postledger.errors import BadInput, NotFound, StartError, Unauthenticated
from postledger.settings import Settings
from postledger.state import tables
from postledger.state.options import DEFAULTS
from postledger.state.options import check as check_option

SCOPES: dict[str, str] = {
    "events:write": "store events",
    "events:read": "search events, read the feed and the metrics",
    "exports:read": "list and download exports",
    "exports:write": "start and remove exports",
    "admin": "all of these, and what changes the workspace",
}
DEFAULT_WORKSPACE = "default"
REMEMBERED = timedelta(seconds=1)
"""How long a checked key is not looked up again, so how long a revoked one may still work."""

_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PREFIX = "pl_"
_KEY_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Workspace:
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are UTC."""

    id: str
    workspace: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


class Keyring:
    """The workspaces and keys of a state store. Safe to use from several threads."""

    def __init__(
        self,
        engine: Engine,
        secret: bytes,
        *,
        fixed_key: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`fixed_key`, if not empty, is a key with every scope on the default workspace, unless it
        is a stored key, which stays what it is: commands read the same variable."""
        self._engine = engine
        self._secret = secret
        self._clock = clock
        self._fixed = self._digest(fixed_key) if fixed_key else None
        self._remembered: dict[str, tuple[datetime, Key]] = {}  # by digest: no key lies in memory
        self._options: dict[str, tuple[datetime, Mapping[str, str]]] = {}

    def close(self) -> None:
        self._engine.dispose()

    @property
    def store(self) -> Engine:
        """The state store that they lie in."""
        return self._engine

    # -- workspaces

    def create_workspace(self, name: str) -> Workspace:
        """Raises BadInput when the name is not one, or taken."""
        if not _WORKSPACE.fullmatch(name):
            raise BadInput.parameter(
                "workspace",
                "up to 64 lower-case letters, digits, '-' and '_', the first a letter or a digit",
            )
        made = Workspace(name, self._clock())
        try:
            with tables.changing(self._engine) as connection:
                connection.execute(
                    insert(tables.workspaces).values(name=name, created_at=made.created_at)
                )
        except IntegrityError as error:
            raise BadInput.parameter("workspace", f"{name} exists already") from error
        return made

    def workspaces(self) -> list[Workspace]:
        query = select(tables.workspaces).order_by(tables.workspaces.c.name)
        with tables.reading(self._engine) as connection:
            return [Workspace(row.name, row.created_at) for row in connection.execute(query)]

    def workspace(self, name: str) -> Workspace:
        """The workspace of this name. Raises NotFound when there is none."""
        found = next((known for known in self.workspaces() if known.name == name), None)
        if found is None:
            raise NotFound(f"there is no workspace {name}; `postledger workspaces list`")
        return found

    def ensure_workspace(self, name: str) -> None:
        """Make it, unless it is there. Raises BadInput when the name is not one."""
        if self._has_workspace(name):
            return
        try:
            self.create_workspace(name)
        except BadInput:
            if not self._has_workspace(name):  # else another process was faster
                raise

    def _has_workspace(self, name: str) -> bool:
        return name in {workspace.name for workspace in self.workspaces()}

    def options(self, workspace: str) -> Mapping[str, str]:
        """The settings of a workspace, defaults filled in; a change shows after `REMEMBERED`."""
        now = self._clock()
        checked, found = self._options.get(workspace, (None, DEFAULTS))
        if checked is None or now - checked >= REMEMBERED or checked > now:
            query = select(tables.options).where(tables.options.c.workspace == workspace)
            with tables.reading(self._engine) as connection:
                rows = connection.execute(query)
                found = DEFAULTS | {row.name: row.value for row in rows if row.name in DEFAULTS}
            self._options[workspace] = (now, found)
        return found

    def set_option(self, workspace: str, name: str, value: str) -> None:
        """Change a setting of a workspace. Raises BadInput, or NotFound for the workspace."""
        check_option(name, value)
        self.workspace(workspace)
        mine = (tables.options.c.workspace == workspace, tables.options.c.name == name)
        with tables.changing(self._engine) as connection:
            tables.hold(connection, workspace)
            connection.execute(delete(tables.options).where(*mine))
            connection.execute(
                insert(tables.options).values(workspace=workspace, name=name, value=value)
            )
        self._options.pop(workspace, None)

    # -- keys

    def create_key(
        self,
        workspace: str,
        scopes: Iterable[str],
        *,
        name: str = "",
        expires_at: datetime | None = None,
    ) -> tuple[str, Key]:
        """A new key: its text, which is not kept, and what is kept of it.

        Raises BadInput for an unknown scope, a time that has passed or a long name, NotFound for an
        unknown workspace.
        """
        wanted = _checked_scopes(scopes)
        if len(name) > tables.LONGEST_NAME:
            raise BadInput.parameter("name", f"up to {tables.LONGEST_NAME} characters")
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise BadInput.parameter("expires", "a time in the future")
        self.workspace(workspace)
        key = Key(secrets.token_hex(6), workspace, name, wanted, now, expires_at, None)
        text = f"{_PREFIX}{key.id}_{secrets.token_urlsafe(32)}"
        with tables.changing(self._engine) as connection:
            connection.execute(
                insert(tables.keys).values(
                    id=key.id,
                    workspace=workspace,
                    name=name,
                    digest=self._digest(text),
                    scopes=list(wanted),
                    created_at=now,
                    expires_at=expires_at,
                )
            )
        return text, key

    def keys(self, workspace: str | None = None) -> list[Key]:
        """All keys, or those of one workspace, revoked and expired ones too; the oldest first."""
        query = select(tables.keys).order_by(tables.keys.c.created_at, tables.keys.c.id)
        if workspace is not None:
            query = query.where(tables.keys.c.workspace == workspace)
        with tables.reading(self._engine) as connection:
            return [_key(row) for row in connection.execute(query).mappings()]

    def revoke(self, key_id: str) -> Key:
        """Make a key useless, for good. Raises NotFound for an unknown id."""
        with tables.changing(self._engine) as connection:
            connection.execute(
                update(tables.keys)
                .where(tables.keys.c.id == key_id, tables.keys.c.revoked_at.is_(None))
                .values(revoked_at=self._clock())
            )
            row = connection.execute(select(tables.keys).where(tables.keys.c.id == key_id))
            found = row.mappings().one_or_none()
        if found is None:
            raise NotFound(f"there is no key {key_id}; `postledger keys list`")
        self._remembered.clear()
        return _key(found)

    def authenticate(self, text: str) -> Key:
        """The key with this text, if it is live; else Unauthenticated."""
        if (known := self.remembered(text)) is not None:
            return known
        now = self._clock()
        digest = self._digest(text)
        key = self._look_up(text, digest)
        if key is None or not key.live(now):
            self._remembered.pop(digest, None)  # else a clock that is set back finds it again
            raise Unauthenticated("the key is unknown, revoked or expired")
        if len(self._remembered) > 10_000:  # noqa: PLR2004 -- a ceiling, not a tuned number
            self._remembered.clear()
        self._remembered[digest] = (now, key)
        return key

    def remembered(self, text: str) -> Key | None:
        """The key with this text, if it is live and was looked up less than `REMEMBERED` ago, or
        cannot be a stored one."""
        now = self._clock()
        digest = self._digest(text)
        if not text.startswith(_PREFIX):
            return self._fixed_key(digest)
        checked, key = self._remembered.get(digest, (None, None))
        if checked is None or key is None or not timedelta() <= now - checked < REMEMBERED:
            return None
        return key if key.live(now) else None

    def check(self) -> None:
        """Raises StoreUnavailable when the state store does not answer."""
        with tables.reading(self._engine) as connection:
            connection.execute(select(1))

    def _look_up(self, text: str, digest: str) -> Key | None:
        key = self._stored(text, digest) if text.startswith(_PREFIX) else None
        return key or self._fixed_key(digest)

    def _fixed_key(self, digest: str) -> Key | None:
        if self._fixed is None or not hmac.compare_digest(digest, self._fixed):
            return None
        return Key("fixed", DEFAULT_WORKSPACE, "", tuple(SCOPES), self._clock(), None, None)

    def _stored(self, text: str, digest: str) -> Key | None:
        key_id = text.removeprefix(_PREFIX).partition("_")[0]
        if not _KEY_ID.fullmatch(key_id):  # PostgreSQL takes no NUL in a text
            return None
        query = select(tables.keys).where(tables.keys.c.id == key_id)
        with tables.reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None or not hmac.compare_digest(digest, row["digest"]):
            return None
        return _key(row)

    def _digest(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode(), hashlib.sha256).hex()


def open_keyring(settings: Settings) -> Keyring:
    """The keyring that the settings name, for the server and for commands beside it; `close` it."""
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = _secret(settings)
    return Keyring(tables.open_state(settings.state_url), secret, fixed_key=settings.api_key)


def _secret(settings: Settings) -> bytes:
    if settings.secret:
        return settings.secret.encode()
    path = settings.directory / "secret"
    try:
        return _read_or_make(path)
    except OSError as error:
        raise StartError(f"{path} cannot be read or made: {error.strerror}") from error


def _read_or_make(path: Path) -> bytes:
    try:
        with open(path, "xb", opener=_private) as file:
            file.write(secrets.token_hex(32).encode())
    except FileExistsError:
        pass
    found = path.read_bytes().strip()
    if not found:
        raise StartError(
            f"{path} is empty; put it back from a copy, or remove it and make new keys"
        )
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(scopes))
    if not wanted:
        raise BadInput.parameter("scope", f"at least one of {', '.join(SCOPES)}")
    for scope in wanted:
        if scope not in SCOPES:
            raise BadInput.parameter("scope", f"{scope} is none of {', '.join(SCOPES)}")
    return wanted


def _key(row: Mapping[str, Any] | Any) -> Key:
    return Key(
        id=row["id"],
        workspace=row["workspace"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
