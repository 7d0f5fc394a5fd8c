"""SparkPost's and Bird's events API: its tables, its parameters, its rows, its links, and itself
over a real server.

What a request gets is in `cases/sparkpost`; here is what holds for all requests, and what depends
on the present time.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Answer, Client, Server, new_client
from making import event, iso
from postledger import cursor, errors
from postledger.dialects import sparkpost
from postledger.dialects.sparkpost import tables, times
from postledger.dialects.sparkpost.search import INGEST, LISTS, OLD_LISTS
from postledger.dialects.wire import Call
from postledger.errors import BadCursor, BadInput, PostledgerError, StartError, UriTooLong
from postledger.events import EVENT_TYPES, FIELD
from postledger.query import EventQuery, Filter, Match, Place

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PATH = "/api/v1/events/message"
WHOLE = "from=2026-11-01T00:00&to=2026-11-21T00:00"
PARAMETERS = {
    "from", "to", "cursor", "per_page", "delimiter", "event_ids", "events", "recipients",
    "recipient_domains", "from_addresses", "sending_domains", "subjects", "bounce_classes",
    "reasons", "campaigns", "templates", "sending_ips", "ip_pools", "subaccounts", "messages",
    "transmissions", "mailbox_providers", "mailbox_provider_regions", "ab_tests",
    "ab_test_versions",
}  # fmt: skip
OLD_PARAMETERS = {
    "bounce_classes", "campaign_ids", "delimiter", "events", "friendly_froms", "from",
    "message_ids", "page", "per_page", "reason", "recipients", "subaccounts", "template_ids",
    "timezone", "to", "transmission_ids",
}  # fmt: skip


def call(*pairs: tuple[str, str], **others: Any) -> Call:
    made: dict[str, Any] = {"path": PATH, "now": NOW, "pairs": pairs, "workspace": "w"}
    return Call(**made | others)


def ask(client: Client, path: str, **headers: str) -> Answer:
    return client.request("GET", path, None, headers)


def found(client: Client, query: str, path: str = PATH) -> Any:
    return client.get(f"{path}?{query}")


def filters(**given: str) -> tuple[Filter, ...]:
    return sparkpost.search(call(*given.items())).query.filters[1:]


def parameters(path: str) -> set[str]:
    operation = next(each for each in sparkpost.OPERATIONS if each.path == path)
    return {parameter.name for parameter in operation.parameters}


# -- tables


def test_types_have_our_names() -> None:
    """Every type of ours is decided; those that the API can say are said by the same name."""
    assert list(EVENT_TYPES) == list(sparkpost.TYPES)
    assert tables.SERVED.keys() == {name for name in sparkpost.TYPES.values() if name}
    assert all(name in {None, ours} for ours, name in sparkpost.TYPES.items())


def test_every_field_of_ours_is_decided() -> None:
    """A field is served, or there is a reason why not."""
    assert not tables.UNSAID.keys() & sparkpost.FIELDS.keys()
    assert FIELD.keys() - {"type"} <= tables.UNSAID.keys() | sparkpost.FIELDS.keys()


def test_types_have_known_fields() -> None:
    """A type's fields are in the tables, each once; every field belongs to a type."""
    known = tables.FIELDS | tables.WEBHOOK_FIELDS
    types = tables.SERVED | tables.WEBHOOK_EVENTS
    for kind in types.values():
        assert len(kind.fields) == len(set(kind.fields))
        assert kind.group in tables.GROUPS
    assert known.keys() == {field for kind in types.values() for field in kind.fields}
    assert tables.FIELDS.keys() == {f for kind in tables.SERVED.values() for f in kind.fields}


@pytest.mark.parametrize(
    ("kind", "has", "has_not"),
    [
        ("injection", "sms_text subject recv_method", "queue_time num_retries reason"),
        ("delivery", "outbound_tls queue_time device_token", "reason bounce_class"),
        ("delay", "queue_time outbound_tls reason", "ab_test_id ab_test_version"),
        ("bounce", "bounce_class device_token", "ab_test_id queue_time outbound_tls"),
        ("out_of_band", "ab_test_id queue_time", "rcpt_type amp_enabled outbound_tls"),
        ("spam_complaint", "fbtype report_by report_to", "recv_method click_tracking"),
        ("policy_rejection", "remote_addr message_id", "msg_size subject routing_domain"),
        ("generation_failure", "rcpt_subs recv_method", "message_id subject bounce_class"),
        ("generation_rejection", "rcpt_subs subject bounce_class", "message_id msg_size"),
        ("amp_initial_open", "geo_ip user_agent", "recv_method target_link_url"),
        ("amp_click", "target_link_name geo_ip", "recv_method"),
        ("list_unsubscribe", "ip_address num_retries mailfrom", "delv_method user_agent"),
        ("link_unsubscribe", "user_agent target_link_url delv_method", "geo_ip"),
    ],
)
def test_the_matrix(kind: str, has: str, has_not: str) -> None:
    """Which fields a type carries, where similar types differ (section 6)."""
    fields = set(tables.SERVED[kind].fields)
    assert set(has.split()) <= fields
    assert not fields & set(has_not.split())
    assert {"timestamp", "event_id", "customer_id", "mailbox_provider"} <= fields


def test_parameters_are_those_of_the_contract() -> None:
    """All 25 of the search, and `page` and `timezone`; those of the older search and of ingest."""
    assert 25 == len(PARAMETERS)
    assert {*PARAMETERS, "page", "timezone"} == parameters(sparkpost.MESSAGE)
    assert parameters(sparkpost.MESSAGE) == parameters(sparkpost.BIRD)
    assert OLD_PARAMETERS == parameters(sparkpost.OLD)
    assert parameters(sparkpost.INGEST_PATH) == INGEST
    keywords = {n for n, each in LISTS.items() if each.match is Match.TOKENS}
    assert keywords == {
        "subjects", "reasons", "campaigns", "templates", "ip_pools", "mailbox_providers",
        "mailbox_provider_regions", "ab_tests",
    }  # fmt: skip


# -- failures and keys

FAILURES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, PostledgerError)
    and not issubclass(kind, StartError)
    and kind is not PostledgerError
]


@pytest.mark.parametrize("kind", FAILURES)
def test_every_failure_has_its_shape(kind: type[PostledgerError]) -> None:
    """A status, and one element in `errors` with a text."""
    assert kind in sparkpost.STATUS
    reply = sparkpost.refuse(kind("why"), call())
    (element,) = json.loads(bytes(reply.body))["errors"]  # type: ignore[arg-type]
    assert 400 <= reply.status < 600
    assert element["message"]
    assert element.keys() <= {"message", "code", "description"}
    assert all(isinstance(value, str) for value in element.values())
    assert ("Retry-After" in reply.headers) == (reply.status in {429, 503})


def test_too_many_requests() -> None:
    """The text is what sparkyEvents compares before it tries again."""
    reply = sparkpost.refuse(errors.RateLimited("slow down", retry_after=7), call())
    assert (429, {"Retry-After": "7"}) == (reply.status, reply.headers)
    assert {"errors": [{"message": "Too many requests"}]} == json.loads(bytes(reply.body))  # type: ignore[arg-type]


def test_a_failure_of_another_kind_is_told_as_its_nearest() -> None:
    """A subclass that the table does not have falls back to the class above it."""

    class Worse(BadInput):
        pass

    assert 400 == sparkpost.refuse(Worse("why"), call()).status


@pytest.mark.parametrize(
    "value", ["k1", " k1 ", "AccessKey k1", "accesskey  k1", "Bearer k1",
              "Basic " + b64encode(b"k1:").decode(), "basic " + b64encode(b"k1:pass:word").decode()]
)  # fmt: skip
def test_keys(value: str) -> None:
    """Three documented ways to send the key, and Bearer."""
    assert "k1" == sparkpost.key(call(headers={"authorization": value}))


@pytest.mark.parametrize("value", [None, "", " ", "Basic", "Basic ***", "Basic Og==", "Bearer "])
def test_no_key(value: str | None) -> None:
    """What carries no key is refused, and not as a mistake of ours."""
    headers = {} if value is None else {"authorization": value}
    with pytest.raises(errors.Unauthenticated):
        sparkpost.key(call(headers=headers))


# -- questions


def test_defaults() -> None:
    """A day up to a minute ago, 1,000 of the documented types, newest first."""
    query = sparkpost.search(call()).query
    types = Filter("type", Match.EQUAL, tuple(tables.EVENTS))
    start, end = NOW - timedelta(hours=24), NOW - timedelta(minutes=1)
    assert EventQuery("w", start, end, (types,), limit=1000) == query
    assert sparkpost.old_search(call()).query == query
    assert "initial_click" not in tables.EVENTS


def test_a_start_after_the_default_end() -> None:
    """Who asks for what came since a moment ago gets nothing yet, not a failure."""
    since = NOW - timedelta(seconds=10)
    query = sparkpost.search(call(("from", times.text_of(since)))).query
    assert (since, since) == (query.start, query.end)


def test_an_end_before_the_default_start() -> None:
    """An end of long ago needs a start beside it."""
    with pytest.raises(BadInput, match=r"^to: is earlier than from, 2026-11-19T09:30"):
        sparkpost.search(call(("to", "2026-11-01T00:00:00Z")))


def test_each_list_is_a_filter() -> None:
    """Each list compares its field in its way."""
    integers = {"bounce_classes", "subaccounts", "ab_test_versions"}
    for name, column in LISTS.items():
        beside = {"ab_tests": "x"} if name == "ab_test_versions" else {}
        text = "7, 8" if name in integers else " a , b,,"
        (*_, last) = filters(**beside, **{name: text})
        assert (column.field, column.match) == (last.field, last.match)
        assert tuple(str(value).strip() for value in last.values) == tuple(
            part.strip() for part in text.split(",") if part.strip()
        )
        assert not filters(**{name: " , ,"})


def test_addresses_are_lower_case() -> None:
    """Recipients are compared with `rcpt_to` (U-11); a raw plus that came as a space is a plus."""
    (found_,) = filters(recipients="Ann List@X.example,<bob@x.example>")
    assert Filter("rcpt_to", Match.EQUAL, ("ann+list@x.example", "bob@x.example")) == found_


def test_the_primary_account() -> None:
    """Sub-account 0 is the primary one, whose events may have no sub-account."""
    assert ("0", "", "5") == filters(subaccounts="0,5")[0].values


@pytest.mark.parametrize(
    "text",
    ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+01:00", "2026-13-01T00:00:00Z", "1700000000",
     "2026-11-01T00:00:00ZZ", "2026-11-01T", "T00:00", "\uff12026-11-01T00:00:00Z", "\0"],
)  # fmt: skip
def test_times_that_are_none(text: str) -> None:
    """They are refused by name."""
    with pytest.raises(BadInput, match=r"^from: "):
        sparkpost.search(call(("from", text)))


@pytest.mark.parametrize(
    "text",
    ["2026-11-01T10:00:00Z", "2026-11-01T10:00", "2026-11-01T10:00:00", "2026-11-01T10:00:00.000Z",
     "2026-11-01T10:00Z", "2026-11-01T12:00:00+02:00", "2026-11-01T12:00:00 0200",
     "2026-11-01T05:30:00.0000000-04:30", "2026-11-01 10:00:00", "2026-11-01t10:00:00z"],
)  # fmt: skip
def test_forms_of_a_time(text: str) -> None:
    """Seconds, fraction and zone may be absent; a space before an offset was a plus."""
    query = sparkpost.search(call(("from", text))).query
    assert datetime(2026, 11, 1, 10, tzinfo=UTC) == query.start


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "America", "\0", "x" * 5000, "Mars/X"])
def test_time_zones_that_are_none(name: str) -> None:
    """They are refused by name; a blank one is none at all."""
    asked = call(("timezone", name), ("from", "2026-11-19T10:00"))
    if not name:
        assert sparkpost.search(asked)
        return
    with pytest.raises(BadInput, match=r"^timezone: "):
        sparkpost.search(asked)


def test_wildcards_of_the_older_search() -> None:
    """Every piece between the wildcards must be there."""
    query = sparkpost.old_search(call(("reason", "%mail box%full%"))).query
    pieces = [Filter("reason", Match.CONTAINS, (text,)) for text in ("mail box", "full")]
    assert pieces == list(query.filters[1:])
    assert len(sparkpost.old_search(call(("reason", "%%"))).query.filters) == 1
    assert {"campaign_id", "template_id"} <= {each.field for each in OLD_LISTS.values()}


# -- links

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.sampled_from([n for n in LISTS if n not in {"subaccounts", "bounce_classes"}])
ASKED = st.lists(
    st.tuples(NAMES, TEXTS).filter(lambda pair: pair[0] != "ab_test_versions"), max_size=5
)
PLACE = Place(NOW - timedelta(hours=2), "e-ż'7")


def next_of(search: sparkpost.Search, place: Place = PLACE) -> str:
    body = json.loads(bytes(sparkpost.found(search, b"[]", place, 9).body))  # type: ignore[arg-type]
    link: str = body["links"]["next"]
    return link


def following(link: str, now: datetime = NOW, workspace: str = "w") -> sparkpost.Search:
    parts = urlsplit(link)
    pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return sparkpost.search(Call(unquote(parts.path), now, pairs, workspace=workspace))


@given(pairs=ASKED, per_page=st.integers(1, 10_000), page=st.integers(1, 3))
def test_a_link_asks_the_same(pairs: Any, per_page: int, page: int) -> None:
    """The question of a link is the question before it, from the place where that ended."""
    more = (("per_page", str(per_page)), ("page", str(page)))
    before = sparkpost.search(call(*pairs, *more))
    after = following(next_of(before), NOW + timedelta(hours=5))
    kept = {"workspace", "start", "end", "filters", "alternatives", "limit", "descending"}
    for name in kept:
        assert getattr(before.query, name) == getattr(after.query, name)
    assert (PLACE, 0) == (after.query.after, after.query.offset)
    assert before.pairs == after.pairs


@given(pairs=ASKED)
def test_a_link_works_however_a_client_takes_it_apart(pairs: Any) -> None:
    """As Java's client does: decode the query, split it at `&`, then at `=`."""
    before = sparkpost.search(call(("campaigns", "a&b=c"), *pairs))
    query = unquote(urlsplit(next_of(before)).query)
    part = next(part for part in query.split("&") if part.startswith("cursor="))
    name, _, text = part.partition("=")
    broken = call(("campaigns", "a"), ("b", "c"), (name, text))
    assert before.query.filters == sparkpost.search(broken).query.filters


def test_the_size_of_a_later_page_may_change() -> None:
    """`per_page` beside a cursor counts; without it, that of the page before."""
    link = next_of(sparkpost.search(call(("per_page", "7"))))
    text = dict(parse_qsl(urlsplit(link).query))["cursor"]
    assert 7 == sparkpost.search(call(("cursor", text))).query.limit
    assert 3 == sparkpost.search(call(("cursor", text), ("per_page", "3"))).query.limit


def test_cursors_of_others() -> None:
    """A cursor of another workspace, or a damaged one, is refused."""
    link = next_of(sparkpost.search(call()))
    with pytest.raises(BadCursor):
        following(link, workspace="other")
    text = dict(parse_qsl(urlsplit(link).query))["cursor"]
    for number in range(len(text)):
        damaged = text[:number] + ("A" if text[number] != "A" else "B") + text[number + 1 :]
        with pytest.raises(BadCursor):
            sparkpost.search(call(("cursor", damaged)))


@pytest.mark.parametrize(
    "marks",
    [[], [1, 2, 3], [1, 2, 5, 10**18, "e", ""], [1, 2, 5, 3, "e", "not base85 \\"],
     [1, 2, 5, 3, "e", "00"], ["1", 2, 5, 3, "e", ""], [1, 2, 5, 3, 4, ""]],
)  # fmt: skip
def test_cursors_that_were_made_up(marks: list[Any]) -> None:
    """A cursor whose digest is right, and which says nonsense, is refused too."""
    text = cursor.encode(["sparkpost", "w"], marks)
    with pytest.raises(BadCursor):
        sparkpost.search(call(("cursor", text)))


def long_list(length: int) -> str:
    """Recipients of so many characters."""
    text = ",".join(f"someone.{number * 7919}@mail{number % 9}.example" for number in range(300))
    return text[:length]


@pytest.mark.parametrize("length", [10, 1000, 2000, 3000, 4000])
def test_links_are_no_longer_than_an_address_may_be(length: int) -> None:
    """A link to a page of a long question fits, and asks the same."""
    before = sparkpost.search(call(("recipients", long_list(length)), path=PATH + "/"))
    link = next_of(before)
    assert len(link) <= sparkpost.LONGEST_URI
    assert before.query.filters == following(link).query.filters


def test_a_link_that_cannot_be_short_enough() -> None:
    """It is said so, instead of a link that would be refused."""
    noise = "".join(chr(0x4E00 + number * 37 % 20000) for number in range(2500))
    with pytest.raises(UriTooLong):
        next_of(sparkpost.search(call(("subjects", noise))))


# -- rows


def rendered(event_: dict[str, Any], **options: Any) -> dict[str, Any]:
    line = json.dumps({"event_id": "e", "timestamp": iso(NOW)} | event_).encode()
    (row,) = json.loads(sparkpost.rows([line], **options))
    made: dict[str, Any] = row
    return made


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("101", 101), ("2147483647", 2147483647), ("2147483648", "2147483648"),
     ("007", "007"), ("-1", "-1"), ("eu-1", "eu-1"), ("", ""), ("٣", "٣"),
     ("9" * 5000, "9" * 5000)],
)  # fmt: skip
def test_ids(text: str, value: object) -> None:
    """Ids of account and sub-account are integers where they are ones of 32 bits."""
    row = rendered({"type": "open", "customer_id": text, "subaccount_id": text})
    assert (value, value) == (row["customer_id"], row["subaccount_id"])


@pytest.mark.parametrize(
    ("given_", "value"),
    [("39.1749", 39.1749), (39.1749, 39.1749), ("-7", -7), ("north", "north"),
     ("1e9", "1e9"), ("02134", "02134"), ({}, {})],
)  # fmt: skip
def test_coordinates(given_: object, value: object) -> None:
    """Numbers as strings are numbers; a code with a leading zero stays a string."""
    place = {"latitude": given_, "longitude": given_, "zip": given_, "country": "5"}
    row = rendered({"type": "click", "geo_ip": place})
    assert {"latitude": value, "longitude": value, "zip": value, "country": "5"} == row["geo_ip"]
    line = json.dumps({"type": "open", "event_id": "e", "timestamp": "t", "geo_ip": place})
    (old,) = json.loads(sparkpost.old_rows([line.encode()]))
    assert not isinstance(old["geo_ip"].get("zip"), int | float)


def test_parts_of_a_place_that_have_no_value() -> None:
    """Are left out, and a place without any."""
    nothing = {"latitude": None, "longitude": "", "zip": None, "city": None}
    place = nothing | {"country": ""}
    line = b'{"type":"open","event_id":"e","timestamp":"t","geo_ip":%b}'
    for made, expected in ((place, {"country": ""}), (nothing, None)):
        assert expected == rendered({"type": "click", "geo_ip": made}).get("geo_ip")
        (old,) = json.loads(sparkpost.old_rows([line % json.dumps(made).encode()]))
        assert expected == old.get("geo_ip")


@pytest.mark.parametrize(
    ("given_", "value"), [(1, "1"), (True, "1"), (False, "0"), ("1", "1"), ("TLSv1.3", "TLSv1.3")]
)
def test_encryption_is_a_string(given_: object, value: str) -> None:
    """Whatever came in."""
    assert value == rendered({"type": "delivery", "outbound_tls": given_})["outbound_tls"]


def test_nothing_is_null() -> None:
    """A field that came as null has no value, and is left out; data of the sender is its own."""
    row = rendered(
        {
            "type": "delivery",
            "outbound_tls": None,
            "device_token": None,
            "sms_remoteids": None,
            "rcpt_meta": {"a": None},
        }
    )
    assert {"type", "event_id", "timestamp", "rcpt_meta"} == row.keys()
    assert {"a": None} == row["rcpt_meta"]


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 101])
def test_rows_in_pieces(count: int) -> None:
    """All rows are there, in their order, however many there are."""
    lines = [json.dumps(event(number)).encode() for number in range(count)]
    for render in (sparkpost.rows, sparkpost.old_rows):
        assert [f"e{n:06}" for n in range(count)] == [
            row["event_id"] for row in json.loads(render(lines))
        ]


@pytest.fixture(scope="module")
def whole(server: Server) -> Client:
    """A client of a workspace with an event of each type, of a message of its own, each with every
    field there is."""
    client = new_client(server)
    samples = {field: each.sample for field, each in tables.FIELDS.items()}
    fields = {name: field.sample for name, field in FIELD.items()} | samples
    made = [
        fields
        | {"type": name, "event_id": name, "message_id": name, "timestamp": "2026-11-19T10:00:00Z"}
        for name in tables.SERVED
    ]
    assert len(made) == client.store(*made)["accepted"]
    return client


@pytest.mark.parametrize("name", tables.SERVED)
def test_a_type_has_its_fields(name: str, whole: Client) -> None:
    """Of an event with every field there is, the row has those of its type, in their JSON form."""
    rows = found(whole, f"{WHOLE}&events={name}")["results"]
    (row,) = (row for row in rows if row["event_id"] == name)
    assert {"type", *tables.SERVED[name].fields} == row.keys()
    assert name == row["type"]
    for field, value in row.items():
        if field != "type":
            assert _has_form(value, tables.FIELDS[field].form), (field, value)


def _has_form(value: object, form: tables.Form) -> bool:
    kinds: dict[tables.Form, type | tuple[type, ...]] = {
        tables.Form.FLAG: bool,
        tables.Form.ID: int,
        tables.Form.TEXTS: list,
        tables.Form.OBJECT: dict,
        tables.Form.KEPT: object,
    }
    if form is tables.Form.PLACE and isinstance(value, dict):
        return all(isinstance(value[n], int | float) for n in ("latitude", "longitude", "zip"))
    if form is tables.Form.TIME:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(value)))
    return isinstance(value, kinds.get(form, str))


def test_samples_are_what_documentation_says() -> None:
    """The sample of a type has the fields that its documentation has, and those of its rows."""
    described = json.loads(bytes(sparkpost.documentation(call()).body))["results"]  # type: ignore[arg-type]
    samples = json.loads(bytes(sparkpost.samples(call()).body))["results"]  # type: ignore[arg-type]
    assert list(tables.SERVED) == [each["type"]["sampleValue"] for each in described]
    for fields, sample in zip(described, samples, strict=True):
        assert {name: each["sampleValue"] for name, each in fields.items()} == sample
        assert {"type", *tables.SERVED[sample["type"]].fields} == sample.keys()
        assert not [v for v in sample.values() if isinstance(v, int) and not isinstance(v, bool)]


# -- keyword search, by the engine

VALUES = [
    "friday", "black-friday", "blackfriday", "friday-2018", "Friday_2018-11", "friday.2018", "a",
    "a-b", "a b_c", "b-a", "--a--", "x.y-z", "ŻÓŁW-Łódź", "żółw", "a+b", "(a)", "a\\b", "^a$",
    "a\nb",
    "a  b", "_", "5.4.7", "15.4.71", "550 5.4.7 no", "5.4.7-x",
]  # fmt: skip


def tokens(text: str, separators: str) -> list[str]:
    return [each for each in re.split(f"[{re.escape(separators)}]", text.lower()) if each]


def matches(value: str, asked: str, separators: str) -> bool:
    """Section 3.1, and U-10: the tokens of what is asked stand together, whole, in their order."""
    have, want = tokens(value, separators), tokens(asked, separators)
    return bool(want) and any(
        have[n : n + len(want)] == want for n in range(len(have) - len(want) + 1)
    )


@pytest.fixture(scope="module")
def keyworded(server: Server) -> Client:
    """A client of a workspace with an event for each of `VALUES`."""
    client = new_client(server)
    made = [
        event(n, timestamp="2026-11-19T10:00:00Z", campaign_id=value, sending_domain=value)
        for n, value in enumerate(VALUES)
    ]
    client.store(*made)
    return client


@pytest.mark.parametrize(
    ("parameter", "field", "separators"),
    [("campaigns", "campaign_id", " -_"), ("sending_domains", "sending_domain", " -_.")],
)
@pytest.mark.parametrize("asked", VALUES)
def test_keywords(
    keyworded: Client, parameter: str, field: str, separators: str, asked: str
) -> None:
    """The engine finds what the contract's three steps find."""
    query = urlencode({parameter: asked, "delimiter": "|"})
    rows = found(keyworded, f"{WHOLE}&{query}")["results"]
    expected = {value for value in VALUES if matches(value, asked, separators)}
    assert expected == {row[field] for row in rows}


# -- over a real server


def test_the_present(client: Client) -> None:
    """Without parameters, a day up to a minute ago; later pages keep that range."""
    now = datetime.now(UTC)
    ages = {"new": 0.1, "a": 2, "b": 600, "c": 60 * 24 - 5, "old": 60 * 24 + 1}
    client.store(
        *(event(1, event_id=n, timestamp=iso(now - timedelta(minutes=m))) for n, m in ages.items())
    )
    first = found(client, "per_page=2")
    assert ["a", "b"] == [row["event_id"] for row in first["results"]]
    second = client.get(first["links"]["next"])
    assert ["c"] == [row["event_id"] for row in second["results"]]
    assert (3, 3, {}) == (first["total_count"], second["total_count"], second["links"])
    assert "from=" not in first["links"]["next"]


def test_paging_loses_and_repeats_nothing(client: Client) -> None:
    """To the end by links, of whatever size, on both paths, with equal times; by numbers too."""
    ids = [f"e{n:06}" for n in range(23)]
    client.store(*(event(n, timestamp=f"2026-11-19T10:00:0{n % 3}Z") for n in range(23)))
    mounts = (PATH, "/api/workspaces/any-id/reach/events/message")
    for path in mounts:
        for size in (1, 5, 22, 23, 24):
            listed, link = [], f"{path}?{WHOLE}&per_page={size}&cursor=initial"
            while link:
                page = client.get(link)
                assert 23 == page["total_count"]
                assert link.startswith(path)
                listed += [row["event_id"] for row in page["results"]]
                link = page["links"].get("next")
            assert ids == sorted(listed)
    numbered = [found(client, f"{WHOLE}&per_page=10&page={n}")["results"] for n in (1, 2, 3, 4)]
    assert [10, 10, 3, 0] == [len(page) for page in numbered]
    assert ids == sorted(row["event_id"] for page in numbered for row in page)


def test_a_page_grows_while_it_is_read(client: Client) -> None:
    """Events that come in between are neither in later pages nor do they move them."""
    client.store(*(event(n, timestamp=f"2026-11-19T10:00:{n:02}Z") for n in range(10)))
    first = found(client, f"{WHOLE}&per_page=4")
    client.store(event(50, timestamp="2026-11-19T10:00:50Z"))
    second = client.get(first["links"]["next"])
    assert ["e000005", "e000004", "e000003", "e000002"] == [
        row["event_id"] for row in second["results"]
    ]


def test_the_workspace_is_the_keys(server: Server) -> None:
    """An id in the path opens nothing, and a link of another's key is refused."""
    mine, other = new_client(server), new_client(server)
    mine.store(*(event(n, timestamp="2026-11-19T10:00:00Z") for n in range(3)))
    workspace = "/api/workspaces/default/reach/events/message"
    assert 3 == found(mine, WHOLE, workspace)["total_count"]
    assert 0 == found(other, WHOLE, workspace)["total_count"]
    link = found(mine, f"{WHOLE}&per_page=1")["links"]["next"]
    assert 400 == ask(other, link).status


def test_the_right_to_read_is_needed(server: Server) -> None:
    """A key that may only write is forbidden to search."""
    answer = ask(new_client(server, ("events:write",)), PATH)
    assert (403, {"errors": [{"message": "Forbidden."}]}) == (answer.status, answer.json())


def test_too_many_requests_over_the_wire(start: Callable[..., Server]) -> None:
    """The exact text, and when to try again."""
    client = start(POSTLEDGER_KEY_RATE="1/hour").start().client
    assert 200 == ask(client, PATH).status
    answer = ask(client, PATH)
    assert 429 == answer.status
    assert b'{"errors":[{"message":"Too many requests"}]}' == answer.body
    assert int(answer.headers["retry-after"]) > 0


def test_the_longest_address(client: Client) -> None:
    """4,096 bytes are answered, links of it too; one more is not."""
    people = long_list(5000).split(",")
    client.store(*(event(n, timestamp="2026-11-19T10:00:00Z", rcpt_to=people[n]) for n in range(3)))
    head = f"{PATH}?{WHOLE}&per_page=2&recipients="
    target = (head + ",".join(people))[: sparkpost.LONGEST_URI]
    answer = ask(client, target)
    assert (200, 3) == (answer.status, answer.json()["total_count"])
    last = client.get(answer.json()["links"]["next"])
    assert (1, 3) == (len(last["results"]), last["total_count"])
    longer = ask(client, target + "x")
    assert (414, "application/json") == (longer.status, longer.headers["content-type"])
    assert "4096" in longer.json()["errors"][0]["description"]


def test_documentation_is_open(server: Server) -> None:
    """It needs no key, and a wrong one does no harm; all else needs one."""
    nobody = Client(server.client.address, "")
    assert 200 == ask(nobody, f"{PATH}/documentation", Authorization="wrong").status
    for operation in sparkpost.OPERATIONS:
        path = operation.path.replace("{workspaceId}", "w")
        expected = 200 if operation.scope is None else 401
        assert expected == ask(nobody, path).status
        assert expected == ask(nobody, path + "/").status


def test_what_sparkpost_hands_in_comes_back(client: Client) -> None:
    """Events that came as SparkPost's lines are found as they were."""
    given_ = {
        "type": "delivery", "event_id": "92356927693813856", "timestamp": "1795082400",
        "customer_id": "1", "subaccount_id": "101", "msg_size": "1337", "num_retries": "2",
        "queue_time": "12", "outbound_tls": "1", "transactional": "1", "amp_enabled": True,
        "rcpt_to": "recipient@example.com", "raw_rcpt_to": "Recipient@example.com",
        "rcpt_meta": {"customKey": "customValue", "anotherKey": ["value1", 2]}, "rcpt_tags": [],
        "sms_remoteids": ["0000"], "template_version": "1", "message_id": "000443ee14578172be22",
    }  # fmt: skip
    line = json.dumps({"msys": {"message_event": given_}}).encode()
    assert 200 == client.post(line, "/api/v1/ingest/events").status
    (row,) = found(client, WHOLE)["results"]
    changed = {"timestamp": "2026-11-19T10:00:00.000Z", "customer_id": 1, "subaccount_id": 101}
    assert given_ | changed == {name: row[name] for name in given_}
