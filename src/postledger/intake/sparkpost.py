"""SparkPost's form: `{"msys": {GROUP: {...event...}}}`, a line each (event ingest) or in an array
(webhook batch). Contract `bird-sparkpost.md`, sections 5.1, 6 and 10.

Values are mostly texts, numbers too; `timestamp` is unix seconds as a text or a number, or RFC
3339. The names are our own. A type that has no equivalent here (relay, SMS, A/B test and ingest
events) becomes `unknown` and is kept, as it was, in `raw_type`. `{"msys": {}}` is the ping with
which SparkPost tests a webhook: a record without an event.
"""

import json
from collections.abc import Iterable

import msgspec

from postledger.errors import Problem
from postledger.intake.batch import Batch, check_records, lines_of, one_line
from postledger.intake.native import LINES_TYPES, split_array
from postledger.intake.record import LOOSE

GROUPS = (
    "message_event",
    "track_event",
    "gen_event",
    "unsubscribe_event",
    "relay_event",
    "ab_test_event",
    "ingest_event",
)
TYPES: dict[str, str] = {"inband": "bounce", "outofband": "out_of_band", "reception": "injection"}
"""Names that the ingest form has for types of ours, beside the same names."""


PING = "is a ping that tests the webhook; it holds no event"


class _Envelope(msgspec.Struct):
    msys: dict[str, msgspec.Raw]


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def read(body: bytes, media_type: str, *, largest: int) -> Batch:
    """The events of a body. Raises Unreadable when it is neither lines nor an array."""
    if media_type in LINES_TYPES or body.lstrip()[:1] != b"[":
        records: Iterable[bytes] = lines_of(body)
    else:
        records = split_array(body)
    return _check(records, largest)


def _check(records: Iterable[bytes], largest: int) -> Batch:
    events: list[bytes] = []
    indexes: list[int] = []
    problems: list[Problem] = []
    for index, record in enumerate(records):
        event = _unwrap(record, index)
        if isinstance(event, Problem):
            problems.append(event)
        else:
            events.append(event)
            indexes.append(index)
    found = check_records(events, LOOSE, largest=largest)
    named = [
        Problem(problem.message, index=indexes[problem.index or 0], field=problem.field)
        for problem in found.problems
    ]
    lines = range(found.count) if found.indexes is None else found.indexes
    return Batch(
        found.lines,
        found.count,
        [indexes[line] for line in lines],
        sorted(problems + named, key=lambda problem: problem.index or 0),
        found.unknown_fields,
    )


def _unwrap(record: bytes, index: int) -> bytes | Problem:
    try:
        groups = _ENVELOPE.decode(record).msys
    except (msgspec.DecodeError, RecursionError) as error:
        return Problem(f'expected {{"msys": {{GROUP: event}}}} ({error})', index=index)
    if not groups:
        return Problem(PING, index=index, field="msys")
    if len(groups) != 1:
        return Problem(f"holds {len(groups)} events, expected one", index=index, field="msys")
    group, event = next(iter(groups.items()))
    if group not in GROUPS:
        return Problem(f"{group} is not one of {', '.join(GROUPS)}", index=index, field="msys")
    if _may_have_two(record, group) and _has_two(record):
        return Problem("holds several events of one name", index=index, field="msys")
    return one_line(bytes(event))


def _may_have_two(record: bytes, group: str) -> bool:
    """Whether `msys` or the group may be there twice; one may be somewhere inside, or have escapes
    in its name."""
    names = (b'"msys"', b'"%b"' % group.encode())
    return any(record.count(name) != 1 for name in names) or b"\\u00" in record


def _has_two(record: bytes) -> bool:
    """Whether one is: of two members with one name, the last hides the first."""
    try:
        pairs = json.loads(record, object_pairs_hook=list, parse_int=str, parse_float=str)
    except (RecursionError, ValueError):
        return False  # it is refused for that
    groups = [value for name, value in pairs if name == "msys"]
    return len(groups) != 1 or len(groups[0]) != 1
