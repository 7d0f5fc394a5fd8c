"""Write `docs/events.md` from the registry in `postledger.events`.

Run it after a change there: `.venv/bin/python docs/generate.py`. A test compares.
"""

# ruff: noqa: INP001 -- a program beside the documents, not a package

import json
from collections.abc import Iterable
from pathlib import Path

from postledger.events import EVENT_TYPES, FIELDS, STATE_OF_TYPE, Field

TARGET = Path(__file__).with_name("events.md")

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


def page() -> str:
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


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(map(_line, [head, ("---",) * len(head), *rows]))


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
