"""Netcore Email API, formerly Pepipost: contract netcore.md. What files of cases cannot say."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Answer, Client, Server, keyring_of, new_client
from making import event
from postledger import cursor, errors
from postledger.dialects import netcore
from postledger.dialects.netcore import operations, times
from postledger.dialects.netcore.errors import STATUS
from postledger.dialects.netcore.parse import Asked
from postledger.dialects.netcore.render import Event, Log, Row, _state, trid
from postledger.dialects.netcore.tables import (
    AGGREGATES,
    BY_CLASS,
    DOWNLOADS,
    EVENTS,
    FILTERS,
    GENERATIONS,
    HARD,
    NAMES,
    STAGES,
    STATES,
    STATS,
    TAGGED,
    TYPES,
)
from postledger.dialects.wire import Call
from postledger.errors import BadCursor, BadInput, PostledgerError, StartError
from postledger.events import EVENT_TYPES, FIELD
from postledger.query import Message, MessagePage, MessagePlace
from postledger.store.columns import NOT_ASKED

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
RANGE = (("startdate", "2026-11-01"), ("enddate", "2026-11-08"))
V51 = "/v5.1/events"


def asked(
    *pairs: tuple[str, str], path: str = V51, now: datetime = NOW, timezone: str = "UTC"
) -> Asked:
    """What a call asks."""
    call = Call(path, now, pairs, workspace="shop", options={"timezone": timezone})
    return netcore.logs(call, GENERATIONS[path])


def refused(*pairs: tuple[str, str], path: str = V51) -> str:
    """The parameter for which a call is refused."""
    with pytest.raises(BadInput) as found:
        asked(*pairs, path=path)
    assert found.value.problems[0].parameter
    return found.value.problems[0].parameter


# -- tables


def test_every_type_is_decided() -> None:
    """A new type of event asks this dialect for a decision; every state is one that it knows."""
    assert set(EVENT_TYPES) == set(TYPES)
    assert set(STATES) == {state for state in TYPES.values() if state} | set(BY_CLASS)
    assert set(STATES) == {stage.name for stage in STAGES}
    assert set(STATES) == {state for states in EVENTS.values() for state in states}
    assert not set(AGGREGATES) & set(EVENTS)
    assert all(set(states) <= set(STATES) for states in AGGREGATES.values())


@pytest.mark.parametrize("kind", EVENT_TYPES)
@pytest.mark.parametrize("bounce_class", [None, 1, *HARD, 25])
def test_an_event_decides_the_stage_that_the_store_gives(
    kind: str, bounce_class: int | None
) -> None:
    """Which event decided a state, for its remarks, agrees with how the state is found."""
    stages = [
        stage.name
        for stage in STAGES
        if kind in stage.types and (stage.classes is None or bounce_class in stage.classes)
    ]
    expected = stages[-1] if stages else None
    assert expected == _state(Event(kind, NOW, bounce_class))


def test_every_failure_is_decided() -> None:
    """A new failure asks this dialect for a decision, and its body is that of section 7."""
    kinds, met = [PostledgerError], []
    while kinds:
        kind = kinds.pop()
        met.append(kind)
        kinds += [each for each in kind.__subclasses__() if each is not StartError]
    ours = {kind for kind in met if kind.__module__ == errors.__name__}
    assert ours == set(STATUS)
    for kind in ours:
        reply = netcore.refuse(kind("what to do"), Call(V51, NOW))
        assert isinstance(reply.body, bytes)
        body = msgspec.json.decode(reply.body)
        assert reply.status == STATUS[kind]
        assert "error" == body["status"]
        assert body["message"] == body["error"][0]["message"]
        assert "what to do" == body["error"][0]["description"]


def test_a_failure_of_a_kind_that_is_not_in_the_table() -> None:
    """It is told as the kind that it is a case of."""

    class Stale(BadCursor):
        pass

    assert 400 == netcore.refuse(Stale("start anew"), Call(V51, NOW)).status


def test_every_filter_has_a_column() -> None:
    """What this dialect filters by, the store can ask for; and every name leads to something."""
    assert {each.field for each in FILTERS.values()} <= set(FIELD) - NOT_ASKED
    for operation in netcore.OPERATIONS:
        for parameter in operation.parameters:
            assert parameter.name.lower().replace("_", "") in NAMES


def test_the_description_says_what_is_sent() -> None:
    """The schema of a page has its members and columns, in their order."""
    log: Any = operations._LOG
    row: Any = operations._ROW
    assert list(Log.__struct_fields__) == list(log["properties"])
    assert list(Row.__struct_fields__) == list(row["properties"])
    loads = {f"{path}/{{download_id}}" for path in DOWNLOADS}
    paths = {*GENERATIONS, *STATS, TAGGED, *DOWNLOADS, *loads}
    assert paths == {each.path for each in netcore.OPERATIONS}


# -- how the key is carried


@pytest.mark.parametrize(
    "headers",
    [
        {"api_key": "k"},
        {"api-key": " k "},
        {"authorization": "Bearer k"},
        {"authorization": "bearer  k "},
        {"authorization": "x-api-key k"},
        {"authorization": "X-API-Key k"},
        {"authorization": "Basic b", "api_key": "k"},
        {"authorization": "Bearer k", "api_key": ""},
    ],
)
def test_the_key(headers: dict[str, str]) -> None:
    """Three ways, the header of its own first."""
    assert "k" == netcore.key(Call(V51, NOW, headers=headers))


@pytest.mark.parametrize("value", ["", "k", "Basic k", "Bearer", "Bearer  ", "x-api-key"])
def test_no_key(value: str) -> None:
    """Whatever is none of the three ways carries none."""
    with pytest.raises(errors.Unauthenticated):
        netcore.key(Call(V51, NOW, headers={"authorization": value}))


# -- what a call asks


@pytest.mark.parametrize(
    ("path", "limit", "descending"),
    [
        ("/v2/logs", 50, True),
        ("/v5/events", 10, True),
        ("/v5.1/events", 10, True),
        ("/v6/events", 50, False),
    ],
)
def test_defaults(path: str, limit: int, descending: bool) -> None:  # noqa: FBT001
    """Each generation has its own; today is the last day, in the zone of the account."""
    found = asked(("startdate", "2026-11-01"), path=path).query
    assert (limit, descending, 0, None) == (
        found.limit,
        found.descending,
        found.offset,
        found.after,
    )
    assert datetime(2026, 11, 21, tzinfo=UTC) == found.end
    abroad = asked(("startdate", "2026-11-01"), path=path, timezone="Asia/Tokyo").query
    assert datetime(2026, 11, 21, 15, tzinfo=UTC) == abroad.end
    assert datetime(2026, 10, 31, 15, tzinfo=UTC) == abroad.start


def test_a_start_that_is_still_to_come() -> None:
    """Elsewhere it is tomorrow already: without an end that is no mistake, and finds nothing."""
    found = asked(("startdate", "2026-11-21")).query
    assert (datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)) == (
        found.start,
        found.end,
    )
    assert "startdate" == refused(("startdate", "2026-11-21"), ("enddate", "2026-11-20"))


@pytest.mark.parametrize(
    ("value", "limit"), [("1", 1), ("5000", 5000), ("5001", 5000), ("10000", 5000), (" 7 ", 7)]
)
def test_limit(value: str, limit: int) -> None:
    """Up to 5000; more is clamped, since a live integration asks for 10000 (U-2)."""
    assert limit == asked(*RANGE, ("limit", value)).query.limit


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", ["-1", "1.5", "1e3", "ten", "0x1", "\u0661", "1_0", "9" * 5000])
def test_numbers_that_are_none(name: str, value: str) -> None:
    """Only digits are a number, and not too many."""
    assert name == refused(*RANGE, (name, value))


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-1",
        "20261101",
        "2026-W45-1",
        "1.11.2026",
        "2026-11-01 00:00:00",
        "\u0662026-11-01",
        "x",
    ],
)
def test_days_that_are_none(value: str) -> None:
    """A day is YYYY-MM-DD."""
    assert "startdate" == refused(("startdate", value))


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_of_other_ages(day: str, zone: str) -> None:
    """The first and the last day that can be written are days, wherever the account is."""
    found = asked(("startdate", day), ("enddate", "9999-12-31"), timezone=zone).query
    assert found.start < found.end


PAIRS = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, "start_date", "startDateTime", "events[0]", "x", ""]) | st.text(),
        st.sampled_from(["", " ", "2026-11-01", "2026-11-01 09:00:00", "sent", "asc", "5"])
        | st.text(max_size=300),
    ),
    max_size=6,
)


@given(pairs=PAIRS, path=st.sampled_from(list(GENERATIONS)), zone=st.sampled_from(["UTC", "Cuba"]))
def test_any_call_is_a_question_or_refused(
    pairs: list[tuple[str, str]], path: str, zone: str
) -> None:
    """Nothing else comes of it, whatever is sent."""
    try:
        found = asked(*pairs, path=path, timezone=zone).query
    except BadInput:
        return
    assert 1 <= found.limit <= 5000
    assert 0 <= found.offset <= 1000
    assert found.start <= found.end
    assert set(found.states) <= set(STATES)


# -- tokens

PLACE = MessagePlace(datetime(2026, 11, 2, 8, 0, 0, 123000, UTC), "m'1", "ann@example.org", 7)


def test_a_token_leads_to_its_place() -> None:
    """Under either of its names, with another limit and offset, and after midnight too."""
    first = asked(("startdate", "2026-11-01"), ("events", "open,sent"), ("limit", "3"))
    for name in ("scrollid", "scrollId", "scroll_id"):
        again = asked(
            (name, first.token(PLACE)),
            ("events[]", "sent"),
            ("events[]", "open"),
            ("startdate", "2026-11-01"),
            ("offset", "10"),
            now=NOW + timedelta(days=1),
        )
        assert PLACE == again.query.after
        assert 0 == again.query.offset


OTHERS: list[tuple[tuple[tuple[str, str], ...], str]] = [
    ((("startdate", "2026-11-02"),), "UTC"),
    ((("startdate", "2026-11-01"), ("enddate", "2026-11-08")), "UTC"),
    ((("startdate", "2026-11-01"), ("events", "sent")), "UTC"),
    ((("startdate", "2026-11-01"), ("email", "ann@example.org")), "UTC"),
    ((("startdate", "2026-11-01"), ("sort", "asc")), "UTC"),
    ((("startdate", "2026-11-01"),), "Asia/Tokyo"),
]


@pytest.mark.parametrize(("pairs", "timezone"), OTHERS)
def test_a_token_of_another_list(pairs: tuple[tuple[str, str], ...], timezone: str) -> None:
    """A token belongs to its range, its filters, its order and its workspace."""
    token = asked(("startdate", "2026-11-01")).token(PLACE)
    assert PLACE == asked(("startdate", "2026-11-01"), ("scrollid", token)).query.after
    with pytest.raises(BadCursor):
        asked(*pairs, ("scrollid", token), timezone=timezone)
    call = Call(V51, NOW, (("startdate", "2026-11-01"), ("scrollid", token)), workspace="other")
    with pytest.raises(BadCursor):
        netcore.logs(call, GENERATIONS[V51])


@pytest.mark.parametrize(
    "place",
    [
        [],
        ["a", "b", "c", 1],
        [2**62, "m", "r", 1],
        [1, "m", "r", -1],
        [1, "\ud800", "r", 1],
        [1, 2],
    ],
)
def test_a_token_that_was_made_up(place: list[str | int]) -> None:
    """Whoever knows how tokens are made gets no further than to a refusal."""
    question = asked(("startdate", "2026-11-01"))
    with pytest.raises(BadCursor):
        asked(("startdate", "2026-11-01"), ("scrollid", cursor.encode(question.list_, place)))


# -- days and times of the account

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
_MILLISECOND = timedelta(milliseconds=1)


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(
        datetime(1971, 1, 1, tzinfo=UTC).date(), datetime(2037, 12, 30, tzinfo=UTC).date()
    ),
)
def test_a_day_is_what_a_clock_calls_so(zone: str, day: Any) -> None:
    """From the first instant of a day to its last, however long it is, and no further."""
    there = ZoneInfo(zone)
    start = times.begins(datetime.combine(day, time.min), there)
    end = times.ends(datetime.combine(day, time(23, 59, 59)), there)
    shown = [times.shown(each, there)[:10] for each in (start, end - _MILLISECOND)]
    if start < end:  # in some places a day was left out
        assert [str(day)] * 2 == shown
    assert times.shown(start - _MILLISECOND, there)[:10] < str(day)
    assert times.shown(end, there)[:10] > str(day)


DAYS = [
    ("Europe/Warsaw", "2026-03-29", 23),
    ("Europe/Warsaw", "2026-10-25", 25),
    ("Europe/Warsaw", "2026-10-26", 24),
    ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ("America/Sao_Paulo", "2018-02-17", 25),
    ("America/Sao_Paulo", "2018-11-04", 23),
    ("America/Havana", "2026-11-01", 25),
    ("Pacific/Apia", "2011-12-30", 0),
    ("Asia/Kolkata", "2026-10-25", 24),
]


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_days_are_as_long_as_they_are(zone: str, day: str, hours: float) -> None:
    """When clocks are changed a day has 23 hours, or 25."""
    found = asked(("startdate", day), ("enddate", day), timezone=zone).query
    assert timedelta(hours=hours) == found.end - found.start


@given(instant=st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 27)))  # noqa: DTZ001
def test_a_time_is_found_by_what_is_shown_of_it(instant: datetime) -> None:
    """Who asks for the second that a row shows gets the row."""
    there, then = ZoneInfo("Europe/Warsaw"), instant.replace(tzinfo=UTC)
    shown = times.shown(then, there)
    pairs = (("start_datetime", shown), ("end_datetime", shown))
    query = asked(*pairs, path="/v6/events", timezone="Europe/Warsaw").query
    assert query.start <= then < query.end


# -- rows


def row(state: str, *events: dict[str, Any], path: str = V51) -> dict[str, Any]:
    """The row of a message with these events."""
    question = asked(*RANGE, path=path)
    lines = [msgspec.json.encode(event(n) | fields) for n, fields in enumerate(events)]
    sent = datetime(2026, 11, 1, 9, tzinfo=UTC)
    page = MessagePage([Message("m1", "ann@example.org", sent, state, lines)], 1)
    reply = netcore.shown(page, question)
    assert isinstance(reply.body, bytes)
    found: dict[str, Any] = msgspec.json.decode(reply.body)["data"][0]
    return found


def test_a_message_of_which_next_to_nothing_is_known() -> None:
    """What is absent is an empty string; a size is a number."""
    found = row("processed", {"type": "injection", "timestamp": "2026-11-01T09:00:00.999Z"})
    assert {
        "trid": trid("m1", "ann@example.org"),
        "rcptEmail": "ann@example.org",
        "fromaddress": "",
        "requestedTime": "2026-11-01 09:00:00",
        "deliveryTime": "",
        "modifiedTime": "2026-11-01 09:00:00",
        "status": "processed",
        "size": 0,
        "remarks": "",
        "subject": "",
        "xapiheader": "",
        "tags": "",
    } == found


@pytest.mark.parametrize(
    ("state", "events", "remarks"),
    [
        ("sent", [{"smtp_response": "250 a"}, {"smtp_response": "250 b"}], "250 b"),
        ("click", [{"smtp_response": "250 a"}, {"type": "click"}], "250 a"),
        ("hardbounce", [{"type": "bounce", "bounce_class": 10, "reason": "r"}], "r"),
        (
            "softbounce",
            [
                {"type": "delay", "reason": "later"},
                {"type": "bounce", "bounce_class": 22, "reason": "r", "raw_reason": "raw"},
            ],
            "raw",
        ),
        ("dropped", [{"type": "policy_rejection", "reason": "no"}], "no"),
        ("processed", [{"type": "injection"}, {"type": "delay", "reason": "later"}], "later"),
        (
            "sent",
            [
                {"smtp_response": "250 a"},
                {"type": "out_of_band", "bounce_class": 10, "reason": "came back"},
            ],
            "250 a",
        ),
    ],
)
def test_remarks(state: str, events: list[dict[str, Any]], remarks: str) -> None:
    """What the event that decided the state says, as the remote server put it."""
    assert remarks == row(state, *events)["remarks"]


def test_what_brings_no_state_changes_no_row() -> None:
    """A reply has a subject and a sender of its own, and comes when the state has long been what it
    is; a type that is not known likewise."""
    other = {"subject": "Re: Hello", "friendly_from": "ann@example.org"}
    found = row(
        "sent",
        {"type": "unknown", "timestamp": "2026-11-01T08:00:00Z"} | other,
        {"type": "delivery", "timestamp": "2026-11-01T09:00:00Z", "correlation_id": "o1"},
        {"type": "open", "timestamp": "2026-11-01T10:00:00Z", "subject": "Hello"},
        {"type": "response", "timestamp": "2026-11-01T11:00:00Z"} | other,
    )
    assert ("Hello", "", "o1") == (found["subject"], found["fromaddress"], found["xapiheader"])
    assert "2026-11-01 10:00:00" == found["modifiedTime"]


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("news@shop.example", "news@shop.example"),
        ("Shop <News@shop.example>", "News@shop.example"),
        ('"A, B" <a@shop.example> ', "a@shop.example"),
        ("<>", "<>"),
    ],
)
def test_the_address_of_the_sender(given_: str, shown: str) -> None:
    """The address without the name, as the filter compares it."""
    assert shown == row("sent", {"friendly_from": given_})["fromaddress"]


def test_trails_of_all_kinds() -> None:
    """Openings and clicks of AMP parts and of the first pixel are in the trails too, in order."""
    kinds = ("initial_open", "open", "amp_open", "amp_initial_open", "click", "initial_click")
    found = row("click", *({"type": kind, "ip_address": kind} for kind in (*kinds, "amp_click")))
    assert list(kinds[:4]) == [each["ip"] for each in found["opens"]]
    assert [*kinds[4:], "amp_click"] == [each["ip"] for each in found["clicks"]]
    assert {"ip", "link", "time"} == set(found["clicks"][0])
    assert row("sent", {}, path="/v2/logs")["opens"] == []


@pytest.mark.parametrize(
    ("message_id", "number"),
    [("1", 1), ("1700000000123", 1700000000123), (str(2**63 - 1), 2**63 - 1)],
)
def test_trid_of_a_number(message_id: str, number: int) -> None:
    """A message id that is a number of 63 bits is the number."""
    assert number == trid(message_id, "ann@example.org")


@given(st.sampled_from(["0", "007", str(2**63), "9" * 40, "-1", "\u0661", ""]) | st.text())
def test_trid_of_another_id(message_id: str) -> None:
    """Any other becomes a number that JavaScript reads exactly; recipients have different ones."""
    first, second = trid(message_id, "ann@example.org"), trid(message_id, "bob@example.org")
    assert 0 <= first < 2**63
    assert first < 2**53 or message_id.isdecimal()
    assert first == trid(message_id, "ann@example.org")
    if not message_id.isdecimal():
        assert first != second


def test_trid_stays() -> None:
    """Clients keep it: it must not change from version to version."""
    assert 2731639761608467 == trid("m1", "ann@example.org")


# -- over a socket


def get(client: Client, path: str, /, **parameters: Any) -> Answer:
    return client.request("GET", f"{path}?{urlencode(parameters, doseq=True)}")


def error(answer: Answer, status: int) -> dict[str, Any]:
    """The error of an answer, its shape checked: contract section 7."""
    assert status == answer.status, answer
    assert "application/json" == answer.headers["content-type"]
    body: dict[str, Any] = answer.json()
    assert "error" == body["status"]
    assert isinstance(body["message"], str)
    assert all(each["message"] and each["description"] for each in body["error"])
    return body


def walk(client: Client, path: str, name: str = "scrollid", /, **parameters: Any) -> list[str]:
    """Recipients on all pages, as the one live integration reads them: to an empty page, or a token
    that is missing or the same again."""
    found: list[str] = []
    token = ""
    while True:
        page = get(client, path, **parameters, **({name: token} if token else {})).json()
        found += [each["rcptEmail"] for each in page["data"]]
        if not page["data"] or page[name] in {"", token}:
            return found
        token = page[name]


@pytest.fixture(scope="module")
def some(server: Server) -> tuple[Client, list[str]]:
    """A client of a workspace with rows that share times, and their recipients in order."""
    client = new_client(server)
    made = [
        event(
            n // 3,
            event_id=f"e{n}",
            type="injection",
            message_id=f"m{n % 4}",
            rcpt_to=f"r{n:02}@x.example",
            timestamp=f"2026-11-02T08:00:0{n // 3}Z",
        )
        for n in range(8)
    ]
    client.store(*made)
    return client, sorted(each["rcpt_to"] for each in made)


@pytest.mark.parametrize("path", GENERATIONS)
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_to_the_end(some: tuple[Client, list[str]], path: str, limit: int) -> None:
    """All rows, each once, in both orders, by token and by offset, with equal times too."""
    client, recipients = some
    asked_for = dict(RANGE) | {"limit": limit}
    up = walk(client, path, "scrollId", **asked_for, sort="asc")
    down = walk(client, path, **asked_for, sort="desc")
    assert recipients == sorted(up)
    assert up == down[::-1]
    by_offset: list[str] = []
    for offset in range(0, 8 + limit, limit):
        page = get(client, path, **asked_for, sort="asc", offset=offset).json()
        assert 8 == page["totalRecords"]
        by_offset += [each["rcptEmail"] for each in page["data"]]
    assert up == by_offset


def test_what_comes_in_between_two_pages(client: Client) -> None:
    """A message that is stored meanwhile neither repeats nor hides a row."""
    for n in range(4):
        client.store(_message(n))
    first = get(client, V51, **dict(RANGE), limit=2).json()
    client.store(_message(9), _message(2) | {"event_id": "again", "type": "delivery"})
    second = get(client, V51, **dict(RANGE), limit=2, scrollid=first["scrollid"]).json()
    both = [each["rcptEmail"] for page in (first, second) for each in page["data"]]
    assert [f"r{n}@x.example" for n in (3, 2, 1, 0)] == both


def _message(number: int) -> dict[str, Any]:
    return event(
        number,
        type="injection",
        message_id=f"m{number}",
        rcpt_to=f"r{number}@x.example",
        timestamp=f"2026-11-02T08:00:0{number}Z",
    )


def test_nothing_of_another_workspace(server: Server, client: Client) -> None:
    """The workspace comes from the key alone, whatever ids and tokens are sent."""
    client.store(_message(1), _message(2))
    other = new_client(server)
    assert 2 == get(client, V51, **dict(RANGE)).json()["totalRecords"]
    nothing = {"status": "success", "totalRecords": 0, "scrollid": "", "scrollId": "", "data": []}
    for filters in ({}, {"messageid": "m1"}, {"email": "r1@x.example"}):
        assert nothing == get(other, V51, **dict(RANGE), **filters).json()
    token = get(client, V51, **dict(RANGE), limit=1).json()["scrollid"]
    error(get(other, V51, **dict(RANGE), limit=1, scrollid=token), 400)
    for path in (f"{V51}/m1", "/v6/events/m1", "/v2/logs/m1"):
        error(other.request("GET", path), 404)


def test_a_key_without_the_scope(server: Server) -> None:
    """A key that may not read is told so."""
    writer = new_client(server, ("events:write",))
    assert "Forbidden" == error(get(writer, V51, **dict(RANGE)), 403)["message"]


def test_the_option_of_the_workspace(server: Server) -> None:
    """Days and times are those of the account."""
    ring = keyring_of(server)
    ring.create_workspace("netcore-tokyo")
    ring.set_option("netcore-tokyo", "timezone", "Asia/Tokyo")
    client = new_client(server, workspace="netcore-tokyo")
    client.store(_message(1))
    found = get(client, V51, startdate="2026-11-02", enddate="2026-11-02").json()
    assert "2026-11-02 17:00:01" == found["data"][0]["requestedTime"]


def test_too_many_requests(start: Callable[..., Server]) -> None:
    """They are refused with the time to wait."""
    running = start(POSTLEDGER_KEY_RATE="2/hour").start()
    answers = [get(running.client, V51, **dict(RANGE)) for _ in range(3)]
    assert [200, 200, 429] == [answer.status for answer in answers]
    assert "Too Many Requests" == error(answers[-1], 429)["message"]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3600


def test_an_address_that_is_too_long(client: Client) -> None:
    """Path and query of 16384 bytes work; longer ones are refused."""
    filling = "x" * (netcore.LONGEST_URI - len(f"{V51}?startdate=2026-11-01&unknown="))
    path = f"{V51}?startdate=2026-11-01&unknown={filling}"
    assert 200 == client.request("GET", path).status
    error(client.request("GET", path + "x"), 414)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(list(GENERATIONS)),
    query=st.lists(
        st.tuples(
            st.sampled_from(["email", "subject", "events[0]", "xapiheader", "tags", "scrollid"]),
            st.binary(max_size=20),
        ),
        max_size=4,
    ),
    raw=st.text("&=;%[]+aZ0é", max_size=12).map(lambda text: quote(text, safe="&=;%[]+")),
)
def test_no_query_is_a_mistake_of_ours(
    client: Client, path: str, query: list[tuple[str, bytes]], raw: str
) -> None:
    """Whatever bytes are sent, the answer is a page or a refusal in the shape of section 7."""
    pairs = "&".join(f"{name}={quote(value)}" for name, value in query)
    answer = client.request("GET", f"{path}?startdate=2026-11-01&{pairs}&{raw}")
    if answer.status == 200:
        assert "success" == answer.json()["status"]
    else:
        error(answer, 400)


def test_slashes(client: Client) -> None:
    """A slash too many finds the path or nothing, and is no mistake of ours."""
    for path in (f"{V51}/", "//v5.1/events", "/v5.1//events"):
        assert get(client, path, **dict(RANGE)).status in {200, 404}


def test_one_question_for_all() -> None:
    """The generations ask the same, but for their defaults."""
    same = (*RANGE, ("limit", "5"), ("sort", "asc"), ("events", "sent"))
    assert 1 == len({asked(*same, path=path).query for path in GENERATIONS})
