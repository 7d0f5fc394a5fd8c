"""Workspaces and keys."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from postledger.errors import (
    BadInput,
    BadSettings,
    ForeignStore,
    NotFound,
    StartError,
    Unauthenticated,
)
from postledger.settings import load
from postledger.state import tables
from postledger.state.keys import REMEMBERED, SCOPES, Keyring, open_keyring
from postledger.state.options import DEFAULTS, OPTIONS

Opened = Callable[[], Engine]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(opened: Opened, clock: Clock) -> Keyring:
    engine = opened()
    made = Keyring(engine, b"pepper", fixed_key="the-fixed-one", clock=clock)
    made.create_workspace("shop")
    return made


def test_a_key_opens_its_workspace(keyring: Keyring) -> None:
    """A key gives its workspace and scopes, and no more."""
    text, made = keyring.create_key("shop", ["events:read"], name="reports")
    found = keyring.authenticate(text)
    assert made == found
    assert "shop" == found.workspace
    assert (True, False) == (found.allows("events:read"), found.allows("events:write"))


def test_admin_allows_everything(keyring: Keyring) -> None:
    """The scope `admin` includes the others."""
    text, _ = keyring.create_key("shop", ["admin"])
    assert all(keyring.authenticate(text).allows(scope) for scope in SCOPES)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text.upper(),
        lambda text: text.split("_")[1],
        lambda text: "",
        lambda text: "pl__",
    ],
)
def test_a_key_that_is_not_exact_is_refused(keyring: Keyring, change: Callable[[str], str]) -> None:
    """Nothing but the whole key opens."""
    text, _ = keyring.create_key("shop", ["admin"])
    with pytest.raises(Unauthenticated):
        keyring.authenticate(change(text))


def test_a_key_ends_at_its_time(keyring: Keyring, clock: Clock) -> None:
    """It works before its end and not from it on."""
    text, _ = keyring.create_key("shop", ["admin"], expires_at=NOON + timedelta(minutes=1))
    clock.now = NOON + timedelta(seconds=59)
    keyring.authenticate(text)
    clock.now = NOON + timedelta(minutes=1)
    with pytest.raises(Unauthenticated):
        keyring.authenticate(text)


def test_a_revoked_key_is_refused_at_once_here(keyring: Keyring) -> None:
    """In the process that revokes it, a key ends at once."""
    text, made = keyring.create_key("shop", ["admin"])
    keyring.authenticate(text)
    keyring.revoke(made.id)
    with pytest.raises(Unauthenticated):
        keyring.authenticate(text)


def test_a_key_revoked_elsewhere_is_refused_within_a_second(
    keyring: Keyring, clock: Clock, opened: Opened
) -> None:
    """Another process that has just seen the key asks again after a second, and refuses it from
    then on, also when its clock is set back."""
    text, made = keyring.create_key("shop", ["admin"])
    keyring.authenticate(text)
    elsewhere = Keyring(opened(), b"pepper")
    elsewhere.revoke(made.id)
    for now in (NOON + timedelta(seconds=1), NOON):
        clock.now = now
        with pytest.raises(Unauthenticated):
            keyring.authenticate(text)


def test_the_text_of_a_key_is_stored_nowhere(keyring: Keyring, tmp_path: Path) -> None:
    """What is on disk does not open anything."""
    text, made = keyring.create_key("shop", ["admin"])
    secret = text.split("_", 2)[2]
    with keyring.store.connect() as connection:
        rows = connection.execute(select(tables.keys)).all()
    assert made.id in str(rows)
    assert secret not in str(rows)
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes(), file


def test_a_key_of_another_secret_is_refused(keyring: Keyring, opened: Opened) -> None:
    """The stored hash is worth nothing without the server's secret."""
    text, _ = keyring.create_key("shop", ["admin"])
    other = Keyring(opened(), b"salt")
    with pytest.raises(Unauthenticated):
        other.authenticate(text)


def test_the_fixed_key_opens_the_default_workspace(keyring: Keyring) -> None:
    """POSTLEDGER_API_KEY is a key with every scope on `default`."""
    key = keyring.authenticate("the-fixed-one")
    assert ("default", set(SCOPES)) == (key.workspace, set(key.scopes))


def test_a_stored_key_in_the_environment_stays_what_it_is(keyring: Keyring, opened: Opened) -> None:
    """A read-only key that the server finds in POSTLEDGER_API_KEY gains nothing, revoked or not."""
    text, made = keyring.create_key("shop", ["events:read"])
    engine = opened()
    server = Keyring(engine, b"pepper", fixed_key=text, clock=Clock())
    assert made == server.authenticate(text)
    server.revoke(made.id)
    with pytest.raises(Unauthenticated):
        server.authenticate(text)


def test_bad_wishes_are_refused(keyring: Keyring) -> None:
    """Scopes, ends, workspaces and ids that cannot be meant are named."""
    with pytest.raises(BadInput, match="events:delete"):
        keyring.create_key("shop", ["events:delete"])
    with pytest.raises(BadInput, match="at least one"):
        keyring.create_key("shop", [])
    with pytest.raises(BadInput, match="future"):
        keyring.create_key("shop", ["admin"], expires_at=NOON)
    with pytest.raises(BadInput, match="name: up to 200 characters"):
        keyring.create_key("shop", ["admin"], name="a" * 201)
    assert "ä" * 200 == keyring.create_key("shop", ["admin"], name="ä" * 200)[1].name
    with pytest.raises(NotFound, match="no workspace mall"):
        keyring.create_key("mall", ["admin"])
    with pytest.raises(NotFound, match="no key beef"):
        keyring.revoke("beef")


@pytest.mark.parametrize("name", ["", "Shop", "a b", "-a", "a" * 65, "ä", "a\tb", "a\n"])
def test_a_workspace_has_a_plain_name(keyring: Keyring, name: str) -> None:
    """It stands in file formats, logs and addresses."""
    with pytest.raises(BadInput, match="workspace"):
        keyring.create_workspace(name)


def test_a_workspace_is_made_once(keyring: Keyring) -> None:
    """A name that is taken is refused; `ensure` lets it be."""
    with pytest.raises(BadInput, match="exists already"):
        keyring.create_workspace("shop")
    keyring.ensure_workspace("shop")
    assert ["shop"] == [workspace.name for workspace in keyring.workspaces()]


def test_a_workspace_is_found_by_its_name(keyring: Keyring) -> None:
    """The one of this name, or a sentence."""
    found = keyring.workspace("shop")
    assert ("shop", NOON) == (found.name, found.created_at)
    with pytest.raises(NotFound, match="no workspace mall"):
        keyring.workspace("mall")


def test_options_have_defaults(keyring: Keyring) -> None:
    """A workspace for which nothing was set has every option, with a default it would accept."""
    assert DEFAULTS == keyring.options("shop")
    assert all(option.accepts(option.default) for option in OPTIONS.values())


def test_an_option_is_of_one_workspace(keyring: Keyring) -> None:
    """What is set shows at once where it was set, the last value wins, and others keep theirs."""
    keyring.create_workspace("mall")
    for zone in ("Europe/Warsaw", "Asia/Kolkata"):
        keyring.set_option("shop", "timezone", zone)
        assert DEFAULTS | {"timezone": zone} == keyring.options("shop")
    assert DEFAULTS == keyring.options("mall")


def test_an_option_set_elsewhere_shows_within_a_second(
    keyring: Keyring, clock: Clock, opened: Opened
) -> None:
    """Another process that has just read the options reads them again after a second."""
    keyring.options("shop")
    elsewhere = Keyring(opened(), b"pepper")
    elsewhere.set_option("shop", "smtpeter_rows", "both")
    clock.now = NOON + REMEMBERED - timedelta(milliseconds=1)
    assert "nested" == keyring.options("shop")["smtpeter_rows"]
    clock.now = NOON + REMEMBERED
    assert "both" == keyring.options("shop")["smtpeter_rows"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("zone", "UTC", "zone is none of timezone, "),
        ("", "", "is none of timezone, "),
        ("timezone", "Europe/Lodz", "timezone: expected an IANA name"),
        ("timezone", "../etc/passwd", "timezone: expected an IANA name"),
        ("timezone", "", "timezone: expected an IANA name"),
        ("unosend_envelope", "Wrapped", "expected wrapped or unwrapped"),
        ("smtpeter_rows", "all", "expected nested or flat or both"),
        ("smtpeter_numbers", "1", "expected strings or numbers"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(
    keyring: Keyring, name: str, value: str, says: str
) -> None:
    """A bad name or value is told with what was expected, and changes nothing."""
    with pytest.raises(BadInput, match=says):
        keyring.set_option("shop", name, value)
    assert DEFAULTS == keyring.options("shop")


def test_an_option_needs_a_workspace(keyring: Keyring) -> None:
    """Nothing is kept for a workspace that is not there."""
    with pytest.raises(NotFound, match="no workspace mall"):
        keyring.set_option("mall", "timezone", "UTC")


def test_keys_are_listed_with_those_that_ended(keyring: Keyring) -> None:
    """The list has all keys of a workspace, the oldest first, with their ends."""
    keyring.create_workspace("mall")
    _, first = keyring.create_key("shop", ["admin"], name="one")
    keyring.create_key("mall", ["admin"])
    keyring.revoke(first.id)
    assert [(first.id, NOON)] == [(key.id, key.revoked_at) for key in keyring.keys("shop")]
    assert 2 == len(keyring.keys())


def test_the_secret_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    """Keys made before a restart open after it; nobody else can read the secret."""
    settings = load({}, overrides={"data_dir": str(tmp_path / "data")})
    with closing(open_keyring(settings)) as keyring:
        keyring.create_workspace("shop")
        text, _ = keyring.create_key("shop", ["admin"])
    with closing(open_keyring(settings)) as keyring:
        assert "shop" == keyring.authenticate(text).workspace
    assert 0o600 == (tmp_path / "data" / "secret").stat().st_mode & 0o777


def test_an_empty_secret_is_told(tmp_path: Path) -> None:
    """A secret that was lost does not silently make every key wrong."""
    (tmp_path / "secret").touch()
    with pytest.raises(StartError, match="is empty"):
        open_keyring(load({}, overrides={"data_dir": str(tmp_path)}))


def test_a_newer_state_store_is_refused(opened: Opened) -> None:
    """An older Postledger does not touch what a newer one wrote."""
    with opened().begin() as connection:
        connection.execute(update(tables.schema_version).values(version=99))
    with pytest.raises(ForeignStore, match="schema 99"):
        opened()


def test_a_state_store_that_is_out_of_reach_is_told(tmp_path: Path) -> None:
    """No stack trace for a directory that is not there."""
    with pytest.raises(StartError, match="cannot be opened"):
        tables.open_state(f"sqlite:///{tmp_path / 'none' / 'state.sqlite3'}")


@pytest.mark.parametrize("url", ["postgresql+psycopg://u:s3cret@h:abc/x", "no URL"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    """It is refused in a sentence that names the setting, without its value."""
    for use in (tables.open_state, tables.look):
        with pytest.raises(BadSettings, match=r"^state: expected a URL such as \S+$") as refused:
            use(url)
        assert url not in str(refused.value)


def test_a_look_changes_nothing(opened: Opened, url: str, tmp_path: Path) -> None:
    """How many keys there are is told without making what is not there."""
    assert tables.look(url) is None
    assert [] == list(tmp_path.iterdir())
    ring = Keyring(opened(), b"pepper")
    assert 0 == tables.look(url)
    ring.create_workspace("shop")
    _, key = ring.create_key("shop", ["admin"])
    ring.create_key("shop", ["admin"])
    ring.revoke(key.id)
    assert 2 == tables.look(url)
    with pytest.raises(StartError, match="cannot be opened"):
        tables.look("nothing://")
