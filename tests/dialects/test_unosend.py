"""Unosend's API: its tables, its parameters, and itself over a real server.

What a request gets is in `cases/unosend`; here is what holds for all requests, and what depends on
the present time.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Answer, Client, Server, new_client
from making import event, iso
from postledger import errors
from postledger.dialects import unosend
from postledger.dialects.unosend import emails
from postledger.dialects.wire import Allowance, Call
from postledger.errors import BadInput, PostledgerError, RateLimited, StartError
from postledger.events import EVENT_TYPES, FIELD, FIELDS
from postledger.query import Envelope, EventQuery, Filter, Match, Page

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DOCUMENTED = {
    "sent": {"message_id"},
    "delivered": {"smtp_response"},
    "opened": {"user_agent", "ip_address"},
    "clicked": {"url", "user_agent"},
    "bounced": {"bounce_type", "reason"},
    "complained": {"complaint_type"},
    "unsubscribed": set(),
}


def call(*pairs: tuple[str, str], **others: Any) -> Call:
    return Call("/v1/events", NOW, pairs, workspace="w", **others)


def line(**fields: Any) -> bytes:
    return json.dumps(
        {"event_id": "e", "timestamp": iso(NOW), "type": "delivery"} | fields
    ).encode()


def rendered(call: Call, *lines: bytes, total: int = 0) -> Any:
    events = unosend.read(Page(list(lines)))
    reply = unosend.render(unosend.parse(call), call, events, total, {})
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def kinds(of: type[PostledgerError] = PostledgerError) -> Iterator[type[PostledgerError]]:
    """All failures that can reach a request."""
    yield of
    for below in of.__subclasses__():
        if below is not StartError and below.__module__ == errors.__name__:
            yield from kinds(below)


# -- tables


def test_every_type_is_decided() -> None:
    """Each of our types has one there or none, and each of theirs has its metadata."""
    assert set(EVENT_TYPES) == set(unosend.TYPES)
    assert set(unosend.METADATA) == {name for name in unosend.TYPES.values() if name}


def test_metadata_has_what_is_documented() -> None:
    """The documented keys are there, whatever else is."""
    assert DOCUMENTED.keys() == unosend.METADATA.keys()
    for name, keys in DOCUMENTED.items():
        assert keys <= unosend.METADATA[name].keys()


def test_what_is_read_is_in_the_registry() -> None:
    """Members of events that are read are fields that there are."""
    for kind in (unosend.Event, emails.Event):
        read = {field.name for field in msgspec.structs.fields(kind)}
        assert set() == read - FIELD.keys()


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_an_event_with_every_field(kind: str) -> None:
    """Each type that has a name there is rendered, with texts or nulls as metadata."""
    theirs = unosend.TYPES[kind]
    if theirs is None:
        assert kind not in _types_of(unosend.query(unosend.parse(call()), call()))
        return
    fields: dict[str, Any] = {field.name: field.sample for field in FIELDS}
    (row,) = rendered(call(), line(**fields | {"type": kind}))["data"]["data"]
    assert (theirs, theirs) == (row["type"], row["event_type"])
    assert set(unosend.METADATA[theirs]) == set(row["metadata"])
    assert all(isinstance(value, str) for value in row["metadata"].values())
    (bare,) = rendered(call(), line(type=kind))["data"]["data"]
    assert row.keys() == bare.keys()
    assert row["metadata"].keys() == bare["metadata"].keys()


def _types_of(query: EventQuery) -> tuple[str | int, ...]:
    return next(each.values for each in query.filters if each.field == "type")


BOUNCES = [
    ({"bounce_class": 10}, "hard"),
    ({"bounce_class": 30, "error_code": "450"}, "hard"),
    ({"bounce_class": 90}, "hard"),
    ({"bounce_class": 22, "error_code": "550"}, "soft"),
    ({"bounce_class": 1}, "soft"),
    ({"error_code": "450"}, "soft"),
    ({"error_code": "550"}, "hard"),
    ({"reason": "452 4.2.2 mailbox full"}, "soft"),
    ({"reason": "mailbox full", "raw_reason": "452-4.2.2 full"}, "soft"),
    ({"reason": "552 5.2.2 mailbox full", "raw_reason": "452 4.2.2 full"}, "hard"),
    ({"reason": "452 4.2.2 mailbox full", "error_code": "552"}, "hard"),
    ({"reason": "4520 messages are too many"}, "hard"),
    ({}, "hard"),
]


@pytest.mark.parametrize(("fields", "expected"), BOUNCES)
def test_hard_and_soft(fields: dict[str, Any], expected: str) -> None:
    """The class decides, then the SMTP code, its own or that of the reason; else a bounce is for
    good."""
    (row,) = rendered(call(), line(type="bounce", **fields))["data"]["data"]
    assert expected == row["metadata"]["bounce_type"]


# -- parameters


def test_defaults() -> None:
    """Without parameters: all types, seven days back from now, fifty events."""
    asked = unosend.parse(call())
    assert unosend.Asked(None, None, 7, 50, 0) == asked
    query = unosend.query(asked, call())
    assert NOW - timedelta(days=7) == query.start
    assert NOW < query.end <= NOW + timedelta(minutes=1)
    assert ("w", 50, 0, True) == (query.workspace, query.limit, query.offset, query.descending)
    assert {name for name, theirs in unosend.TYPES.items() if theirs} == set(_types_of(query))


def test_filters() -> None:
    """A type stands for all of ours that have its name; an id is compared as it is."""
    asked = unosend.parse(call(("event_type", "unsubscribed"), ("email_id", "A/b")))
    types = Filter("type", Match.EQUAL, ("list_unsubscribe", "link_unsubscribe"))
    message = Filter("message_id", Match.EQUAL, ("A/b",))
    assert (types, message) == unosend.query(asked, call()).filters


NUMBERS = [
    ("days", "0", 1),
    ("days", "90", 90),
    ("days", "91", 90),
    ("days", "7.9", 7),
    ("days", "-3", 1),
    ("days", " 5 ", 5),
    ("days", "+5", 5),
    ("limit", "0", 1),
    ("limit", "100", 100),
    ("limit", "101", 100),
    ("limit", "9" * 5000, 100),
    ("limit", "-" + "9" * 5000, 1),
    ("offset", "-1", 0),
    ("offset", "9" * 400, 2**53 - 1),
    *((name, text, None) for name in ("days", "limit", "offset") for text in ("", "x", "1e3", "٣")),
    *((name, text, None) for name in ("days", "limit") for text in ("nan", "inf", "1_0", "--1")),
]


@pytest.mark.parametrize(("name", "text", "expected"), NUMBERS)
def test_numbers(name: str, text: str, expected: int | None) -> None:
    """What is out of range is moved to its end; what is no number is the default."""
    default = {"days": 7, "limit": 50, "offset": 0}[name]
    actual = getattr(unosend.parse(call((name, text))), name)
    assert (default if expected is None else expected) == actual


PAGES = [
    ((), 50, 0),
    ((("per_page", "20"),), 20, 0),
    ((("page", "3"), ("per_page", "20")), 20, 40),
    ((("page", "0"), ("per_page", "101")), 100, 0),
    ((("limit", "10"), ("offset", "5")), 10, 5),
    ((("limit", "10"), ("page", "3")), 10, 20),
    ((("limit", "10"), ("offset", "5"), ("page", "3"), ("per_page", "20")), 10, 5),
    ((("page", "x"), ("per_page", "x"), ("limit", ""), ("offset", "x")), 50, 0),
]


@pytest.mark.parametrize(("pairs", "limit", "offset"), PAGES)
def test_pages_of_the_list_of_emails(
    pairs: tuple[tuple[str, str], ...], limit: int, offset: int
) -> None:
    """By number and length of a page, or by limit and offset, which go first."""
    asked = unosend.parse_emails(call(*pairs))
    assert (limit, offset) == (asked.limit, asked.offset)
    last = unosend.parse_emails(call(("page", "9" * 40), ("per_page", "100")))
    assert last.offset <= 2**53 - 1


@given(st.lists(st.tuples(st.sampled_from(["days", "limit", "offset", "event_type"]), st.text())))
def test_any_parameters_are_a_question(pairs: list[tuple[str, str]]) -> None:
    """Whatever is sent, the question is within its limits, and the answer says them."""
    made = call(*pairs)
    asked = unosend.parse(made)
    assert 1 <= asked.days <= 90
    assert 1 <= asked.limit <= 100
    assert 0 <= asked.offset < 2**53
    assert unosend.query(asked, made).start < unosend.query(asked, made).end
    body = rendered(made)["data"]
    assert body["filters"]["days"] == asked.days
    assert body["pagination"]["limit"] == asked.limit


CARRIED = [
    ("Bearer k", "k"),
    ("bearer k", "k"),
    ("  Bearer   un_live_x ", "un_live_x"),
    ("Bearer", None),
    ("Bearer ", None),
    ("k", None),
    ("Basic azo=", None),
    ("", None),
]


@pytest.mark.parametrize(("header", "expected"), CARRIED)
def test_key(header: str, expected: str | None) -> None:
    """The key is what stands behind `Bearer`."""
    made = call(headers={"authorization": header})
    if expected is not None:
        assert expected == unosend.key(made)
        return
    with pytest.raises(errors.Unauthenticated):
        unosend.key(made)


# -- the answer


@given(st.integers(0, 500), st.integers(1, 100), st.integers(0, 500))
def test_has_more(total: int, limit: int, offset: int) -> None:
    """There is more, exactly when a next page would have something."""
    made = call(("limit", str(limit)), ("offset", str(offset)))
    actual = rendered(made, total=total)["data"]["pagination"]
    assert (total > offset + limit) is actual.pop("has_more")
    assert {"total": total, "limit": limit, "offset": offset} == actual


def test_envelopes() -> None:
    """Both hold the same; only the documented one says `success`."""
    wrapped = rendered(call(), line())
    unwrapped = rendered(call(options={"unosend_envelope": "unwrapped"}), line())
    assert {"success": True, "data": unwrapped} == wrapped
    assert ["data", "pagination", "filters"] == list(unwrapped)


def test_email() -> None:
    """The e-mail comes from the message; without one, or when nothing is known of it, null."""
    events = unosend.read(Page([line(message_id="m"), line(message_id="n"), line()]))
    assert ["m", "n"] == unosend.messages([*events, *events])
    known = {"m": Envelope(["a@example.org", "b@example.org"], "Hello")}
    emails = [unosend.row(each, known)["email"] for each in events]
    assert [{"to": ["a@example.org", "b@example.org"], "subject": "Hello"}, None, None] == emails


# -- failures


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_failure_is_decided(kind: type[PostledgerError]) -> None:
    """Each has a status and a code of its own, in the documented shape."""
    assert kind in unosend.STATUS
    reply = unosend.refuse(kind("what to do"), call(headers={"authorization": "Bearer k"}))
    status, code = unosend.STATUS[kind]
    assert isinstance(reply.body, bytes)
    told = json.loads(reply.body)["error"]
    assert (status, code, "what to do") == (told["status"], told["code"], told["message"])
    assert (status, "application/json") == (reply.status, reply.media_type)
    assert ("Retry-After" in reply.headers) is (status in {429, 503})


def test_a_failure_of_another_kind() -> None:
    """One that the table does not have is told as what it is a kind of; never without a word."""

    class Odd(errors.BadCursor):
        pass

    reply = unosend.refuse(Odd(""), call())
    assert 400 == reply.status
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["error"]["message"]


def test_problems_are_listed() -> None:
    """What is wrong with which parameter, and its value."""
    reply = unosend.refuse(BadInput.parameter("days", "a number"), call(("days", "x")))
    assert isinstance(reply.body, bytes)
    expected = [{"field": "days", "message": "a number", "value": "x"}]
    assert expected == json.loads(reply.body)["error"]["details"]["errors"]


def test_rates_of_a_failure() -> None:
    """A key that may not ask is told when it may; others what they may still."""
    limited = unosend.refuse(RateLimited("wait", retry_after=3, limit=5), call())
    reset = str(int(NOW.timestamp()) + 3)
    expected = {"Limit": "5", "Remaining": "0", "Reset": reset}
    assert {f"X-RateLimit-{k}": v for k, v in expected.items()} | {"Retry-After": "3"} == dict(
        limited.headers
    )
    assert isinstance(limited.body, bytes)
    assert 3 == json.loads(limited.body)["error"]["retry_after"]
    busy = unosend.refuse(errors.Busy("wait"), call(allowance=Allowance(5, 2, 9)))
    assert ("2", "1") == (busy.headers["X-RateLimit-Remaining"], busy.headers["Retry-After"])


# -- over a real server


def failed(answer: Answer, status: int, code: str) -> None:
    assert (status, "application/json") == (answer.status, answer.headers["content-type"])
    assert (code, status) == (answer.json()["error"]["code"], answer.json()["error"]["status"])


def ago(**time: float) -> str:
    return iso(datetime.now(UTC) - timedelta(**time))


def test_paging_loses_and_repeats_nothing(client: Client) -> None:
    """All pages together are all events, the newest first; those of equal times too."""
    times = [ago(hours=1), ago(hours=2), ago(hours=3)]
    client.store(*(event(n, timestamp=times[n % 3], message_id=f"m{n % 7}") for n in range(50)))
    found: list[dict[str, Any]] = []
    while True:
        page = client.get(f"/v1/events?limit=7&offset={len(found)}")["data"]
        assert 50 == page["pagination"]["total"]
        found += page["data"]
        if not page["pagination"]["has_more"]:
            break
    assert {f"e{n:06}" for n in range(50)} == {row["id"] for row in found}
    assert 50 == len(found)
    order = [(row["created_at"], row["id"]) for row in found]
    assert sorted(order, reverse=True) == order


def test_just_now(client: Client) -> None:
    """What has just happened is there, by a clock that is a little ahead too; the future is not."""
    client.store(
        event(1, timestamp=ago()),
        event(2, timestamp=ago(seconds=-20)),
        event(3, timestamp=ago(days=-1)),
    )
    assert ["e000002", "e000001"] == [row["id"] for row in client.get("/events")["data"]["data"]]


def test_a_subject_that_another_event_tells(client: Client) -> None:
    """Recipients and subject come from events outside of the window and of other types too."""
    client.store(
        event(1, type="scheduled", timestamp=ago(days=300), message_id="m", subject="Hello"),
        event(2, type="delay", timestamp=ago(days=9), message_id="m", rcpt_to="b@example.org"),
        event(3, timestamp=ago(hours=1), message_id="m", rcpt_to="a@example.org"),
    )
    (row,) = client.get("/v1/events")["data"]["data"]
    assert {"to": ["a@example.org", "b@example.org"], "subject": "Hello"} == row["email"]


def test_the_subject_of_the_earliest_event(client: Client) -> None:
    """Whatever order events lie in; a reply tells the subject only if nothing else does."""
    client.store(
        event(1, type="response", timestamp=ago(hours=90), message_id="m", subject="Re: Hello"),
        event(2, type="bounce", timestamp=ago(hours=2), message_id="m", subject="Hello"),
        event(3, type="delivery", timestamp=ago(hours=1), message_id="m", subject="Bye"),
        event(4, type="response", timestamp=ago(hours=1), message_id="n", subject="Re: Hi"),
        event(5, type="delivery", timestamp=ago(hours=2), message_id="n"),
    )
    rows = client.get("/v1/events")["data"]["data"]
    assert {"m": "Hello", "n": "Re: Hi"} == {
        row["email_id"]: row["email"]["subject"] for row in rows
    }
    for email_id, subject in (("m", "Hello"), ("n", "Re: Hi")):
        assert subject == client.get(f"/v1/emails/{email_id}")["data"]["subject"]


def test_workspaces_are_apart(server: Server, client: Client) -> None:
    """An id of another workspace finds nothing, and no recipient of its."""
    client.store(event(1, timestamp=ago(), message_id="m", rcpt_to="a@example.org", subject="S"))
    other = new_client(server)
    assert [] == other.get("/v1/events?email_id=m")["data"]["data"]
    other.store(event(2, timestamp=ago(), message_id="m"))
    (row,) = other.get("/v1/events?email_id=m")["data"]["data"]
    assert {"to": [], "subject": ""} == row["email"]


def test_keys(server: Server, client: Client) -> None:
    """No key, a key that is none, and a key that may not read are told apart."""
    lists = (*unosend.PATHS, *unosend.LOGS, *unosend.EMAILS)
    paths = (*lists, *unosend.METRICS, *unosend.LINKS, "/v1/emails/x")
    for path in paths:
        failed(Client(client.address, "").request("GET", path), 401, "missing_api_key")
        failed(Client(client.address, "un_x").request("GET", path), 401, "invalid_api_key")
        writer = new_client(server, ("events:write",))
        failed(writer.request("GET", path), 403, "insufficient_permissions")


def test_rates(start: Callable[..., Server]) -> None:
    """Each answer says what may still be asked; one too many when to come back."""
    client = start(POSTLEDGER_KEY_RATE="2/hour").start().client
    for left in ("1", "0"):
        headers = client.request("GET", "/v1/events").headers
        assert ("2", left) == (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"])
        assert datetime.now(UTC).timestamp() < int(headers["x-ratelimit-reset"])
    refused = client.request("GET", "/v1/events")
    failed(refused, 429, "rate_limit_exceeded")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert ("2", "0") == tuple(
        refused.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")
    )
    plain = client.request("GET", f"/v1/events/tags/x?access_token={client.key}")
    assert (429, "text/plain") == (plain.status, plain.headers["content-type"].split(";")[0])
    assert 0 < int(plain.headers["retry-after"]) <= 3600
    assert plain.body


def test_paths_too_long_and_unknown(client: Client) -> None:
    """Both are told in JSON."""
    failed(client.request("GET", f"/v1/events?x={'a' * 17_000}"), 414, "validation_error")
    failed(client.request("GET", "/v1/nothing"), 404, "not_found")
    failed(client.request("GET", "/events/x"), 404, "not_found")
    failed(client.request("PUT", "/events"), 405, "method_not_allowed")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["email_id", "event_type", "days", "limit", "offset", "x"]),
            st.text("09-.%&=;+ \\'\"\x00\t\nñ😀", max_size=8) | st.integers().map(str),
        ),
        max_size=4,
    )
)
def test_no_query_breaks_it(server: Server, pairs: list[tuple[str, str]]) -> None:
    """Any query, well written or not, gets a page."""
    raw = "&".join(f"{name}={value}" for name, value in pairs).encode()
    safe = "".join(chr(byte) if 33 <= byte < 127 else f"%{byte:02X}" for byte in raw)
    for query in (safe, safe.replace("%", "%25")):
        answer = server.client.request("GET", f"/v1/events?{query}")
        assert 200 == answer.status, (query, answer)
