"""SMTPeter's events call: its tables, its periods, and itself over a real server.

What a request gets is in `cases/smtpeter`; here is what holds for all requests, and what depends on
the present time or needs many events.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Answer, Client, Server, new_client
from making import event, iso
from postledger import errors
from postledger.dialects import smtpeter
from postledger.dialects.smtpeter.parse import AT_ONCE, MOST_TAGS, Period, months_after
from postledger.dialects.smtpeter.render import Event, row
from postledger.dialects.smtpeter.tables import (
    COLUMNS,
    FIELDS,
    LOGS,
    MEMBERS,
    NUMBERS,
    PATHS,
    STATUS,
    TYPES,
)
from postledger.dialects.wire import Call, Reply
from postledger.errors import BadInput, PostledgerError, RateLimited, StartError
from postledger.events import EVENT_TYPES, FIELD
from postledger.events import FIELDS as EVERY_FIELD
from postledger.query import Filter, Match

NOW = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)
ALL = "start=2026-11-01&end=2026-12-01"


def call(path: str = "/v1/events/tags/x", *pairs: tuple[str, str], **others: Any) -> Call:
    return Call(path, NOW, pairs, workspace="w", **others)


def line(**fields: Any) -> bytes:
    return json.dumps(
        {"event_id": "e", "timestamp": iso(NOW), "type": "delivery"} | fields
    ).encode()


def rows(reply: Reply) -> Any:
    assert not isinstance(reply.body, bytes)
    return json.loads(b"".join(reply.body))


def shown(options: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    (found,) = rows(smtpeter.render([[line(**fields)]], call(options=options or {})))
    assert isinstance(found, dict)
    return found


def kinds(of: type[PostledgerError] = PostledgerError) -> Iterator[type[PostledgerError]]:
    """All failures that can reach a request."""
    yield of
    for below in of.__subclasses__():
        if below is not StartError and below.__module__ == errors.__name__:
            yield from kinds(below)


# -- tables


def test_every_type_is_decided() -> None:
    """Each of our types has one there or none, and each of theirs has its columns."""
    assert set(EVENT_TYPES) == set(TYPES)
    assert set(COLUMNS) == {name for name in TYPES.values() if name}


def test_every_column_has_its_source() -> None:
    """Each column is read from an event, and what is read are fields that there are."""
    logs = [log.columns for log in LOGS.values()]
    assert {column for columns in COLUMNS.values() for column in columns} == set(MEMBERS)
    assert {column for columns in logs for column in columns} == set(MEMBERS)
    assert NUMBERS <= set(MEMBERS)
    read = {field.name for field in msgspec.structs.fields(Event)}
    assert set() == read - FIELD.keys()


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_an_event_with_every_field(kind: str) -> None:
    """Each type that has a name there has all of its columns, in their order, as texts."""
    theirs = TYPES[kind]
    if theirs is None:
        query = smtpeter.query(smtpeter.parse(call(), "tags"), call())
        assert query is not None
        assert kind not in next(each.values for each in query.filters if each.field == "type")
        return
    every: dict[str, Any] = {field.name: field.sample for field in EVERY_FIELD}
    for fields in (every, {}):
        found = shown(**fields | {"type": kind, "timestamp": iso(NOW)})
        assert ["event", "data"] == list(found)
        assert theirs == found["event"]
        assert COLUMNS[theirs] == tuple(found["data"])
        assert all(isinstance(value, str) for value in found["data"].values())
        assert "2026-03-31 09:30:00" == found["data"]["time"]


FORMS = [
    ("nested", ["event", "data"]),
    ("flat", ["event", "id"]),
    ("both", ["event", "data", "id"]),
]


@pytest.mark.parametrize(("form", "first"), FORMS)
@pytest.mark.parametrize("kind", [name for name, theirs in TYPES.items() if theirs])
def test_forms_of_rows(form: str, first: list[str], kind: str) -> None:
    """In each form `event` comes first, and the columns say the same."""
    nested = shown(type=kind)
    found = shown({"smtpeter_rows": form}, type=kind)
    assert first == list(found)[: len(first)]
    assert nested["data"] == found.get("data", nested["data"])
    flat = {name: value for name, value in found.items() if name not in {"event", "data"}}
    assert flat == ({} if form == "nested" else nested["data"])


VALUES = [("0", 0), ("12", 12), ("012", "012"), ("", ""), ("-1", "-1"), ("9" * 16, "9" * 16)]


@pytest.mark.parametrize(("text", "expected"), [*VALUES, ("offer-3", "offer-3")])
def test_numbers(text: str, expected: object) -> None:
    """A number is one only where it says the same as the text."""
    fields: dict[str, Any] = {"type": "bounce", "error_code": text}
    assert expected == shown({"smtpeter_numbers": "numbers"}, **fields)["data"]["code"]
    assert text == shown(**fields)["data"]["code"]


REASONS = [
    ("550 5.1.1 unknown", "5.1.1"),
    ("smtp;550-5.7.26 unauthenticated", "5.7.26"),
    ("552 (5.2.2)", "5.2.2"),
    ("connect to 192.5.1.1 failed", ""),
    ("connect to 5.1.1.9 failed", ""),
    ("550 3.1.1", ""),
    ("550 5.1.1234", ""),
    ("", ""),
]


@pytest.mark.parametrize(("reason", "expected"), REASONS)
def test_enhanced_status(reason: str, expected: str) -> None:
    """The enhanced status is found in the reason, made uniform or as it came."""
    assert expected == shown(type="bounce", reason=reason)["data"]["status"]
    assert expected == shown(type="bounce", raw_reason=reason, reason="no")["data"]["status"]


def test_a_place_may_hold_anything() -> None:
    """Where an opening came from is what the source wrote; what is no text is left out."""
    place = {"country": ["PL"], "region": None, "city": {"a": 1}, "x": 1e300}
    data = shown(type="open", geo_ip=place)["data"]
    assert {""} == {data[name] for name in ("city", "countryname", "countrycode", "regioncode")}


# -- periods


def day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)


PERIODS = [
    ("2026-11-01", None, "2026-11-01", "2026-12-01"),
    ("2026-01-31", None, "2026-01-31", "2026-02-28"),
    ("2024-01-31", None, "2024-01-31", "2024-02-29"),
    ("2026-12-15", None, "2026-12-15", "2027-01-15"),
    (None, "2026-03-31", "2026-02-28", "2026-03-31"),
    (None, "2026-01-15", "2025-12-15", "2026-01-15"),
    ("2026-11-01", "2026-11-02", "2026-11-01", "2026-11-02"),
    ("2026-11-01", "2026-12-01", "2026-11-01", "2026-12-01"),
    ("2026-11-01", "2026-12-02", "2026-11-01", "2026-12-01"),
    ("2026-01-31", "2026-03-01", "2026-01-31", "2026-02-28"),
    ("2026-11-01", "2036-11-01", "2026-11-01", "2026-12-01"),
]


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(("start", "end", "first", "last"), PERIODS)
def test_periods(kind: str, start: str | None, end: str | None, first: str, last: str) -> None:
    """What is given, cut to a month of the calendar; the start leads."""
    given = [(name, text) for name, text in (("start", start), ("end", end)) if text]
    asked = smtpeter.parse(call(f"/v1/events/{kind}/x", *given), kind)
    assert Period(day(first), day(last)) == asked.period


def test_default_periods() -> None:
    """Without days the last month; for a message the month from its sending on."""
    for kind in PATHS:
        asked = smtpeter.parse(call(f"/v1/events/{kind}/x"), kind)
        if kind != "messageid":
            assert asked.period is not None
            assert datetime(2026, 2, 28, 9, 30, tzinfo=UTC) == asked.period.start
            assert NOW <= asked.period.end <= NOW + timedelta(minutes=1)
    asked = smtpeter.parse(call("/v1/events/messageid/x"), "messageid")
    assert asked.period is None
    assert smtpeter.query(asked, call()) is None
    query = smtpeter.query(asked, call(), NOW)
    assert query is not None
    assert (NOW, datetime(2026, 4, 30, 9, 30, tzinfo=UTC)) == (query.start, query.end)


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(
    ("start", "end"), [("2022-02-08", "2022-02-08"), ("2022-02-08", "2022-02-07")]
)
def test_no_period(kind: str, start: str, end: str) -> None:
    """An end that is not after the start is refused."""
    with pytest.raises(BadInput, match="end"):
        smtpeter.parse(call(f"/v1/events/{kind}/x", ("start", start), ("end", end)), kind)


NO_DAYS = ["2026-02-29", "2026-13-01", "0000-01-01", "20261101", "2026-1-1", "2026-W01-1", "now"]


@pytest.mark.parametrize("text", [*NO_DAYS, "2026-11-01 ", "٢٠٢٦-11-01", "2026-11-01T00:00", "1e9"])
@pytest.mark.parametrize("name", ["start", "end"])
def test_no_days(name: str, text: str) -> None:
    """What is no day is refused, by its name."""
    with pytest.raises(BadInput, match=name):
        smtpeter.parse(call("/v1/events/tags/x", (name, text)), "tags")


ENDS = {end.replace(tzinfo=UTC) for end in (datetime.min, datetime.max)}  # noqa: DTZ901


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-3, 3))
def test_months(moment: datetime, months: int) -> None:
    """Months later is the same day and time, or the last day of that month; at the ends of the
    calendar it stays there."""
    found = months_after(moment, months)
    if found in ENDS:
        assert moment.year in {1, 9999}
        return
    assert months == (found.year - moment.year) * 12 + found.month - moment.month
    assert moment.time() == found.time()
    next_day = found.date() + timedelta(days=found.date() < date.max)
    assert found.day == moment.day or (found.day < moment.day and next_day.day == 1)


# -- values and tags

TAGS = [
    ("a", [], ["a"]),
    ("a;b", [], ["a", "b"]),
    ("a/b", [], ["a", "b"]),
    ("a;b/c", ["d;e", "f"], ["a", "b", "c", "d", "e", "f"]),
    (";a;; a ;", ["", "a", ";"], ["a"]),
]


@pytest.mark.parametrize(("path", "given", "expected"), TAGS)
def test_tags(path: str, given: list[str], expected: list[str]) -> None:
    """Each tag is a condition of its own."""
    made = call(f"/v1/events/tags/{path}", *(("tags", text) for text in given))
    tags = smtpeter.parse(made, "tags").of_messages
    assert [Filter("rcpt_tags", Match.MEMBER, (tag,)) for tag in expected] == list(tags)


def test_too_many_tags() -> None:
    """There is a limit to them, and they must be some."""
    many = ";".join(f"t{number}" for number in range(MOST_TAGS))
    assert MOST_TAGS == len(smtpeter.parse(call(f"/v1/events/tags/{many}"), "tags").of_messages)
    for path in (f"{many};one", ";", "/", " ; "):
        with pytest.raises(BadInput, match="tag"):
            smtpeter.parse(call(f"/v1/events/tags/{path}"), "tags")


VALUES_IN_PATHS = [
    ("messageid", "A/b//c;d+e@f ", "A/b//c;d+e@f "),
    ("messageid", "messageid/x", "messageid/x"),
    ("email", "Ann+X@Example.ORG", "ann+x@example.org"),
    ("email", "ann@example.org/", "ann@example.org"),
    ("template", "007", "007"),
]


@pytest.mark.parametrize(("kind", "path", "expected"), VALUES_IN_PATHS)
def test_values(kind: str, path: str, expected: str) -> None:
    """The value is all that follows the kind; addresses are compared in lower case."""
    asked = smtpeter.parse(call(f"/v1/events/{kind}/{path}"), kind)
    first = (*asked.of_messages, *asked.filters)[0]
    assert (FIELDS[kind], Match.EQUAL) == (first.field, first.match)
    assert (expected,) == first.values


# -- the answer


@given(st.lists(st.integers(0, 3), max_size=6))
def test_the_array_is_whole(sizes: list[int]) -> None:
    """However the events come, the pieces make one array of them."""
    numbers = iter(range(100))
    pages = [[line(message_id=f"m{next(numbers)}") for _ in range(size)] for size in sizes]
    reply = smtpeter.render(pages, call())
    expected = [f"m{number}" for number in range(sum(sizes))]
    assert expected == [each["data"]["id"] for each in rows(reply)]
    assert ("application/json", 200) == (reply.media_type, reply.status)


def test_the_answer_is_made_while_it_is_sent() -> None:
    """A page is read when the ones before have gone."""
    read: list[int] = []

    def pages() -> Iterator[list[bytes]]:
        for number in range(3):
            read.append(number)
            yield [line()]

    reply = smtpeter.render(pages(), call())
    assert isinstance(reply.body, Iterator)
    assert [] == read
    assert next(reply.body).startswith(b'[{"event":"delivery"')
    assert [0] == read
    assert next(reply.body).startswith(b",{")
    assert [0, 1] == read


@given(st.text(), st.text(), st.text())
def test_texts_stay_as_they_are(message: str, sender: str, code: str) -> None:
    """Whatever a text holds, it comes out as it went in."""
    made = Event("bounce", iso(NOW), message_id=message, msg_from=sender, error_code=code)
    data = row(made, {})["data"]
    assert (message, sender, code) == (data["id"], data["envelope"], data["code"])


# -- failures


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_failure_is_decided(kind: type[PostledgerError]) -> None:
    """Each has a status of its own, and a sentence."""
    assert kind in STATUS
    for text in ("what to do", ""):
        reply = smtpeter.refuse(kind(text), call())
        assert (STATUS[kind], "text/plain") == (reply.status, reply.media_type)
        assert isinstance(reply.body, bytes)
        assert reply.body.decode() == (text or kind.title)
        assert ("Retry-After" in reply.headers) is (reply.status in {429, 503})
    assert "7" == smtpeter.refuse(RateLimited("x", retry_after=7), call()).headers["Retry-After"]


def test_a_failure_of_another_kind() -> None:
    """One that the table does not have is told as what it is a kind of."""

    class Odd(errors.StoreFull):
        pass

    assert 503 == smtpeter.refuse(Odd("x"), call()).status


# -- over a real server


def plain(answer: Answer, status: int) -> None:
    """A failure as SMTPeter tells it."""
    assert status == answer.status, answer
    assert "text/plain" == answer.headers["content-type"].split(";")[0]
    assert answer.body


def get(client: Client, path: str, **headers: str) -> Answer:
    joint = "&" if "?" in path else "?"
    keyless = Client(client.address, "")
    return keyless.request("GET", f"{path}{joint}access_token={client.key}", headers=headers)


def found(client: Client, path: str) -> list[dict[str, Any]]:
    answer = get(client, path)
    assert (200, "application/json") == (answer.status, answer.headers["content-type"]), answer
    events: list[dict[str, Any]] = answer.json()
    return events


def test_beside_unosend(client: Client) -> None:
    """`/v1/events` is Unosend's and all below is SMTPeter's, with their own failures and keys."""
    client.store(event(1, timestamp=iso(datetime.now(UTC)), message_id="m", rcpt_to="a@b.example"))
    assert 1 == client.get("/v1/events")["data"]["pagination"]["total"]
    assert ["delivery"] == [each["event"] for each in found(client, "/v1/events/email/a@b.example")]
    for path in ("/v1/events/sender/x", "/v1/events/x", "/v1/events/email", "/v1/events/email/"):
        plain(get(client, path), 404)
    assert "not_found" == client.request("GET", "/v1/event").json()["error"]["code"]
    for path in ("/v1/logfiles/x/y", "/v1/logfiles/x/csv/y"):
        plain(get(client, path), 404)
    plain(client.request("POST", "/v1/events/email/a@b.example"), 405)
    assert 405 == client.request("POST", "/v1/events").json()["error"]["status"]
    plain(client.request("GET", "/v1/events/email/a@b.example"), 401)
    assert "missing_api_key" == get(client, "/v1/events").json()["error"]["code"]


def test_more_than_is_read_at_once(client: Client) -> None:
    """A large answer is whole, in order, and one array."""
    number = AT_ONCE + 2_001
    made = (event(n, message_id=f"m{n:06}", rcpt_tags=["many"]) for n in range(number))
    client.store(*made)
    start = iso(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=20_000))[:10]
    events = found(client, f"/v1/events/tags/many?start={start}")
    assert [f"m{n:06}" for n in range(number)] == [each["data"]["id"] for each in events]


def test_the_last_month(client: Client) -> None:
    """Without days, what happened in the last month of the calendar, until now."""
    now = datetime.now(UTC)
    times = {
        "before": months_after(now, -1) - timedelta(minutes=1),
        "first": months_after(now, -1) + timedelta(minutes=1),
        "now": now,
        "ahead": now + timedelta(hours=1),
    }
    client.store(
        *(event(timestamp=iso(t), message_id=m, rcpt_tags=["x"]) for m, t in times.items())
    )
    assert ["first", "now"] == [each["data"]["id"] for each in found(client, "/v1/events/tags/x")]


def test_sending_is_told_by_any_event(client: Client) -> None:
    """The month of a message begins with its injection, even where only a later event tells it."""
    injected = {"injection_time": "2026-01-10T00:00:00Z", "message_id": "m"}
    client.store(
        event(1, timestamp="2026-01-20T00:00:00Z", **injected),
        event(2, timestamp="2026-02-09T23:59:59Z", type="open", message_id="m"),
        event(3, timestamp="2026-02-10T00:00:00Z", type="click", message_id="m"),
    )
    events = found(client, "/v1/events/messageid/m")
    assert ["delivery", "open"] == [each["event"] for each in events]


def test_keys_and_workspaces(server: Server, client: Client) -> None:
    """A key reads its own workspace, and only with the scope to do so."""
    client.store(
        event(1, timestamp="2026-11-02T00:00:00Z", message_id="m", rcpt_to="a@b.example",
              template_id="7", rcpt_tags=["x"])
    )  # fmt: skip
    other = new_client(server)
    writer = new_client(server, ("events:write",))
    nobody = Client(client.address, "pl_000000000000_x")
    for kind, value in {
        "messageid": "m",
        "email": "a@b.example",
        "template": "7",
        "tags": "x",
    }.items():
        path = f"/v1/events/{kind}/{value}?{ALL}"
        assert ["delivery"] == [each["event"] for each in found(client, path)]
        assert [] == found(other, path)
        plain(get(writer, path), 403)
        plain(get(nobody, path), 401)
        plain(Client(client.address, "").request("GET", path), 401)


def test_an_address_too_long(client: Client) -> None:
    """A path that is too long is told in a sentence; one that is just not is answered."""
    room = smtpeter.LONGEST_URI - len(f"/v1/events/messageid/?access_token={client.key}")
    assert [] == found(client, f"/v1/events/messageid/{'x' * room}")
    plain(get(client, f"/v1/events/messageid/{'x' * (room + 1)}"), 414)


def test_unreadable_days(client: Client) -> None:
    """Bad days are told in a sentence that names them."""
    for query in ("start=x", "end=2026-02-30", "start=2026-11-02&end=2026-11-02"):
        answer = get(client, f"/v1/events/tags/x?{query}")
        plain(answer, 400)
        assert b"start" in answer.body or b"end" in answer.body


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(list(PATHS)),
    st.text("ab/;@+%.?\\'\"\x00\t\nñ😀", min_size=1, max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from(["start", "end", "tags", "x"]),
            st.text("0129-;/\x00ñ", max_size=10) | st.dates().map(str),
        ),
        max_size=3,
    ),
)
def test_no_request_breaks_it(
    server: Server, kind: str, value: str, pairs: list[tuple[str, str]]
) -> None:
    """Any value and any query get an array, or a sentence that says what is wrong."""
    query = "&".join(f"{name}={quote(text)}" for name, text in pairs)
    for path in (quote(value, safe="/;@+"), quote(value, safe="")):
        answer = get(server.client, f"/v1/events/{kind}/{path}?{query}")
        if answer.status != 200:
            assert answer.status in {400, 404}, (path, query, answer)
            plain(answer, answer.status)
            continue
        assert isinstance(answer.json(), list)
