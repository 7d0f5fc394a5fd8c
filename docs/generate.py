"""Write the pages that are made of what the code and the tests have.

`docs/events.md` from the registry in `postledger.events`, `docs/compatibility/README.md` from the
dialects and the cases in `tests/dialects/cases`. Run it after a change there:
`.venv/bin/python docs/generate.py`. A test compares.
"""

# ruff: noqa: INP001 -- a program beside the documents, not a package

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import yaml

from postledger.dialects import DIALECTS
from postledger.dialects.wire import Dialect
from postledger.events import EVENT_TYPES, FIELDS, STATE_OF_TYPE, Field

HOME = Path(__file__).parent
CASES = HOME.parent / "tests" / "dialects" / "cases"

_HEAD = """\
# Events

<!-- Made by docs/generate.py from src/postledger/events.py; change it there. -->

An event is one JSON object. `type` and `timestamp` are required on the way in; fields without a
value are left out on the way out. A field that is not in the table below is kept as it was sent,
and given back. The [API guide](api.md) says how events are stored and found.

## Types

The last column is the state that the event alone would give its message; the strongest state of all
events counts ([which is stronger](api.md#a-message)).

"""
_FIELDS = """
## Fields

*Accepts* is what may be sent. Codes come back as strings, integers as integers, booleans as `true`
or `false`, times as `YYYY-MM-DDTHH:MM:SS.mmmZ`. *Few* marks fields whose values repeat from event
to event, a campaign for instance; the store encodes them accordingly. It is no limit.

"""


_MATRIX = """\
# Compatibility

<!-- Made by docs/generate.py from the dialects and their cases; change it there. -->

Postledger answers the event APIs of other services, so that their clients need another host and
another key, and nothing else. Each API has a guide: how to point a client here, what is the same,
what differs and why.

"""
_EACH = """
What is held to be compatible is written down as cases: a request, the answer to it, and where the
expectation comes from. They are sent to a real server over a socket in every run of the tests; the
files and their format are in `tests/dialects/cases`. *Contract* is the project's own record of what
documents, clients and observations say about the service; the number is its section.
"""
_TITLES = {
    "netcore": "Netcore and Pepipost",
    "smtpeter": "SMTPeter",
    "sparkpost": "SparkPost and Bird",
    "unosend": "Unosend",
}


def events() -> str:
    """Return the text of `docs/events.md`."""
    types = _table(
        ("Type", "Meaning", "State"),
        ((f"`{name}`", about, f"`{STATE_OF_TYPE[name]}`") for name, about in EVENT_TYPES.items()),
    )
    fields = _table(("Field", "Accepts", "Meaning", "Sample", "Few"), map(_row, FIELDS))
    return _HEAD + types + _FIELDS + fields


def _row(field: Field) -> tuple[str, ...]:
    sample = json.dumps(field.sample, ensure_ascii=False)
    few = "yes" if field.few else ""
    return f"`{field.name}`", field.kind.value, f"{field.meaning}.", f"`{sample}`", few


def matrix() -> str:
    """Return the text of `docs/compatibility/README.md`."""
    overview = _table(
        ("API", "Guide", "Requests", "Cases"),
        (
            (
                f"[{_TITLES[each.NAME]}]({_anchor(_TITLES[each.NAME])})",
                f"[{each.NAME}.md]({each.NAME}.md)",
                str(len(each.OPERATIONS)),
                str(len(list(_cases(each)))),
            )
            for each in DIALECTS
        ),
    )
    return _MATRIX + overview + _EACH + "".join(map(_compatibility, DIALECTS))


def _compatibility(dialect: Dialect) -> str:
    operations = _table(
        ("Request", "What it gives", "Scope of the key"),
        (
            (
                f"`{each.method} {each.path.replace(':path}', '}')}`",
                each.summary,
                f"`{each.scope}`" if each.scope else "no key needed",
            )
            for each in dialect.OPERATIONS
        ),
    )
    cases = _table(("Topic", "Case", "Source"), _cases(dialect))
    return f"\n## {_TITLES[dialect.NAME]}\n\n{operations}\n{cases}"


def _cases(dialect: Dialect) -> Iterator[tuple[str, ...]]:
    for path in sorted((CASES / dialect.NAME).glob("*.yaml")):
        # the base loader: names and sources are text, and nothing else is looked at
        for case in yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader):  # noqa: S506
            yield path.stem, _plain(case["name"]), _plain(case["source"])


def _plain(text: str) -> str:
    """Text on one line in which Markdown sees no tag."""
    return " ".join(text.split()).replace("<", "&lt;")


def _anchor(title: str) -> str:
    return "#" + title.lower().replace(" ", "-")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(map(_line, [head, ("---",) * len(head), *rows]))


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


PAGES: dict[Path, Callable[[], str]] = {
    HOME / "events.md": events,
    HOME / "compatibility" / "README.md": matrix,
}

if __name__ == "__main__":
    for target, make in PAGES.items():
        target.write_text(make(), encoding="utf-8")
