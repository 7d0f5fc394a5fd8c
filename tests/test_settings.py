"""Settings from the environment and the file."""

from pathlib import Path

import pytest

from postledger.errors import BadSettings
from postledger.settings import Settings, load


def test_without_anything_the_defaults_hold() -> None:
    """An empty environment gives a server on loopback with its data beside it."""
    found = load({})
    assert Settings() == found
    assert ("127.0.0.1", 8025) == (found.host, found.port)
    assert f"chdb://{Path('data').resolve()}/events" == found.store_dsn


def test_the_later_source_wins(tmp_path: Path) -> None:
    """Options win over the environment, the environment over the file."""
    file = tmp_path / "postledger.toml"
    file.write_text('host = "0.0.0.0"\nport = 1\nreaders = 2\n')
    environment = {
        "POSTLEDGER_CONFIG": str(file),
        "POSTLEDGER_PORT": "2",
        "POSTLEDGER_READERS": "3",
    }
    found = load(environment, overrides={"readers": 5, "host": None})
    assert ("0.0.0.0", 2, 5) == (found.host, found.port, found.readers)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORTT", "1", "POSTLEDGER_PORTT is not a setting"),
        ("PORT", "many", "^port: expected a whole number, not 'many'$"),
        ("PORT", "65536", "^port: expected a whole number <= 65535, not '65536'$"),
        ("READERS", "0", "readers: "),
        ("LOG_FORMAT", "xml", "^log_format: expected one of auto, console, json, not 'xml'$"),
        ("MAX_BODY_BYTES", "1", "max_body_bytes: "),
        ("API_KEY", "key ", "^api_key: white space at an end"),
        ("HOST", "", "^host: expected a text of length >= 1, not ''$"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(name: str, value: str, said: str) -> None:
    """A slip of the pen does not pass for a setting."""
    with pytest.raises(BadSettings, match=said):
        load({f"POSTLEDGER_{name}": value})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "prot in .* is not a setting"),
        ("port = ", "is not TOML"),
        ("port = 1.5", "port"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """The file is held to the same rules."""
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(BadSettings, match=said):
        load({}, file=file)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    """A missing file is told, unless it is only the default one."""
    with pytest.raises(BadSettings, match="cannot be read"):
        load({"POSTLEDGER_CONFIG": str(tmp_path / "none.toml")})


def test_a_secret_is_not_shown() -> None:
    """What is wrong with a secret setting is told without its value."""
    with pytest.raises(BadSettings) as caught:
        load({}, overrides={"api_key": 12.5, "port": 1})
    assert "12.5" not in str(caught.value)


def test_other_programs_variables_are_let_alone() -> None:
    """Only names that begin with POSTLEDGER_ are ours."""
    assert Settings() == load({"PATH": "/bin", "PORT": "x", "POSTLEDGER_URL": "http://x"})
