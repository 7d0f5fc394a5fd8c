"""SparkPost's form: contract `bird-sparkpost.md`, sections 5.1, 6 and 10."""

import gzip
import json
from typing import Any

import pytest

from conftest import Client, problem
from making import ALL_TIME, NDJSON
from postledger.errors import Unreadable
from postledger.events import EVENT_TYPES
from postledger.intake.batch import Batch
from postledger.intake.sparkpost import GROUPS, PING, TYPES, read

ARRAY = "application/json"
LARGEST = 100_000
INGEST = "/api/v1/ingest/events"
WEBHOOK = "/ledger/v1/intake/sparkpost"


def made(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"type": "delivery", "timestamp": "1763632800", "event_id": f"s{number}"} | fields


def wrapped(event: Any, group: str = "message_event") -> dict[str, Any]:
    return {"msys": {group: event}}


def both(*items: Any) -> list[tuple[bytes, str]]:
    """The same records as lines and as an array."""
    texts = [json.dumps(item).encode() for item in items]
    return [(b"\n".join(texts), NDJSON), (b"[" + b",".join(texts) + b"]", ARRAY)]


def told(batch: Batch) -> list[tuple[int | None, str | None]]:
    return [(problem.index, problem.field) for problem in batch.problems]


@pytest.mark.parametrize("group", GROUPS)
def test_groups(group: str) -> None:
    """An event of every group is taken out of its envelope, from lines and from an array."""
    for body, kind in both(wrapped(made(1), group), wrapped(made(2), group)):
        batch = read(body, kind, largest=LARGEST)
        assert [made(1), made(2)] == [json.loads(line) for line in batch.lines.split(b"\n")]
        assert (2, []) == (batch.count, batch.problems)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"msys": {}}, "msys"),
        ({"msys": {"message_event": made(), "track_event": made()}}, "msys"),
        ({"msys": {"other_event": made()}}, "msys"),
        ({}, None),
        ([], None),
        (made(), None),
        (wrapped({"type": "delivery"}), "timestamp"),
        (wrapped({"timestamp": "1763632800"}), "type"),
        (wrapped(made(timestamp="yesterday")), "timestamp"),
        (wrapped(made(timestamp="2026-11-20")), "timestamp"),
        (wrapped(made(bounce_class="ten")), "bounce_class"),
        (wrapped(made(rcpt_meta=[])), "rcpt_meta"),
        (wrapped([]), None),
        (wrapped(None), None),
    ],
)
def test_bad_records(record: Any, field: str | None) -> None:
    """Each bad record is named, with its index among all; the good ones keep theirs."""
    for body, kind in both(wrapped(made(1)), record, wrapped(made(2)), record, wrapped(made(3))):
        batch = read(body, kind, largest=LARGEST)
        assert [(1, field), (3, field)] == told(batch)
        assert [0, 2, 4] == [batch.index(line) for line in range(batch.count)]


@pytest.mark.parametrize(
    "record",
    [
        b'{"msys":{"message_event":%b,"message_event":%b}}',
        b'{"msys":{"message_event":%b},"msys":{"message_event":%b}}',
        b'{"msys":{"message_event":%b},"\\u006dsys":{"message_event":%b}}',
        b'{"msys":{"message\\u005fevent":%b,"message_event":%b}}',
    ],
)
def test_events_of_one_name(record: bytes) -> None:
    """Are not hidden one by the other; a name may be somewhere inside, though."""
    one, other = (json.dumps(made(number)).encode() for number in (1, 2))
    assert [(0, "msys")] == told(read(record % (one, other), NDJSON, largest=LARGEST))
    inside = made(3, rcpt_meta={"msys": 1, "message_event": [{"msys": "\x01"}]})
    body = json.dumps(wrapped(inside)).encode()
    assert [] == told(read(body, NDJSON, largest=LARGEST))


def test_ping() -> None:
    """An empty envelope is a ping, and is told apart from what is wrong."""
    batch = read(b'[{"msys":{}}]', ARRAY, largest=LARGEST)
    assert [PING] == [problem.message for problem in batch.problems]


@pytest.mark.parametrize("body", [b"[{", b"[1,", b"[]]"])
def test_unreadable(body: bytes) -> None:
    """A broken array cannot be read."""
    with pytest.raises(Unreadable):
        read(body, ARRAY, largest=LARGEST)


@pytest.mark.parametrize("body", [b"", b" \n\r\n", b"[]"])
def test_nothing(body: bytes) -> None:
    """A body without records holds nothing."""
    assert (0, []) == (read(body, ARRAY, largest=LARGEST).count, told(read(body, ARRAY, largest=9)))


def test_too_large() -> None:
    """An event of more bytes than allowed is named."""
    large = wrapped(made(2, subject="x" * LARGEST))
    for body, kind in both(wrapped(made(1)), large):
        assert [(1, None)] == told(read(body, kind, largest=LARGEST))


def test_stored_with_all_texts(either: Client) -> None:
    """Numbers that are texts, as in a webhook, come back as numbers, and times as times."""
    event = made(
        type="bounce",
        bounce_class="10",
        msg_size="1337",
        num_retries="2",
        customer_id="1",
        subaccount_id="101",
        amp_enabled="0",
        click_tracking="1",
        injection_time="2016-04-18T14:25:07.000Z",
        rcpt_tags=["male", "US"],
        rcpt_meta={"customKey": "customValue"},
        device_token="45c19189783f867973f6e6a5cca60061ffe4fa77",
        rcpt_to="Recipient@Example.com",
    )
    answer = either.post(json.dumps([wrapped(event)]).encode(), WEBHOOK)
    assert {"accepted": 1, "duplicates": 0, "rejected": 0, "errors": []} == answer.json()
    found = either.get(f"/ledger/v1/events/{event['event_id']}")
    del found["received_at"]
    assert (
        event
        | {
            "timestamp": "2025-11-20T10:00:00.000Z",
            "bounce_class": 10,
            "msg_size": 1337,
            "num_retries": 2,
            "amp_enabled": False,
            "click_tracking": True,
            "rcpt_to": "recipient@example.com",
            "raw_rcpt_to": "Recipient@Example.com",
            "recipient_domain": "example.com",
        }
        == found
    )


TIMES: list[Any] = [
    "1763632800", 1763632800, "1763632800.0", 1763632800.0, "1763632800000",
    "2025-11-20T10:00:00.000Z", "2025-11-20T10:00:00+00:00", "2025-11-20 12:00:00+0200",
]  # fmt: skip


def test_times(either: Client) -> None:
    """Seconds and milliseconds as text or number, and RFC 3339, are the same time."""
    records = [
        wrapped(made(number, timestamp=time, injection_time=time))
        for number, time in enumerate(TIMES)
    ]
    either.post(json.dumps(records).encode(), WEBHOOK)
    found = either.get(f"/ledger/v1/events?{ALL_TIME}")["events"]
    assert sorted(f"s{number}" for number in range(len(TIMES))) == sorted(
        event["event_id"] for event in found
    )
    for event in found:
        assert ["2025-11-20T10:00:00.000Z"] * 2 == [event["timestamp"], event["injection_time"]]


NO_TIMES = [
    "0000-00-00T00:00:00Z", "0000-01-01T00:00:00Z", "2025-00-10T00:00:00Z", "2025-13-01T00:00:00Z",
    "2025-11-00T00:00:00Z",
    "2025-02-30T00:00:00Z", "2025-11-20T25:00:00Z", "2025-11-20T10:60:00Z", "2025-11-20T10:00:99Z",
    "2025-11-20T10:00:00+24:00", "2025-11-20T10:00:00", "1763632800\n", "2025-11-20T10:00:00Z\n",
    "2201-11-20T10:00:00Z", "", "-1", -1, 1e19, 1e300,
]  # fmt: skip


@pytest.mark.parametrize("name", ["timestamp", "injection_time", "scheduled_time"])
def test_what_is_no_time(either: Client, name: str) -> None:
    """Is refused by name, and not taken for another time."""
    records = [wrapped(made(number) | {name: time}) for number, time in enumerate(NO_TIMES)]
    answer = either.post(json.dumps(records).encode(), WEBHOOK).json()
    assert [(n, name) for n in range(len(NO_TIMES))] == [
        (error["index"], error["field"]) for error in answer["errors"]
    ]


def test_types(client: Client) -> None:
    """Their names of types become ours; one without an equivalent is kept in `raw_type`."""
    names = [*EVENT_TYPES, *TYPES, "relay_delivery", "sms_status", "ab_test_completed", "success"]
    records = [wrapped(made(n, type=name)) for n, name in enumerate(names)]
    assert len(names) == client.post(json.dumps(records).encode(), WEBHOOK).json()["accepted"]
    events = client.get(f"/ledger/v1/events?{ALL_TIME}&limit=1000")["events"]
    found = {event["event_id"]: event for event in events}
    for number, name in enumerate(names):
        event = found[f"s{number}"]
        ours = TYPES.get(name, name if name in EVENT_TYPES else "unknown")
        assert ours == event["type"]
        assert (name if ours != name else None) == event.get("raw_type")


def test_ingest(client: Client) -> None:
    """`POST /api/v1/ingest/events` takes gzipped lines, and answers as SparkPost does."""
    body = gzip.compress(b"\n".join(json.dumps(wrapped(made(n))).encode() for n in range(3)))
    answer = client.post(body, INGEST, Content_Type=NDJSON, Content_Encoding="gzip")
    assert 200 == answer.status
    assert ["results"] == list(answer.json())
    assert 36 == len(answer.json()["results"]["id"])
    assert 3 == len(client.get(f"/ledger/v1/events?{ALL_TIME}")["events"])


def test_ingest_with_many_bad_records(client: Client) -> None:
    """The first hundred are named, the number of the others is told; blank lines are none."""
    bad = json.dumps(wrapped(made(type=7))).encode()
    good = json.dumps(wrapped(made())).encode()
    answer = client.post(b"\n\n".join([good, *[bad] * 150]), INGEST, Content_Type=NDJSON)
    named = [error["description"] for error in answer.json()["errors"]]
    assert 200 == answer.status
    assert 101 == len(named)
    assert named[0].startswith("record 1, type: ")
    assert "50 more records are bad" == named[-1]


def test_ingest_refusals(client: Client) -> None:
    """What cannot be taken is told in SparkPost's form."""
    for body, headers, status, code in (
        (b"[", {"Content_Type": ARRAY}, 400, "1200"),
        (b"{}", {}, 422, "1300"),
        (b"x", {"Content_Encoding": "gzip"}, 400, "1200"),
        (b"x", {"Content_Encoding": "br"}, 415, "1700"),
    ):
        answer = client.post(body, INGEST, **{"Content_Type": NDJSON, **headers})
        assert status == answer.status, answer
        assert [code] == [error["code"] for error in answer.json()["errors"]]
        assert all(error["message"] and error["description"] for error in answer.json()["errors"])


def test_ping_over_http(client: Client) -> None:
    """The ping of a webhook is answered 200, so that it can be set up; other rubbish is not."""
    assert 200 == client.post(b'[{"msys":{}}]', WEBHOOK).status
    problem(client.post(b'[{"msys":{"x":{}}}]', WEBHOOK), 422)


def test_webhook_atomic(client: Client) -> None:
    """The webhook route knows `atomic` too."""
    body = json.dumps([wrapped(made(1)), wrapped({})]).encode()
    problem(client.post(body, WEBHOOK + "?atomic=true"), 422)
    assert [] == client.get(f"/ledger/v1/events?{ALL_TIME}")["events"]
    assert 1 == client.post(body, WEBHOOK).json()["accepted"]


def test_a_ping_is_no_bad_record_of_an_atomic_body(client: Client) -> None:
    """It holds no event; what is beside it is stored."""
    body = json.dumps([wrapped(made(1)), {"msys": {}}, wrapped(made(2))]).encode()
    assert 2 == client.post(body, WEBHOOK + "?atomic=true").json()["accepted"]


def test_another_charset(client: Client) -> None:
    """Makes a bad record, also where a name may have escapes."""
    bad = b'{"msys":{"message_event":{"type":"open","timestamp":1,"subject":"caf\xe9 \\u00e9"}}}'
    for path in (WEBHOOK, INGEST):
        answer = client.post(json.dumps(wrapped(made(1))).encode() + b"\n" + bad, path)
        assert 200 == answer.status
        assert 1 == len(answer.json()["errors"])


@pytest.mark.parametrize("first", ["", "unknown", "relay_delivery", "open"])
@pytest.mark.parametrize("more", [{}, {"raw_type": "x"}])
def test_types_with_one_id(client: Client, first: str, more: dict[str, str]) -> None:
    """Are two events; the second time they are repeats, in one body or in two."""
    kinds = [wrapped(made(type=kind) | more, "relay_event") for kind in (first, "reception")]
    for accepted, duplicates in ((1, 0), (0, 1)):
        for record in kinds:
            told = client.post(json.dumps([record]).encode(), WEBHOOK).json()
            assert (accepted, duplicates) == (told["accepted"], told["duplicates"]), record
    assert 2 == client.post(json.dumps(kinds).encode(), WEBHOOK).json()["duplicates"]
