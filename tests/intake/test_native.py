"""Our own form: bodies taken apart, records checked one by one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from making import JSON, NDJSON, accepted, event, lines
from postledger.errors import Unreadable, Unsupported
from postledger.events import FIELDS, Kind
from postledger.intake.batch import Batch
from postledger.intake.native import read
from postledger.intake.record import MOST_DEEP

ARRAY = "application/json"
LARGEST = 1_000_000


def told(batch: Batch) -> list[tuple[int | None, str | None]]:
    """Index and field of each problem."""
    return [(problem.index, problem.field) for problem in batch.problems]


def records(batch: Batch) -> list[Any]:
    """The good records, in order; each stands on one line."""
    split = batch.lines.split(b"\n") if batch.lines else []
    assert batch.count == len(split)
    return [json.loads(line) for line in split]


@pytest.mark.parametrize("kind", [ARRAY, "", "text/json"])
def test_one_event(kind: str) -> None:
    """A JSON object is one event, also over several lines."""
    assert [event(1)] == records(
        read(json.dumps(event(1), indent=3).encode(), kind, largest=LARGEST)
    )


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\n\t"])
def test_array(indent: int | None, end: bytes) -> None:
    """An array may be written in any way that JSON allows."""
    made = [event(n, subject="a\n\tb") for n in range(3)]
    body = b" \n" + json.dumps(made, indent=indent).encode().replace(b"\n", end) + end
    assert made == records(read(body, ARRAY, largest=LARGEST))


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\n\n", b"\r\n \t \r\n", b" \n\t"])
def test_lines(between: bytes) -> None:
    """Lines end in LF or CRLF, blank ones are not records, tabs are blanks."""
    made = [event(n, subject="\t\n") for n in range(3)]
    body = between + between.join(json.dumps(one).encode() for one in made) + between
    batch = read(body, NDJSON, largest=LARGEST)
    assert made == records(batch)
    assert [0, 1, 2] == [batch.index(line) for line in range(3)]


@pytest.mark.parametrize("inside", [b"a\tb", b"a\rb", b"a\x01b"])
@pytest.mark.parametrize("place", [b'"subject":"%b"', b'"mine":["%b"]', b'"%b":1'])
def test_control_characters_in_texts(inside: bytes, place: bytes) -> None:
    """Are no JSON; between tokens tabs and carriage returns are blanks."""
    good = b'{"type":"open",\t"timestamp":1700000000}\r'
    bad = good.replace(b"}", b"," + place % inside + b"}")
    batch = read(good + b"\n" + bad + b"\n" + good, NDJSON, largest=LARGEST)
    assert [(1, None)] == told(batch)
    assert 2 == len(records(batch))
    assert not {b"\t", b"\r"} & {batch.lines[n : n + 1] for n in range(len(batch.lines))}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_end_of_a_line_is_none_of_its_bytes(end: bytes) -> None:
    made = [json.dumps(event(number)).encode() for number in range(2)]
    assert 2 == read(end.join([*made, b""]), NDJSON, largest=len(made[0])).count
    assert 0 == read(end.join([*made, b""]), NDJSON, largest=len(made[0]) - 1).count


def test_blank_lines_have_no_index() -> None:
    """The index of a record counts records, not lines."""
    body = b"\n\n" + lines(event(1)) + b"\n\n{\n\n" + lines(event(2)) + b"\n\n7\n"
    batch = read(body, NDJSON, largest=LARGEST)
    assert [event(1), event(2)] == records(batch)
    assert [(1, None), (3, None)] == told(batch)
    assert [0, 2] == [batch.index(line) for line in range(2)]


@pytest.mark.parametrize("kind", [NDJSON, ARRAY])
def test_nothing(kind: str) -> None:
    """An array without events, and lines that are all blank, hold nothing."""
    body = b" \n\r\n" if kind == NDJSON else b" [ ] "
    assert Batch(b"", 0).count == read(body, kind, largest=LARGEST).count


def test_byte_order_mark() -> None:
    """A byte order mark is not JSON, and is named as such."""
    with pytest.raises(Unreadable):
        read(b"\xef\xbb\xbf" + json.dumps(event(1)).encode(), ARRAY, largest=LARGEST)
    batch = read(b"\xef\xbb\xbf" + lines(event(1), event(2)), NDJSON, largest=LARGEST)
    assert [(0, None)] == told(batch)
    assert [event(2)] == records(batch)


def test_other_types() -> None:
    """A content type that is neither is refused by name."""
    with pytest.raises(Unsupported, match="text/csv"):
        read(lines(event(1)), "text/csv", largest=LARGEST)


BAD_JSON = [
    b"{",
    b'{"type":"open","timestamp":1700000000}}',
    b'{"type":"open","timestamp":1700000000} {"type":"open","timestamp":1700000000}',
    b'{"type":"open","timestamp":1700000000}{"type":"open","timestamp":1700000000}',
    b'{"type":"open","timestamp":1700000000,"x":NaN}',
    b'{"type":"open","timestamp":1700000000,"x":Infinity}',
    b'{"type":"open","timestamp":1700000000,"x":01}',
    b"{'type':'open','timestamp':1700000000}",
    b'{"type":"open","timestamp":1700000000,}',
    b'{"type":"open","timestamp":1700000000,"subject":"\x01"}',
    b'{"type":"open","timestamp":1700000000,"subject":"\xff"}',
    b'{"type":"open","timestamp":1700000000,"x":"\xc3"}',
    b'{"type":"open","timestamp":1700000000,"x":{"\xff":1}}',
    b'{"type":"open","timestamp":1700000000,"subject":"\\ud800"}',
    b"",
]


@pytest.mark.parametrize("bad", [bad for bad in BAD_JSON if bad])
def test_bad_json_in_lines(bad: bytes) -> None:
    """A line that is no JSON in UTF-8 is named; if all are, the body cannot be read."""
    batch = read(b"\n".join([lines(event(1)), bad, lines(event(2)), bad]), NDJSON, largest=LARGEST)
    assert [event(1), event(2)] == records(batch)
    assert [(1, None), (3, None)] == told(batch)
    with pytest.raises(Unreadable):
        read(bad + b"\n" + bad, NDJSON, largest=LARGEST)


@pytest.mark.parametrize("bad", BAD_JSON)
def test_bad_json_alone(bad: bytes) -> None:
    """A body, or an array, that is no JSON in UTF-8 cannot be read."""
    with pytest.raises(Unreadable):
        read(bad, ARRAY, largest=LARGEST)


def test_deep_nesting() -> None:
    """An event that is nested too deep is a bad record; a body that is cannot be read."""
    deep = (
        b'{"type":"open","timestamp":1,"rcpt_meta":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    )
    batch = read(lines(event(1)) + b"\n" + deep, NDJSON, largest=LARGEST)
    assert [(1, None)] == told(batch)
    assert [event(1)] == records(batch)
    with pytest.raises(Unreadable):
        read(b"[" * 100_000 + b"]" * 100_000, ARRAY, largest=LARGEST)


def _levels(value: object) -> int:
    """How many levels of arrays and objects a value has."""
    if isinstance(value, dict):
        return 1 + max(map(_levels, value.values()), default=0)
    return 1 + max(map(_levels, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.sampled_from(["[", '{"a":']), st.integers(MOST_DEEP - 12, MOST_DEEP))
def test_levels(inner: object, opening: str, around: int) -> None:
    """So many levels are taken as are said, whatever else an event has, brackets in texts too; one
    more is too deep, alone and beside others."""
    closing = "]" if opening == "[" else "}"
    value = opening * around + json.dumps(inner) + closing * around
    line = json.dumps(event(1)).encode()[:-1] + b', "mine": %b}' % value.encode()
    wanted = [(1, None)] if 1 + around + _levels(inner) > MOST_DEEP else []
    assert wanted == told(read(lines(event(0)) + b"\n" + line, NDJSON, largest=LARGEST))
    assert wanted == told(read(b'["%b",%b]' % (b"[" * 600, line), ARRAY, largest=LARGEST))[1:]


def test_too_large() -> None:
    """A record of more bytes than allowed is named; one of just as many is good."""
    edge = lines(event(1))
    for more, problems in ((0, []), (1, [(1, None)])):
        batch = read(lines(event(0)) + b"\n" + edge + b"\n", NDJSON, largest=len(edge) - more)
        assert problems == [place for place in told(batch) if place[0] == 1]


WRONG: dict[Kind, list[object]] = {
    Kind.TEXT: [7, True, [], {}],
    Kind.CODE: [1.5, True, [], {}, 2**63, -(2**63) - 1],
    Kind.INTEGER: ["", "x", "1.0", " 1", "+1", "1e3", "0x10", 1.5, True, [], {}, 2**63, "٣"],
    Kind.BOOLEAN: ["true", "yes", "", 2, -1, "2", [], {}],
    Kind.TIME: [
        "",
        "now",
        "2026-11-20",
        "2026-11-20T09:30:00",
        "2026-02-30T00:00:00Z",
        True,
        [],
        {},
    ],
    Kind.TEXTS: ["a", {}, [1], [None], ["a", 1], 7],
    Kind.OBJECT: ["a", [], 7, True],
}


@pytest.mark.parametrize("name", [field.name for field in FIELDS if field.name != "received_at"])
def test_each_field(name: str) -> None:
    """A value that a field cannot hold is named with record and field."""
    field = next(field for field in FIELDS if field.name == name)
    for wrong in WRONG[field.kind]:
        body = lines(event(0), event(1) | {name: wrong}, event(2))
        batch = read(body, NDJSON, largest=LARGEST)
        assert [(1, name)] == told(batch), wrong
        assert [event(0), event(2)] == records(batch)
        assert len(batch.problems[0].message) > 10


@pytest.mark.parametrize("name", ["type", "timestamp"])
def test_required(name: str) -> None:
    """Type and time are required, and null is no value for them."""
    made = event(1)
    batch = read(lines(made | {name: None}, event(2)), NDJSON, largest=LARGEST)
    assert [(0, name)] == told(batch)
    del made[name]
    batch = read(lines(made, event(2)), NDJSON, largest=LARGEST)
    assert [(0, name)] == told(batch)
    assert "required" in batch.problems[0].message


def test_samples_of_the_registry() -> None:
    """The sample of each field is accepted for it."""
    made = {field.name: field.sample for field in FIELDS}
    assert [made] == records(read(lines(made), NDJSON, largest=LARGEST))


def test_unknown_fields_are_told() -> None:
    """A batch says whether some record has fields that the registry does not know."""
    assert not read(lines(event(1)), NDJSON, largest=LARGEST).unknown_fields
    assert read(lines(event(1), event(2, x=1)), NDJSON, largest=LARGEST).unknown_fields
    assert read(lines(event(1, x=1), {}), NDJSON, largest=LARGEST).unknown_fields


@given(
    st.lists(st.one_of(accepted().map(lambda pair: pair[0]), st.just({"type": "open"})), max_size=8)
)
def test_indexes(made: list[dict[str, Any]]) -> None:
    """Good records keep their order, and `index` tells of each line which record it was."""
    good = [(index, one) for index, one in enumerate(made) if "timestamp" in one]
    for body, kind in ((lines(*made), NDJSON), (json.dumps(made).encode(), ARRAY)):
        batch = read(body, kind, largest=LARGEST)
        assert [one for _, one in good] == records(batch)
        assert [index for index, _ in good] == [batch.index(line) for line in range(batch.count)]
        assert [i for i, one in enumerate(made) if "timestamp" not in one] == [
            i for i, _ in told(batch)
        ]
