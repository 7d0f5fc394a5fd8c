"""The documents say what the code does: examples run, tables are whole, links lead somewhere."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from conftest import Client
from postledger import cli
from postledger.cli.keys import keys, workspaces
from postledger.cli.rollups import rollups
from postledger.dialects import DIALECTS
from postledger.events import STATES
from postledger.http.description import document
from postledger.http.exports import MEMBERS as EXPORT
from postledger.http.figures import Figures
from postledger.http.metrics import PARAMETERS as FIGURES
from postledger.http.parameters import EVENTS, FEED
from postledger.http.problems import STATUS
from postledger.metrics import BOUNCE_CATEGORIES, GROUPS, METRICS, formula
from postledger.query import FILTERS
from postledger.settings import ELSEWHERE, PREFIX, Settings
from postledger.state.keys import SCOPES
from postledger.state.options import OPTIONS
from postledger.store.engine import Size

HOME = Path(__file__).parent.parent
DOCS = HOME / "docs"
PAGES = sorted([*HOME.glob("*.md"), *DOCS.glob("**/*.md")])
GENERATED = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]

# curl's options that the documents use, for machines that have none.
CURL = """\
import argparse, sys, urllib.request
words = argparse.ArgumentParser()
words.add_argument("url")
words.add_argument("-H", action="append", default=[])
words.add_argument("-d")
words.add_argument("-sS", action="store_true")
said = words.parse_args()
headers = dict(header.split(": ", 1) for header in said.H)
data = None if said.d is None else said.d.encode()
with urllib.request.urlopen(urllib.request.Request(said.url, data, headers)) as answer:
    sys.stdout.write(answer.read().decode())
"""


class Block(NamedTuple):
    language: str
    text: str


def page(name: str) -> str:
    return (HOME / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(*block) for block in found]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of all tables."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


# -- examples


@pytest.fixture
def shell(client: Client, tmp_path: Path) -> Any:
    """Run a block as a user would, in an empty directory, and return its standard output."""
    programs = tmp_path / "bin"
    programs.mkdir()
    if shutil.which("curl") is None:
        (programs / "curl").write_text(f"#!{sys.executable}\n{CURL}")
        (programs / "curl").chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    clean = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    env = clean | {
        "PATH": path,
        "POSTLEDGER_URL": client.address,
        "POSTLEDGER_API_KEY": client.key,
    }

    def run(text: str) -> str:
        ours = text.replace("http://127.0.0.1:8025", client.address)
        done = subprocess.run(
            ["sh", "-euc", ours],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (text, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    return run


@pytest.mark.parametrize("name", ["README.md", "docs/getting-started.md"])
def test_examples_run(name: str, shell: Any) -> None:
    """Every `sh` block runs, and answers what the `json` block behind it says."""
    examples = [*blocks(page(name)), Block("", "")]
    answers = {
        block.text: (shell(block.text), following)
        for block, following in pairwise(examples)
        if block.language == "sh"
    }
    assert answers
    for text, (answer, following) in answers.items():
        if following.language == "json":
            assert _timeless(following.text) == _timeless(answer), text


def _timeless(text: str) -> Any:
    """The JSON value without what differs each time."""
    return json.loads(
        text, object_hook=lambda found: {k: v for k, v in found.items() if k != "received_at"}
    )


def test_json_examples_are_json() -> None:
    """Every `json` block of every page can be read."""
    for path in PAGES:
        for block in blocks(path.read_text(encoding="utf-8")):
            if block.language == "json":
                json.loads(block.text)


# -- tables


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_pages_are_up_to_date(path: Path) -> None:
    """docs/events.md is what docs/generate.py makes of the registry, and the table of compatibility
    what it makes of the dialects and their cases."""
    assert path.read_text(encoding="utf-8") == GENERATED[path](), "run docs/generate.py"


def test_every_dialect_has_its_guide() -> None:
    """Each wire API has a page of its own, which the table of compatibility leads to."""
    for dialect in DIALECTS:
        assert (DOCS / "compatibility" / f"{dialect.NAME}.md").is_file()
        assert f"]({dialect.NAME}.md)" in page("docs/compatibility/README.md")


def test_every_setting_is_documented() -> None:
    """docs/settings.md has each setting with its variable and its default, and no other."""
    expected = {
        f"`{field.name}`": [
            f"`{PREFIX}{field.name.upper()}`",
            f"`{field.default}`" if field.default != "" else "empty",
        ]
        for field in msgspec.structs.fields(Settings)
    }
    table = {row[0]: row[1:3] for row in rows(page("docs/settings.md")) if len(row) == 4}
    del table["Setting"]
    assert expected == table
    for name in ELSEWHERE:
        assert f"`{PREFIX}{name}`" in page("docs/settings.md")


def test_every_option_of_a_workspace_is_documented() -> None:
    """docs/settings.md has each option with its default and its meaning, and no other."""
    expected = {f"`{name}`": f"`{option.default}`" for name, option in OPTIONS.items()}
    section = page("docs/settings.md").split("\n## Settings of a workspace\n")[1]
    _, *table = (row for row in rows(section.split("\n## ")[0]) if len(row) == 3)
    assert expected == {name: default for name, default, _ in table}
    assert all(meaning for _, _, meaning in table)


def test_every_route_is_documented() -> None:
    """docs/api.md has each request of the API description, and those of other services' APIs stand
    in the table of compatibility."""
    of_others, ours = page("docs/compatibility/README.md"), page("docs/api.md")
    missing = {
        f"{method.upper()} {path}"
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if f"`{method.upper()} {path}`" not in (of_others if "tags" in operation else ours)
    }
    assert set() == missing


@pytest.mark.parametrize(
    ("parameters", "heading"),
    [
        (EVENTS, "## Reading events"),
        (FEED, "## The feed"),
        ([each for each in FIGURES if each.name not in FILTERS], "## Figures"),
    ],
)
def test_every_parameter_is_documented(parameters: Any, heading: str) -> None:
    """docs/api.md has a line for each parameter of a request, and for no other."""
    section = page("docs/api.md").split(f"\n{heading}\n")[1].split("\n## ")[0]
    documented = {row[0].strip("`") for row in rows(section) if len(row) == 2}
    named = {name for name in documented if re.fullmatch(r"[a-z_]+", name)}
    assert {parameter.name for parameter in parameters} == named


def test_every_metric_is_documented() -> None:
    """docs/figures.md has each metric with its meaning and its formula, and no other, and the
    classes of each category; docs/api.md names each metric and each group."""
    table = [row for row in rows(page("docs/figures.md")) if len(row) == 3]
    expected = [[f"`{name}`", one.meaning, formula(name)] for name, one in METRICS.items()]
    assert [["Metric", "Meaning", "Formula"], *expected] == table
    for category, codes in BOUNCE_CATEGORIES.items():
        assert [category, ", ".join(map(str, codes))] in list(rows(page("docs/figures.md")))
    section = page("docs/api.md").split("\n## Figures\n")[1].split("\n## ")[0]
    assert [] == [name for name in (*METRICS, *GROUPS) if f"`{name}`" not in section]


def test_every_member_of_an_export_is_documented() -> None:
    """docs/api.md has a line for each member of the body that starts an export, and no other."""
    section = page("docs/api.md").split("\n## Exports\n")[1].split("\n## ")[0]
    documented = {row[0].strip("`") for row in rows(section) if len(row) == 2} - {"Member", "---"}
    assert set(EXPORT) == documented - {"-" * 3}


def test_every_failure_is_documented() -> None:
    """docs/api.md has each failure's status and title, and each status of the description."""
    table = {tuple(row[:2]) for row in rows(page("docs/api.md")) if len(row) == 3}
    assert {(str(status), kind.title) for kind, status in STATUS.items()} <= table
    statuses = {
        status
        for methods in document()["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
    }
    assert statuses - {"200", "default"} <= {status for status, _ in table}


def test_scopes_and_states_are_documented() -> None:
    """docs/api.md has every scope, and the states from the weakest to the strongest."""
    text = page("docs/api.md")
    assert [scope for scope in SCOPES if f"`{scope}`" not in text] == []
    assert ", ".join(f"`{state}`" for state in STATES) in text


def test_every_figure_is_documented() -> None:
    """docs/operations.md has each metric of /metrics with its type."""
    figures = Figures()
    figures.watch_store(lambda: Size(0, 0, 0))
    served = re.findall(r"^# TYPE (\S+) (\w+)$", figures.text().decode(), re.MULTILINE)
    expected = {(f"`{name}`", kind) for name, kind in served if not name.endswith("_created")}
    table = {tuple(row[:2]) for row in rows(page("docs/operations.md")) if len(row) == 3}
    assert expected == {row for row in table if row[0].startswith("`postledger_")}


# -- the command line


def commands() -> list[str]:
    groups = {"keys": keys, "workspaces": workspaces, "rollups": rollups}
    assert set(cli.GROUPS) == set(groups)
    below = [f"{name} {each}" for name, app in groups.items() for each in app if each[0] != "-"]
    return [command.name for command in cli.COMMANDS] + below


def test_every_command_is_documented() -> None:
    """docs/cli.md has a heading for each command, with an example below it."""
    _, *found = re.split(r"^## `postledger (.+)`$", page("docs/cli.md"), flags=re.MULTILINE)
    sections = dict(zip(found[::2], found[1::2], strict=True))
    assert set(commands()) == set(sections)
    for name, section in sections.items():
        assert f"postledger {name}" in "".join(block.text for block in blocks(section))


@pytest.mark.parametrize("command", commands())
def test_options_in_examples_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that a document gives to a command is one that the command has."""
    cli.main([*command.split(), "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    lines = [
        line
        for path in PAGES
        for block in blocks(path.read_text(encoding="utf-8"))
        for line in re.findall(rf"\bpostledger {command} ([^|#\n]*)", block.text)
    ]
    used = {option for line in lines for option in re.findall(r"(?<!\S)--[a-z-]+", line)}
    assert set() == used - known


# -- tests


TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_tests_that_are_named_exist() -> None:
    """Every test that a document names is there, by file and name."""
    named = {found for path in PAGES for found in TEST.findall(path.read_text(encoding="utf-8"))}
    assert named
    missing = [
        f"{file}::{name}"
        for file, name in sorted(named)
        if not (HOME / file).is_file() or (name and f"\ndef {name}(" not in page(file))
    ]
    assert missing == []


def test_every_claim_of_security_has_a_test() -> None:
    """Each row of docs/security.md names a test of its own words."""
    claims = [row for row in rows(page("docs/security.md")) if row[0] != "What holds"]
    assert 30 < len(claims)
    unproved = [row for row in claims if len(row) != 2 or "::test_" not in row[1]]
    assert unproved == []


# -- links


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link leads to a file, and its fragment to a heading there."""
    text = re.sub(
        r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    broken = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if _is_broken(path, target)]
    assert broken == []


def _is_broken(path: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return False
    name, _, fragment = target.partition("#")
    there = path.parent / name if name else path
    return not there.is_file() or bool(fragment and fragment not in _anchors(there))


def _anchors(path: Path) -> set[str]:
    """The fragments of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
