"""Storing events: section 4 of the native contract, to the letter."""

import gzip
import http.client
import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from conftest import Answer, Client, Server, new_client, problem
from making import ALL_TIME, INT64, JSON, NDJSON, TEXT, Event, event, examples, lines, same

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

EVENTS = "/ledger/v1/events"
LISTED = f"{EVENTS}?{ALL_TIME}&order=asc"
ARRAY = "application/json"
_RUNS = count()


def compressed(encoding: str, data: bytes) -> bytes:
    return gzip.compress(data) if encoding == "gzip" else zstd.compress(data)


def total(client: Client) -> int:
    found: int = client.get(f"{EVENTS}?{ALL_TIME}&limit=1&total=true")["total"]
    return found


def ids(client: Client) -> list[str]:
    return [e["event_id"] for e in client.get(f"{LISTED}&limit=10000")["events"]]


def counts(answer: Answer, status: int = 200) -> tuple[int, int, int]:
    assert status == answer.status, answer
    told = answer.json()
    return told["accepted"], told["duplicates"], told["rejected"]


def places(answer: Answer) -> list[tuple[int, str | None]]:
    """Index and field of each listed error."""
    return [(error["index"], error.get("field")) for error in answer.json()["errors"]]


# -- forms of the body


@pytest.mark.parametrize(
    ("media_type", "body", "stored"),
    [
        (ARRAY, json.dumps(event(1)).encode(), 1),
        (ARRAY, json.dumps([event(1), event(2)]).encode(), 2),
        (ARRAY, json.dumps([event(1), event(2)], indent=2).encode(), 2),
        (ARRAY, b"[]", 0),
        ("application/json; charset=utf-8", json.dumps(event(1)).encode(), 1),
        (NDJSON, lines(event(1)), 1),
        (NDJSON, lines(event(1), event(2)), 2),
        (NDJSON, b"\r\n\r\n" + lines(event(1)) + b"\r\n \t\r\n" + lines(event(2)) + b"\r\n", 2),
        ("Application/X-NDJSON; charset=utf-8", lines(event(1), event(2)), 2),
    ],
)
def test_forms(either: Client, media_type: str, body: bytes, stored: int) -> None:
    """One event, an array and lines are stored, as the content type says."""
    assert (stored, 0, 0) == counts(either.post(body, Content_Type=media_type))
    assert [f"e{number:06}" for number in range(1, stored + 1)] == ids(either)


def test_no_content_type_means_json(client: Client) -> None:
    """A body without a content type is JSON."""
    address = client.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        headers = {"Authorization": f"Bearer {client.key}"}
        connection.request("POST", EVENTS, json.dumps(event()).encode(), headers)
        answer = connection.getresponse()
        assert (200, 1) == (answer.status, json.loads(answer.read())["accepted"])
    assert (0, 1, 0) == counts(client.post(json.dumps(event()).encode(), Content_Type=""))


@pytest.mark.parametrize("pieces", [False, True])
def test_an_offer_of_another_protocol(client: Client, *, pieces: bool) -> None:
    """What a client that would rather speak HTTP/2 sends is stored, in one packet or in pieces."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"}
    headers = offer | {"Authorization": f"Bearer {client.key}", "Content-Type": NDJSON}
    address = client.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        for number in (1, 2):
            body = lines(event(number))
            connection.request(
                "POST", EVENTS, iter([body]) if pieces else body, headers, encode_chunked=pieces
            )
            assert 1 == json.loads(connection.getresponse().read())["accepted"]
    assert 2 == total(client)


def test_lines_are_not_json(client: Client) -> None:
    """Lines with the content type of JSON are refused, and the answer names the right type."""
    told = problem(client.post(lines(event(1), event(2)), Content_Type=ARRAY), 400)
    assert NDJSON in told["detail"]
    assert [] == ids(client)


def test_other_content_type(client: Client) -> None:
    """A content type that is neither is refused, and nothing is stored."""
    told = problem(client.post(lines(event()), Content_Type="text/csv"), 415)
    assert "text/csv" in told["detail"]
    assert [] == ids(client)


# -- encodings


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("members", [1, 3])
def test_encodings(either: Client, encoding: str, members: int) -> None:
    """gzip and zstd are understood, also when several streams follow one another."""
    body = b"".join(compressed(encoding, lines(event(number)) + b"\n") for number in range(members))
    answer = either.post(body, Content_Type=NDJSON, Content_Encoding=encoding)
    assert (members, 0, 0) == counts(answer)
    assert [f"e{number:06}" for number in range(members)] == ids(either)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_damaged_stream(client: Client, encoding: str) -> None:
    """A stream that is cut short anywhere, or damaged, or of another kind, stores nothing."""
    whole = compressed(encoding, lines(*(event(number) for number in range(50))))
    cut = [whole[:length] for length in {1, 5, 10, len(whole) // 2, len(whole) - 4, len(whole) - 1}]
    second = [whole + whole[: len(whole) // 2]]
    changed = [whole[:-6] + bytes([whole[-6] ^ 0xFF]) + whole[-5:], b"nothing of the kind"]
    for body in [*cut, *second, *changed]:
        answer = client.post(body, Content_Type=NDJSON, Content_Encoding=encoding)
        assert encoding in problem(answer, 400)["detail"]
    assert [] == ids(client)


def test_unknown_encoding(client: Client) -> None:
    """An encoding that is not named in the contract is refused, and named."""
    answer = client.post(lines(event()), Content_Type=NDJSON, Content_Encoding="br")
    assert "br" in problem(answer, 415)["detail"]


# -- size


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that takes bodies of 100,000 bytes and events of 2,000."""
    limits = {"POSTLEDGER_MAX_BODY_BYTES": "100000", "POSTLEDGER_MAX_EVENT_BYTES": "2000"}
    running = Server(tmp_path_factory.mktemp("narrow"), limits).start()
    yield running
    assert running.stop() == 0, running.log.read_text()


def test_too_large(narrow: Server) -> None:
    """A body of more than the limit is refused whole; one of just the limit is taken."""
    client = new_client(narrow)
    body = lines(event())
    for more, status in ((1, 413), (0, 200)):
        padded = body + b"\n" * (100_000 - len(body) + more)
        assert status == client.post(padded, Content_Type=NDJSON).status
        assert (status == 200) == bool(ids(client))


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bomb(narrow: Server, encoding: str) -> None:
    """A small body that grows beyond the limit is refused whole, also when each part is small."""
    client = new_client(narrow)
    one_stream = compressed(encoding, lines(event()) + b"\n" * 50_000_000)
    many = compressed(encoding, lines(event()) + b"\n" * 60_000) * 2
    for body in (one_stream, many):
        answer = client.post(body, Content_Type=NDJSON, Content_Encoding=encoding)
        assert "100000" in problem(answer, 413)["detail"]
    assert [] == ids(client)


def test_too_large_event(narrow: Server) -> None:
    """An event of more than the limit is a bad record; the others of the body are stored."""
    client = new_client(narrow)
    large = event(1, subject="x" * 2000)
    for body, kind in (
        (lines(event(), large, event(2)), NDJSON),
        (json.dumps([event(3), large]).encode(), ARRAY),
    ):
        answer = client.post(body, Content_Type=kind)
        assert 1 == counts(answer)[2]
        assert [(1, None)] == places(answer)
    assert ["e000000", "e000002", "e000003"] == ids(client)


# -- bad records

BAD: list[tuple[bytes, str | None]] = [
    (b'{"type": "delivery"}', "timestamp"),
    (b'{"timestamp": 1700000000}', "type"),
    (b'{"type": "no such", "timestamp": 1700000000}', "type"),
    (b'{"type": "open", "timestamp": "yesterday"}', "timestamp"),
    (b'{"type": "open", "timestamp": "2026-11-20T09:30:00"}', "timestamp"),
    (b'{"type": "open", "timestamp": "2026-02-30T09:30:00Z"}', "timestamp"),
    (b'{"type": "open", "timestamp": null}', "timestamp"),
    (b'{"type": "open", "timestamp": true}', "timestamp"),
    (b'{"type": "open", "timestamp": "1969-12-31T23:59:59.999Z"}', "timestamp"),
    (b'{"type": "open", "timestamp": "2200-01-01T00:00:00Z"}', "timestamp"),
    (b'{"type": "open", "timestamp": "0001-01-01T00:00:00Z"}', "timestamp"),
    (b'{"type": "open", "timestamp": "9999-12-31T23:59:59Z"}', "timestamp"),
    (b'{"type": "open", "timestamp": -5}', "timestamp"),
    (b'{"type": "open", "timestamp": 1e300}', "timestamp"),
    (b'{"type": "open", "timestamp": 99999999999999999999}', "timestamp"),
    (b'{"type": "open", "timestamp": 1700000000, "bounce_class": "ten"}', "bounce_class"),
    (b'{"type": "open", "timestamp": 1700000000, "msg_size": 1.5}', "msg_size"),
    (b'{"type": "open", "timestamp": 1700000000, "msg_size": 9223372036854775808}', "msg_size"),
    (b'{"type": "open", "timestamp": 1700000000, "rcpt_to": 7}', "rcpt_to"),
    (b'{"type": "open", "timestamp": 1700000000, "event_id": "%b"}' % (b"e" * 1001), "event_id"),
    (b'{"type": "open", "timestamp": 1700000000, "rcpt_tags": "vip"}', "rcpt_tags"),
    (b'{"type": "open", "timestamp": 1700000000, "rcpt_tags": [1]}', "rcpt_tags"),
    (b'{"type": "open", "timestamp": 1700000000, "rcpt_meta": []}', "rcpt_meta"),
    (b'{"type": "open", "timestamp": 1700000000, "geo_ip": "PL"}', "geo_ip"),
    (b'{"type": "open", "timestamp": 1700000000, "amp_enabled": "yes"}', "amp_enabled"),
    (b'{"type": "open", "timestamp": 1700000000, "injection_time": "noon"}', "injection_time"),
    (b'{"type": "open", "timestamp": 1700000000, "injection_time": -1}', "injection_time"),
    (b'{"type": "open", "timestamp": 1700000000, "injection_time": 1e19}', "injection_time"),
    (b'{"type": "open", "timestamp": 1700000000, "scheduled_time": 1e30}', "scheduled_time"),
    (
        b'{"type": "open", "timestamp": 1700000000, "scheduled_time": "2200-01-01T00:00:00Z"}',
        "scheduled_time",
    ),
    (b'{"type": "open", "timestamp": 1700000000, "bounce_class": "10\\n"}', "bounce_class"),
    (b"7", None),
    (b"null", None),
    (b'"text"', None),
    (b"[]", None),
    (b'[{"type": "open", "timestamp": 1700000000}]', None),
]
BAD_LINES: list[bytes] = [
    b"{",
    b"not JSON",
    b'{"type": "open", "timestamp": 1700000000',
    b'{"type": "open", "timestamp": 1700000000}}',
    b'{"type": "open", "timestamp": 1700000000} {"type": "open", "timestamp": 1700000001}',
    b'{"type": "open", "timestamp": 1700000000, "x": NaN}',
    b'{"type": "open", "timestamp": 1700000000, "subject": "\xff"}',
    b'{"type": "open", "timestamp": 1700000000, "x": "\xff"}',
    b'{"type": "open", "timestamp": 1700000000, "\xff": 1}',
]


@pytest.mark.parametrize("atomic", [False, True])
def test_bad_records(either: Client, *, atomic: bool) -> None:
    """Each bad record is named with its index and field; with `atomic` nothing is stored."""
    records: list[bytes] = []
    expected: list[tuple[int, str | None]] = []
    for number, (bad, field) in enumerate([*BAD, *((line, None) for line in BAD_LINES)]):
        records += [lines(event(number)), bad]
        expected.append((2 * number + 1, field))
    path = EVENTS + "?atomic=true" * atomic
    answer = either.post(b"\n".join(records), path, Content_Type=NDJSON)
    bad_count = len(expected)
    if atomic:  # the store, which knows the range of times, is not asked when there is bad already
        assert (0, 0) == counts(answer, 422)[:2]
        assert set(places(answer)) <= set(expected)
        assert [] == ids(either)
        return
    assert (bad_count, 0, bad_count) == counts(answer)
    assert expected == places(answer)
    assert bad_count == len(ids(either))


def test_bad_record_alone(either: Client) -> None:
    """A body whose records are all bad is refused, whichever is wrong and however it is sent."""
    for bad, field in BAD:
        if bad[:1] != b"[":
            told = problem(either.post(bad, Content_Type=ARRAY), 422)
            assert [(0, field)] == [(e["index"], e.get("field")) for e in told["errors"]], bad
        told = problem(either.post(bad + b"\n" + bad, Content_Type=NDJSON), 422)
        assert [0, 1] == [error["index"] for error in told["errors"]], bad
        assert (0, 0, 2) == (told["accepted"], told["duplicates"], told["rejected"]), bad
    assert [] == ids(either)


@pytest.mark.parametrize("body", [b"", b"  \n", b"{", b"nothing", b"[{}", b"\xff\xfe", *BAD_LINES])
def test_not_json(either: Client, body: bytes) -> None:
    """A body that is not JSON at all is refused as such."""
    problem(either.post(body, Content_Type=ARRAY), 400)
    assert [] == ids(either)


@pytest.mark.parametrize("line", BAD_LINES)
def test_lines_without_json(either: Client, line: bytes) -> None:
    """Lines of which none is JSON are refused as such."""
    problem(either.post(line + b"\n" + line, Content_Type=NDJSON), 400)
    assert [] == ids(either)


def test_atomic_is_a_flag(client: Client) -> None:
    """`atomic` is true or false, and no other parameter is taken."""
    for path, name in (
        ("?atomic=yes", "atomic"),
        ("?atomik=true", "atomik"),
        ("?atomic=", "atomic"),
    ):
        told = problem(client.post(lines(event()), EVENTS + path, Content_Type=NDJSON), 400)
        assert [name] == [error["parameter"] for error in told["errors"]]
    assert (1, 0, 0) == counts(
        client.post(lines(event()), EVENTS + "?atomic=false", Content_Type=NDJSON)
    )


def test_atomic_good(either: Client) -> None:
    """With `atomic`, a body of good records is stored, and repeats in it are no fault."""
    path = EVENTS + "?atomic=true"
    assert (2, 1, 0) == counts(
        either.post(lines(event(1), event(2), event(1)), path, Content_Type=NDJSON)
    )
    assert (1, 1, 0) == counts(either.post(lines(event(1), event(3)), path, Content_Type=NDJSON))
    assert ["e000001", "e000002", "e000003"] == ids(either)


def test_errors_listed(either: Client) -> None:
    """At most 100 errors are listed, all are counted, and the index tells the record."""
    records = [event(number) if number % 2 else {"type": "open"} for number in range(500)]
    answer = either.post(lines(*records), Content_Type=NDJSON)
    assert (250, 0, 250) == counts(answer)
    assert [(2 * number, "timestamp") for number in range(100)] == places(answer)


def test_index_in_a_large_body(client: Client) -> None:
    """The index is right in a body of many megabytes too, whatever finds the fault."""
    records: list[Event] = [event(number, subject="s" * 300) for number in range(5000)]
    records[17] = event(17, bounce_class="ten")  # intake finds it
    records[4321] = event(4321) | {"timestamp": "2250-01-01T00:00:00Z"}  # the store finds it
    answer = client.post(lines(*records), Content_Type=NDJSON)
    assert (4998, 0, 2) == counts(answer)
    assert [(17, "bounce_class"), (4321, "timestamp")] == places(answer)
    assert 4998 == total(client)


def test_index_beside_others(client: Client) -> None:
    """Requests that are stored together each get errors of their own, with their own indexes."""

    def send(number: int) -> Answer:
        bad = event(10 * number + 1) | {"timestamp": "2250-01-01T00:00:00Z"}
        good = [event(10 * number), event(10 * number + 2)]
        return client.post(lines(good[0], *[bad] * (number % 3), good[1]), Content_Type=NDJSON)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(64)))
    for number, answer in enumerate(answers):
        assert (2, 0, number % 3) == counts(answer)
        assert [(1 + i, "timestamp") for i in range(number % 3)] == places(answer)
    assert 128 == total(client)


# -- repeats


def test_repeats(either: Client) -> None:
    """A repeat in the same body, or in a later one, is counted and changes nothing."""
    assert (1, 1, 0) == counts(either.post(lines(event(1), event(1)), Content_Type=NDJSON))
    first = either.get(f"{EVENTS}/e000001")
    changed = event(1, subject="another")
    assert (1, 2, 0) == counts(either.post(lines(event(1), changed, event(2)), Content_Type=NDJSON))
    assert first == either.get(f"{EVENTS}/e000001")
    assert ["e000001", "e000002"] == ids(either)


def test_identity(either: Client) -> None:
    """The identity is id and time together: the same id at another millisecond is another event."""
    later = event(1) | {"timestamp": "2024-10-04T00:00:01.001Z"}
    same = event(1) | {"timestamp": "2024-10-04T02:00:01.0009+02:00"}
    assert "2024-10-04T00:00:01.000Z" == event(1)["timestamp"]
    assert (2, 1, 0) == counts(either.post(lines(event(1), later, same), Content_Type=NDJSON))
    assert 2 == total(either)


def test_repeats_between_the_two_ways(client: Client) -> None:
    """A repeat is found whichever way the first one came: in a small body or in a large one."""
    many = [event(number, subject="s" * 200) for number in range(4000)]
    assert len(lines(*many)) > 600_000
    assert (1, 0, 0) == counts(client.post(lines(many[7]), Content_Type=NDJSON))
    assert (3999, 1, 0) == counts(client.post(lines(*many), Content_Type=NDJSON))
    assert (0, 1, 0) == counts(client.post(lines(many[3000]), Content_Type=NDJSON))
    assert (0, 4000, 0) == counts(client.post(lines(*many), Content_Type=NDJSON))
    assert 4000 == total(client)


def test_eight_at_once(client: Client) -> None:
    """The same batch on eight connections at once is stored once."""
    batch = lines(*(event(number, rcpt_to=f"r{number}@x.example") for number in range(10_000)))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(batch, Content_Type=NDJSON), range(8)))
    told = [counts(answer) for answer in answers]
    assert 10_000 == sum(accepted for accepted, _, _ in told)
    assert 70_000 == sum(duplicates for _, duplicates, _ in told)
    assert 10_000 == total(client)
    assert 10_000 == len(set(ids(client)))


def test_overlapping_small_bodies_at_once(client: Client) -> None:
    """Small bodies with events in common, on many connections at once, are stored once each."""
    bodies = [[event((start + step) % 40) for step in range(10)] for start in range(40)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda b: client.post(lines(*b), Content_Type=NDJSON), bodies * 2))
    assert 40 == sum(counts(answer)[0] for answer in answers)
    assert 800 - 40 == sum(counts(answer)[1] for answer in answers)
    assert [f"e{number:06}" for number in range(40)] == ids(client)


def monthly(number: int) -> Event:
    return event(number) | {"timestamp": f"{2010 + number // 12}-{number % 12 + 1:02}-05T00:00:00Z"}


def test_old_repeats(either: Client) -> None:
    """A repeat is found however long ago the event was, and in a body with other months."""
    months = [monthly(number) for number in range(0, 60, 3)]
    assert (20, 0, 0) == counts(either.post(lines(*months), Content_Type=NDJSON))
    again = lines(*reversed(months), event(999))
    assert (1, 20, 0) == counts(either.post(again, Content_Type=NDJSON))
    assert 21 == total(either)


@pytest.mark.parametrize("small", ["0", "524288"])
def test_many_months(start: Callable[..., Server], small: str) -> None:
    """A body whose events are of very many months is stored, and the server goes on after it."""
    running = start(POSTLEDGER_SMALL_BODY_BYTES=small).start()
    client = running.client
    months = [monthly(number) for number in range(110)]
    assert (110, 0, 0) == counts(client.post(lines(*months), Content_Type=NDJSON))
    assert (1, 110, 0) == counts(client.post(lines(*months, event(999)), Content_Type=NDJSON))
    assert 111 == total(client)
    assert 0 == running.stop()


def test_derived_id(either: Client) -> None:
    """An event without an id gets the same one each time, however its JSON is written."""
    made = {"type": "click", "timestamp": 1_700_000_000, "rcpt_to": "a@x.example", "other": [1, {}]}
    turned = dict(reversed(made.items()))
    spaced = json.dumps(made, indent=1).encode()
    assert (1, 0, 0) == counts(either.post(lines(made), Content_Type=NDJSON))
    assert (0, 1, 0) == counts(either.post(lines(turned), Content_Type=NDJSON))
    assert (0, 1, 0) == counts(either.post(spaced, Content_Type=ARRAY))
    assert (1, 1, 0) == counts(
        either.post(lines(made, made | {"rcpt_to": "b@x.example"}), Content_Type=NDJSON)
    )
    assert 2 == len(set(ids(either)))


def test_empty_id_is_none(either: Client) -> None:
    """An id of null or without a letter is no id: one is derived."""
    for number, nothing in enumerate((None, "")):
        made = event(number, event_id=nothing, rcpt_to=f"{number}@x.example")
        assert (1, 1, 0) == counts(either.post(lines(made, made), Content_Type=NDJSON))
    assert all(ids(either))


def test_numeric_id(either: Client) -> None:
    """An id that is a number is the same as its digits."""
    assert (1, 1, 0) == counts(
        either.post(lines(event(event_id=42), event(event_id="42")), Content_Type=NDJSON)
    )
    assert ["42"] == ids(either)


# -- what came is given back

_FAST = examples(
    10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def given_back(client: Client, values: list[Event]) -> list[Event]:
    """Events made of these fields, as they come back, in the same order."""
    run = next(_RUNS)
    made = [
        event(n, event_id=f"{run}-{n}", campaign_id=f"c{run}") | v for n, v in enumerate(values)
    ]
    assert (len(made), 0, 0) == counts(client.post(lines(*made), Content_Type=NDJSON))
    found: list[Event] = client.get(f"{LISTED}&limit=10000&campaign_id=c{run}")["events"]
    return found


@given(st.lists(JSON | INT64, min_size=8, max_size=40))
@_FAST
def test_meta_of_any_type(either: Client, values: list[object]) -> None:
    """Values of `rcpt_meta`, and unknown fields, may be of any JSON type and come back as sent."""
    found = given_back(either, [{"rcpt_meta": {"key": value}, "other": value} for value in values])
    for value, back in zip(values, found, strict=True):
        assert same({"key": value}, back["rcpt_meta"]), back
        assert same(value, back["other"]), back


def test_huge_integers_of_meta(either: Client) -> None:
    """Integers of `rcpt_meta` beyond 64 bits come back as strings; all other ones as numbers."""
    values = [2**63 - 1, -(2**63), 2**64 - 1, 2**64, 10**30, -(10**30)]
    found = given_back(either, [{"rcpt_meta": {"key": value}} for value in values])
    expected = [v if -(2**63) <= v < 2**64 else str(v) for v in values]
    assert expected == [event["rcpt_meta"]["key"] for event in found]


AWKWARD = st.text(
    st.sampled_from("\0\t\n\r\"\\/'{}[],:\x7f\u2028\ufeff\ud7ff\ue000\U0010ffff ä{p0:String}?%$;-")
)


@given(st.lists(TEXT | AWKWARD, min_size=8, max_size=40))
@_FAST
def test_text(either: Client, values: list[str]) -> None:
    """A text comes back letter for letter, in known fields and in unknown ones."""
    found = given_back(
        either,
        [
            {"subject": v, "rcpt_tags": [v], "reason": v, "x" + v: v, "message_id": v + "."}
            for v in values
        ],
    )
    for value, back in zip(values, found, strict=True):
        assert value == back["subject"]
        assert [value] == back["rcpt_tags"]
        assert value == back["reason"]
        assert value == back["x" + value]
        assert value + "." == back["message_id"]


TIMES: list[tuple[object, str]] = [
    ("2026-11-20T09:30:01.250Z", "2026-11-20T09:30:01.250Z"),
    ("2026-11-20T09:30:01Z", "2026-11-20T09:30:01.000Z"),
    ("2026-11-20t09:30:01z", "2026-11-20T09:30:01.000Z"),
    ("2026-11-20 09:30:01Z", "2026-11-20T09:30:01.000Z"),
    ("2026-11-20T10:30:01.25+01:00", "2026-11-20T09:30:01.250Z"),
    ("2026-11-19T23:30:01.250-10:00", "2026-11-20T09:30:01.250Z"),
    ("2026-11-20T09:30:01.250999Z", "2026-11-20T09:30:01.250Z"),
    ("2026-11-20T09:30:01.250999999Z", "2026-11-20T09:30:01.250Z"),
    ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
    ("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00.000Z"),
    ("2199-12-31T23:59:59.999Z", "2199-12-31T23:59:59.999Z"),
    ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00.000Z"),
    (0, "1970-01-01T00:00:00.000Z"),
    (1_795_167_001, "2026-11-20T09:30:01.000Z"),
    (1_795_167_001.25, "2026-11-20T09:30:01.250Z"),
    (1_795_167_001_250, "2026-11-20T09:30:01.250Z"),
    (1_795_167_001_250.0, "2026-11-20T09:30:01.250Z"),
]


def test_times(either: Client) -> None:
    """A time in each accepted form comes back in UTC to the millisecond."""
    names = ("timestamp", "injection_time", "scheduled_time")
    made = [event(n) | dict.fromkeys(names, sent) for n, (sent, _) in enumerate(TIMES)]
    assert (len(TIMES), 0, 0) == counts(either.post(lines(*made), Content_Type=NDJSON))
    for number, (sent, back) in enumerate(TIMES):
        found = either.get(f"{EVENTS}/e{number:06}")
        assert [back] * 3 == [found[name] for name in names], sent


def test_unknown_fields(either: Client) -> None:
    """Unknown fields come back beside the known ones, also when only some events have them."""
    more = {"user_agent_parsed": {"is_mobile": True}, "device token": None, "": [1, "ä", 2.5e-7]}
    either.store(event(1), event(2, **more), event(3))
    events = either.get(f"{LISTED}")["events"]
    assert [{}, more, {}] == [
        {k: v for k, v in e.items() if k not in {"type", "timestamp", "event_id", "received_at"}}
        for e in events
    ]


def test_received_at_is_set_here(either: Client) -> None:
    """`received_at` of a sender is not taken over."""
    either.store(event(received_at="2001-01-01T00:00:00Z"))
    assert "2001" != either.get(f"{EVENTS}/e000000")["received_at"][:4]


def test_duplicate_members(either: Client) -> None:
    """An event that names a field twice is refused, or stored with one of the values."""
    twice = b'"type":"open","type":"click","subject":"x","subject":"y","z":1,"z":2'
    body = b'{"timestamp":1700000000,"event_id":"a",' + twice + b"}"
    answer = either.post(body, Content_Type=NDJSON)
    assert answer.status in {200, 422}
    if answer.status == 200:
        found = either.get(f"{EVENTS}/a")
        assert found["type"] in {"open", "click"}
        assert found["subject"] in {"x", "y"}


@pytest.mark.parametrize("value", ["1e400", "[-1E999]", '{"a": 17976931348623159e300}'])
def test_numbers_out_of_range(either: Client, value: str) -> None:
    """A number that no double holds refuses its record, in a field of our own or of the sender."""
    line = b'{"type":"open","timestamp":"2026-11-01T10:00:00Z","event_id":"%b","mine":%b}'
    good = line % (b"good", b"1e300")
    answer = either.post(good + b"\n" + line % (b"bad", value.encode()), Content_Type=NDJSON)
    said = answer.json()
    assert (1, 1) == (said["accepted"], said["rejected"])
    assert "out of range" in said["errors"][0]["message"]
    found = either.get("/ledger/v1/events?from=2026-11-01&to=2026-11-02")["events"]
    assert [("good", 1e300)] == [(event["event_id"], event["mine"]) for event in found]


def test_deep_nesting(either: Client) -> None:
    """An event that is nested too deep is a bad record, not a failure of the server."""
    deep = (
        b'{"type":"open","timestamp":1700000000,"rcpt_meta":{"a":'
        + b"[" * 5000
        + b"]" * 5000
        + b"}}"
    )
    answer = either.post(deep + b"\n" + lines(event(1)), Content_Type=NDJSON)
    assert (1, 0, 1) == counts(answer)
    assert [(0, None)] == places(answer)


# -- overload


def test_overload(tmp_path_factory: pytest.TempPathFactory) -> None:
    """More bodies under way than the limit get 503 with Retry-After, and later they pass. What a
    compressed one holds counts too."""
    limits = {"POSTLEDGER_MAX_PENDING_BYTES": str(1024 * 1024)}
    running = Server(tmp_path_factory.mktemp("busy"), limits).start()
    try:
        client = new_client(running)
        bodies = [
            lines(*(event(1000 * n + i, subject="s" * 400) for i in range(1000))) for n in range(12)
        ]
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda body: client.post(body, Content_Type=NDJSON), bodies))
        refused = [answer for answer in answers if answer.status != 200]
        assert refused
        for answer in refused:
            problem(answer, 503)
            assert int(answer.headers["retry-after"]) > 0
        assert 1000 * (12 - len(refused)) == total(client)
        for body in bodies:
            assert 200 == client.post(body, Content_Type=NDJSON).status
        assert 12_000 == total(client)
        packed = gzip.compress(b"\n".join(bodies[:3]))
        problem(client.post(packed, Content_Type=NDJSON, Content_Encoding="gzip"), 503)
        assert 200 == client.post(bodies[0], Content_Type=NDJSON).status, "the room is there again"
    finally:
        assert 0 == running.stop()


def test_read_after_write(client: Client) -> None:
    """What was acknowledged is in the next page that anyone asks for."""
    stop = threading.Event()

    def disturb() -> None:
        number = 100_000
        while not stop.is_set():
            number += 1
            client.store(event(number))

    noise = threading.Thread(target=disturb)
    noise.start()
    try:
        for number in range(20):
            client.store(event(number))
            assert f"e{number:06}" == client.get(f"{EVENTS}/e{number:06}")["event_id"]
    finally:
        stop.set()
        noise.join()
