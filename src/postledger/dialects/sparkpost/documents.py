"""What the API says of its own events: `documentation` and `samples`.

Contract `bird-sparkpost.md`, section 5; in samples all ids and numbers are strings (U-1). Built
from the tables, so that what is described is what is served.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from postledger.dialects.sparkpost.search import named_events
from postledger.dialects.sparkpost.tables import (
    FIELDS,
    GROUPS,
    SERVED,
    WEBHOOK_EVENTS,
    WEBHOOK_FIELDS,
    Field,
    Form,
    Type,
)
from postledger.dialects.wire import Call, Reply

_FIELDS = FIELDS | WEBHOOK_FIELDS
_ALL = SERVED | WEBHOOK_EVENTS

Json = dict[str, Any]


def documentation(_: Call) -> Reply:
    """The fields of each type that a search may give."""
    return _results([_described(name, SERVED[name]) for name in SERVED])


def samples(call: Call) -> Reply:
    """An event of each type that is asked for. Raises BadInput."""
    return _results([_sample(name, _as_is) for name in named_events(call, SERVED)])


def old_samples(call: Call) -> Reply:
    """The same as rows of the older API."""
    return _results([_sample(name, _old) for name in named_events(call, SERVED)])


def webhook_documentation(_: Call) -> Reply:
    """Types and fields by group, those that only webhooks carry too."""
    return _results({group: _group(group) for group in GROUPS})


def webhook_samples(call: Call) -> Reply:
    """An event of each type as a webhook sends it. Raises BadInput."""
    wrapped = (
        {"msys": {_ALL[name].group: _sample(name, _sent)}} for name in named_events(call, _ALL)
    )
    return _results(list(wrapped))


def _results(results: object) -> Reply:
    return Reply(msgspec.json.encode({"results": results}))


def _group(group: str) -> Json:
    title, meaning = GROUPS[group]
    events = {
        name: {
            "event": _described(name, kind),
            "description": kind.meaning,
            "display_name": kind.title,
        }
        for name, kind in _ALL.items()
        if kind.group == group
    }
    return {"events": events, "description": meaning, "display_name": title}


def _described(name: str, kind: Type) -> Json:
    known: Iterable[tuple[str, Field]] = ((field, _FIELDS[field]) for field in kind.fields)
    return {
        "type": {"description": "Type of the event", "sampleValue": name},
        **{field: {"description": f.meaning, "sampleValue": f.sample} for field, f in known},
    }


def _sample(name: str, said: Callable[[Field], object]) -> Json:
    return {"type": name} | {field: said(_FIELDS[field]) for field in _ALL[name].fields}


def _as_is(field: Field) -> object:
    return field.sample


def _old(field: Field) -> object:
    if field.form is Form.TIME:
        return str(field.sample).replace("Z", "+00:00")
    return field.sample


def _sent(field: Field) -> object:
    """Times of webhooks are unix seconds as a string (section 10)."""
    if field.form is Form.TIME:
        return str(int(datetime.fromisoformat(str(field.sample)).timestamp()))
    return field.sample
