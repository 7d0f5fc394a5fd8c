"""Reading events: section 5 of the native contract."""

import re
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from conftest import Client, problem
from making import ALL_TIME, Event, event, examples, iso
from postledger.events import FIELD, Kind
from postledger.query import FILTERS, Match

EVENTS = "/ledger/v1/events"
FEED = "/ledger/v1/feed"
_RUNS = count()
_SLOW = examples(
    15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def ids(client: Client, query: str = "", /, **parameters: Any) -> list[str]:
    """Ids of the events that a query finds, of all times unless it says which."""
    asked = urlencode(parameters, doseq=True)
    parts = [part for part in (query, asked) if part]
    if not re.search(r"(^|&)from=", query):
        parts.append(ALL_TIME)
    found = client.get(f"{EVENTS}?{'&'.join(parts)}&order=asc&limit=10000")
    return [event["event_id"] for event in found["events"]]


def with_filter(client: Client, name: str, values: Any) -> list[str]:
    """Ids of the events that one filter finds."""
    return ids(client, urlencode({name: values}, doseq=True))


def refused(client: Client, path: str, *parameters: str) -> dict[str, Any]:
    """The problem document of a request that is refused for these parameters."""
    told = problem(client.request("GET", path), 400)
    assert set(parameters) == {error["parameter"] for error in told["errors"]}, told
    assert any(name in told["detail"] for name in parameters)
    return told


# -- filters

EQUAL = [name for name, (_, match) in FILTERS.items() if match is Match.EQUAL]


def _three(name: str) -> list[Any]:
    field = FIELD[FILTERS[name][0]]
    if name == "type":
        return ["bounce", "open", "click"]
    if field.kind is Kind.INTEGER:
        return [10, -3, 2**40]
    if name == "recipient":
        return ["a@x.example", "b@x.example", "ä'\"\\{p0}\0 \t%@x.example"]
    return ["one", "One", "ä'\"\\{p0:String}\0 \t%_"]


@pytest.mark.parametrize("name", EQUAL)
def test_equal(client: Client, name: str) -> None:
    """A filter finds the events whose field equals its value, or any of its values."""
    field, values = FILTERS[name][0], _three(name)
    made = [event(n) | {field: value} for n, value in enumerate(values)]
    client.store(*made, event(9) | ({"type": "delay"} if name == "type" else {}))
    names = [e["event_id"] for e in made]
    if name == "event_id":
        names = values
    for value, found in zip(values, names, strict=True):
        assert [found] == with_filter(client, name, value)
    assert names[:2] == with_filter(client, name, values[:2])
    assert names[1:] == with_filter(client, name, [values[2], values[1], values[1]])
    nothing = "cancelled" if name == "type" else 77
    assert [] == with_filter(client, name, nothing)


def test_empty_values(client: Client) -> None:
    """An empty value finds events without the field, where texts are compared by equality."""
    filled = {FILTERS[name][0]: "x" for name in EQUAL} | {"type": "open", "bounce_class": 10}
    client.store(event(1), event(2) | filled | {"subject": "x", "reason": "x", "rcpt_tags": ["x"]})
    for name in FILTERS:
        if name in {"type", "bounce_class"}:
            refused(client, f"{EVENTS}?{name}=", name)
            continue
        nothing = name in {"subject", "reason", "tag", "event_id"}
        assert ([] if nothing else ["e000001"]) == with_filter(client, name, ""), name


def test_recipient_in_any_case(client: Client) -> None:
    """A recipient is found however its letters are written, in the event and in the question."""
    client.store(event(1, rcpt_to="Ann.Ödön@X.example"))
    assert ["e000001"] == ids(client, recipient="aNN.öDÖN@x.EXAMPLE")


def test_derived_domains_are_found(client: Client) -> None:
    """Domains that were derived from addresses are found as those that were sent."""
    client.store(
        event(1, rcpt_to="a@X.example", friendly_from="News <n@Shop.example>"),
        event(2, recipient_domain="x.example", msg_from="b@shop.example"),
    )
    assert ["e000001", "e000002"] == ids(client, recipient_domain="x.example")
    assert ["e000001", "e000002"] == ids(client, sending_domain="shop.example")


def test_tag(client: Client) -> None:
    """A tag finds the events that have it among theirs."""
    client.store(event(1, rcpt_tags=["vip", "winter"]), event(2, rcpt_tags=["vip"]), event(3))
    assert ["e000001", "e000002"] == ids(client, tag="vip")
    assert ["e000001"] == ids(client, tag="winter")
    assert ["e000001", "e000002"] == ids(client, tag=["winter", "vip"])
    assert [] == ids(client, tag="vi")


def test_several_parameters(client: Client) -> None:
    """Several parameters must all match, each with any of its values."""
    client.store(
        *(
            event(10 * t + c, type=kind, campaign_id=campaign)
            for t, kind in enumerate(["open", "click", "bounce"])
            for c, campaign in enumerate(["a", "b", "c"])
        )
    )
    found = ids(client, type=["open", "click"], campaign_id=["a", "c"])
    assert ["e000000", "e000002", "e000010", "e000012"] == found
    assert ["e000021"] == ids(client, type="bounce", campaign_id="b")


WORDS = [
    ("550 5.1.1 User unknown", "user unknown", True),
    ("550 5.1.1 User unknown", "USER  Unknown", True),
    ("550 5.1.1 User unknown", "unknown user", False),
    ("550 5.1.1 User unknown", "user", True),
    ("550 5.1.1 User unknown", "use", False),
    ("550 5.1.1 User unknown", "know", False),
    ("550 5.1.1 User unknown", "5.1.1", True),
    ("550 5.1.1 User unknown", "5 1 1", True),
    ("550 5.1.1 User unknown", "550 user", False),
    ("550 5.1.1 User unknown", "50", False),
    ("550 5.1.1 User unknown", "550-5.1.1", True),
    ("User (unknown), sorry", "user unknown sorry", True),
    ("user_unknown", "unknown", True),
    ("user_unknown", "user unknown", True),
    ("user unknown", "user_unknown", True),
    ("first\nsecond", "first second", True),
    ("Zażółć GĘŚLĄ jaźń", "gęślą JAŹŃ", True),
    ("Zażółć GĘŚLĄ jaźń", "gęśl", False),
    ("Привет, МИР", "мир", True),
    ("Привет, МИР", "ми", False),
    ("ÜBER alles", "über", True),
    ("価格 のお知らせ", "価格", True),
    ("50% off (today) [a]*", "off today a", True),
    ("50% off", "50%", True),
    ("a.b", "a\\b", True),
    ("axb", "a.b", False),
    ("x", ".", False),
    ("x", "\\w", False),
    ("winter winter coats", "winter coats", True),
    ("coats", "coats coats", False),
    ("don't", "don t", True),
    ("“Winter”—coats", "winter coats", True),
    ("winteré coats", "winter", False),
    ("éwinter coats", "winter coats", False),
    ("winterécoats", "winter coats", False),
    ("Winter \u017fale", "sale", True),  # a long s
    ("Winter \u017fale", "winter sale", True),
    ("273 \u212a", "k", True),  # the sign of kelvin
    ("273 \u212a", "273 K", True),
    ("coats in winter", "winter coats", False),
]


@pytest.mark.parametrize("name", ["subject", "reason"])
def test_words(client: Client, name: str) -> None:
    """`subject` and `reason` find whole words in order, in any case of letters of any script."""
    texts = list(dict.fromkeys(text for text, _, _ in WORDS))
    client.store(*(event(n) | {name: text} for n, text in enumerate(texts)))
    for text, asked, found in WORDS:
        mine = f"e{texts.index(text):06}" in with_filter(client, name, asked)
        assert found == mine, (text, asked)


def test_words_of_several_values(client: Client) -> None:
    """Several values of `subject`: any of them."""
    client.store(
        event(1, subject="red coat"), event(2, subject="blue hat"), event(3, subject="hat")
    )
    assert ["e000001", "e000002"] == ids(client, subject=["coat", "blue hat"])


def test_nothing_to_look_for(client: Client) -> None:
    """A text without a word finds nothing."""
    client.store(event(1, subject="..."), event(2, subject="a"))
    assert [] == ids(client, subject="...")
    assert [] == ids(client, subject="")


# -- order, limits, range


def test_order(client: Client) -> None:
    """The newest comes first unless `asc` is asked for; equal times go by id."""
    client.store(event(2), event(1), event(1, event_id="b"), event(1, event_id="a"))
    down = ["e000002", "e000001", "b", "a"]
    for order, expected in (("", down), ("&order=desc", down), ("&order=asc", down[::-1])):
        found = client.get(f"{EVENTS}?{ALL_TIME}{order}")["events"]
        assert expected == [e["event_id"] for e in found]


def test_limits(client: Client) -> None:
    """`limit` is 1 to 10,000, and 100 unless given; `next` is null on the last page only."""
    client.store(*(event(number) for number in range(101)))
    for asked, got, more in (
        ("", 100, True),
        ("&limit=1", 1, True),
        ("&limit=100", 100, True),
        ("&limit=101", 101, False),
        ("&limit=10000", 101, False),
    ):
        page = client.get(f"{EVENTS}?{ALL_TIME}{asked}")
        assert (got, more) == (len(page["events"]), page["next"] is not None)
    for bad in ("0", "10001", "-1", "1.5", "ten", "", "1e3", "٣", "+5", " 5"):
        refused(client, f"{EVENTS}?limit={quote(bad)}", "limit")
        refused(client, f"{FEED}?limit={quote(bad)}", "limit")


def test_total(client: Client) -> None:
    """`total` tells the number of all matches, on each page, and only when asked for."""
    client.store(*(event(number, type="open") for number in range(25)), event(99))
    path = f"{EVENTS}?{ALL_TIME}&type=open&limit=10"
    assert "total" not in client.get(path)
    assert "total" not in client.get(path + "&total=false")
    first = client.get(path + "&total=true")
    assert 25 == first["total"]
    second = client.get(f"{path}&total=true&cursor={first['next']}")
    assert (25, 10) == (second["total"], len(second["events"]))
    refused(client, path + "&total=1", "total")


def test_default_range(client: Client) -> None:
    """Without `from` and `to` the last 24 hours are listed, else those before `to`."""
    now = datetime.now(UTC)
    hours = [0.01, 1, 23.9, 24.2, 47, 49]
    client.store(*(event(event_id=str(h), timestamp=iso(now - timedelta(hours=h))) for h in hours))
    listed = client.get(EVENTS)["events"]
    assert ["0.01", "1", "23.9"] == [e["event_id"] for e in listed]
    before = iso(now - timedelta(hours=24))
    assert ["24.2", "47"] == [e["event_id"] for e in client.get(f"{EVENTS}?to={before}")["events"]]
    since = client.get(f"{EVENTS}?from={iso(now - timedelta(hours=48))}")["events"]
    assert ["0.01", "1", "23.9", "24.2", "47"] == [e["event_id"] for e in since]


def test_range(client: Client) -> None:
    """`from` is inclusive, `to` exclusive, to the millisecond."""
    times = [
        "2026-11-19T23:59:59.999Z",
        "2026-11-20T00:00:00.000Z",
        "2026-11-20T00:00:00.001Z",
        "2026-11-20T23:59:59.999Z",
        "2026-11-21T00:00:00.000Z",
    ]
    client.store(*(event(event_id=str(n), timestamp=time) for n, time in enumerate(times)))
    assert ["1", "2", "3"] == ids(client, "from=2026-11-20&to=2026-11-21")
    assert ["1"] == ids(client, "from=2026-11-20T00:00:00Z&to=2026-11-20T00:00:00.001Z")
    assert ["2", "3"] == ids(client, "from=2026-11-20T00:00:00.001Z&to=2026-11-21")
    assert [] == ids(client, "from=2026-11-20&to=2026-11-20")


@pytest.mark.parametrize(
    "text",
    ["2026-11-20T10:00:00Z", "2026-11-20t10:00:00z", "2026-11-20T10:00:00.000Z",
     "2026-11-20T10:00:00.000000000Z", "2026-11-20T12:00:00%2B02:00", "2026-11-20T12:00:00+02:00",
     "2026-11-20T12:00:00 02:00", "2026-11-20T04:30:00-05:30", "2026-11-20%2010:00:00Z"],
)  # fmt: skip
def test_times(client: Client, text: str) -> None:
    """A time may be in any zone; a raw `+` before the zone, which arrives as a space, is meant."""
    text = text.replace(" ", "%20")
    client.store(
        event(1, timestamp="2026-11-20T09:59:59.999Z"), event(2, timestamp="2026-11-20T10:00:00Z")
    )
    assert ["e000002"] == ids(client, f"from={text}&to=2026-11-21")
    assert ["e000001"] == ids(client, f"from=2026-11-20&to={text}")


# -- what cannot be meant


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-13-01", "2026-02-29", "2026-11-20T09:30:00", "2026-11-20T25:00:00Z",
     "20261120", "1700000000", "2026-11-20T09:30Z", "0001-01-01T00:00:00+23:00",
     "9999-12-31T23:59:59-23:00"],
)  # fmt: skip
def test_bad_times(client: Client, name: str, text: str) -> None:
    """What is no time, or has no zone, is refused and named."""
    refused(client, f"{EVENTS}?{name}={quote(text)}", name)


@pytest.mark.parametrize("text", ["0001-01-01", "1850-06-01T00:00:00Z", "9999-12-31"])
def test_times_of_other_ages(client: Client, text: str) -> None:
    """Times of which no event can be are no fault: nothing is there, or all."""
    client.store(event(1))
    assert [] == ids(client, f"from={text}&to={text}")
    assert [] == client.get(f"{EVENTS}?to={text}&from=0001-01-01&type=open")["events"]
    assert client.request("GET", f"{EVENTS}?to={text}").status == 200
    expected = ["e000001"] if text < "2000" else []
    assert expected == ids(client, f"from={text}&to=9999-12-31")


def test_bad_parameters(client: Client) -> None:
    """Each parameter that cannot be meant is named."""
    refused(client, f"{EVENTS}?colour=red", "colour")
    refused(client, f"{EVENTS}?colour=red&shape=1", "colour", "shape")
    refused(client, f"{EVENTS}?Type=open", "Type")
    refused(client, f"{EVENTS}?type=opened", "type")
    refused(client, f"{EVENTS}?type=open&type=opened", "type")
    refused(client, f"{EVENTS}?bounce_class=ten", "bounce_class")
    refused(client, f"{EVENTS}?bounce_class=9223372036854775808", "bounce_class")
    refused(client, f"{EVENTS}?order=up", "order")
    refused(client, f"{EVENTS}?limit=5&limit=6", "limit")
    told = refused(client, f"{EVENTS}?from=2026-11-21&to=2026-11-20", "from")
    assert "from: is after `to`" == told["detail"]
    told = refused(client, f"{EVENTS}?from=2199-01-01", "from")
    assert told["detail"].startswith("from: is in the future")
    refused(client, f"{FEED}?type=open", "type")
    refused(client, f"{EVENTS}/e1?limit=5", "limit")
    refused(client, "/ledger/v1/messages/m1?limit=5", "limit")


# -- cursors


def test_foreign_cursor(client: Client) -> None:
    """A cursor of another list is refused, and the answer says so; `limit` may change."""
    client.store(*(event(number) for number in range(9)))
    path = f"{EVENTS}?{ALL_TIME}"
    cursor = client.get(f"{path}&limit=2")["next"]
    feed = client.get(f"{FEED}?limit=2")["next"]
    others = [
        f"{path}&order=asc",
        f"{path}&type=delivery",
        f"{EVENTS}?from=1970-01-01&to=2199-01-01",
        EVENTS,
    ]
    for other in others:
        joint = "&" if "?" in other else "?"
        told = refused(client, f"{other}{joint}cursor={cursor}", "cursor")
        assert "another query" in told["detail"]
    refused(client, f"{path}&cursor={feed}", "cursor")
    refused(client, f"{FEED}?after={cursor}", "after")
    assert 7 == len(client.get(f"{path}&limit=9&cursor={cursor}")["events"])


def test_damaged_cursor(client: Client) -> None:
    """A damaged cursor is refused, and the answer says so."""
    client.store(*(event(number) for number in range(3)))
    path = f"{EVENTS}?{ALL_TIME}&limit=1"
    cursor = client.get(path)["next"]
    turned = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for damaged in ("", "x", cursor[:-2], cursor + "AA", turned, "B" + cursor[1:], "%FF", "ä"):
        refused(client, f"{path}&cursor={quote(damaged, safe='%')}", "cursor")


def test_default_range_stands_still(client: Client) -> None:
    """Pages of the last 24 hours are of the same 24 hours, from the first page to the last."""
    now = datetime.now(UTC)
    edge = now - timedelta(hours=24) + timedelta(seconds=1.2)
    client.store(
        event(event_id="old", timestamp=iso(edge)), event(event_id="new", timestamp=iso(now))
    )
    first = client.get(f"{EVENTS}?limit=1")
    assert ["new"] == [e["event_id"] for e in first["events"]]
    client.store(event(event_id="newer", timestamp=iso(now + timedelta(milliseconds=1))))
    until = edge + timedelta(hours=24, seconds=0.2)
    while datetime.now(UTC) < until:
        threading.Event().wait(0.05)
    second = client.get(f"{EVENTS}?limit=1&cursor={first['next']}")
    assert ["old"] == [e["event_id"] for e in second["events"]]
    assert second["next"] is None


IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


@given(
    st.lists(st.tuples(st.integers(0, 3), IDS), unique=True, max_size=40),
    st.integers(1, 12),
    st.sampled_from(["asc", "desc"]),
)
@_SLOW
def test_paging(client: Client, made: list[tuple[int, str]], limit: int, order: str) -> None:
    """Pages together are the whole list, in order, whatever their size and the times."""
    run = f"run {next(_RUNS)}"
    if made:
        client.store(
            *(event(second, event_id=f"{run} {name}", campaign_id=run) for second, name in made)
        )
    path = f"{EVENTS}?{ALL_TIME}&order={order}&limit={limit}&campaign_id={quote(run)}"
    pages = list(client.pages(path))
    expected = sorted(made, key=lambda e: (e[0], e[1].encode()), reverse=order == "desc")
    found = [e["event_id"].removeprefix(run + " ") for page in pages for e in page]
    assert [name for _, name in expected] == found
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1] or not made


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_paging_while_storing(client: Client, order: str) -> None:
    """Pages lose and repeat none of the older events while others are stored."""
    old = [event(number // 3, event_id=f"old {number:03}") for number in range(180)]
    client.store(*old)
    stop = threading.Event()

    def disturb() -> None:
        for number in count():
            if stop.is_set():
                return
            client.store(*(event(at, event_id=f"new {number} {at}") for at in range(0, 60, 7)))
            stop.wait(0.01)  # else there are ever more pages to walk

    noise = threading.Thread(target=disturb)
    noise.start()
    try:
        pages = list(client.pages(f"{EVENTS}?{ALL_TIME}&order={order}&limit=17"))
    finally:
        stop.set()
        noise.join()
    found = [e["event_id"] for page in pages for e in page]
    assert len(found) == len(set(found))
    expected = [e["event_id"] for e in old]
    mine = [name for name in found if name.startswith("old")]
    assert expected == (mine if order == "asc" else mine[::-1])
    assert len(found) > len(mine)


# -- one event, one message


def test_one_event(client: Client) -> None:
    """An event is found by its id, the newest one if several have it; another id is not found."""
    client.store(event(1, event_id="twice"), event(2, event_id="twice"), event(3))
    assert event(2)["timestamp"] == client.get(f"{EVENTS}/twice")["timestamp"]
    told = problem(client.request("GET", f"{EVENTS}/never"), 404)
    assert "never" in told["detail"]
    problem(client.request("GET", f"{EVENTS}/Twice"), 404)


@pytest.mark.parametrize(
    "name", ["a b", "ä", "a%b", "a+b", "a?b", "a#b", "'", '"\\', "{p0}", "a/b", "\0"]
)
def test_any_id(client: Client, name: str) -> None:
    """An event and a message are found by any id, encoded for the path."""
    client.store(event(1, event_id=name, message_id=name))
    encoded = quote(name, safe="").replace(".", "%2E")
    assert name == client.get(f"{EVENTS}/{encoded}")["event_id"]
    assert name == client.get(f"/ledger/v1/messages/{encoded}")["message_id"]


def test_message(client: Client) -> None:
    """A message lists, for each recipient, its events, oldest first, and its state."""
    client.store(
        event(3, message_id="m", rcpt_to="a@x.example", type="spam_complaint"),
        event(1, message_id="m", rcpt_to="A@x.example", type="injection"),
        event(2, message_id="m", rcpt_to="b@x.example", type="bounce"),
        event(4, message_id="other", rcpt_to="a@x.example", type="open"),
    )
    client.store(event(5, message_id="m", rcpt_to="a@x.example", type="delivery"))
    told = client.get("/ledger/v1/messages/m")
    assert "m" == told["message_id"]
    found = {
        one["rcpt_to"]: (one["state"], [e["event_id"] for e in one["events"]])
        for one in told["recipients"]
    }
    assert {
        "a@x.example": ("complained", ["e000001", "e000003", "e000005"]),
        "b@x.example": ("bounced", ["e000002"]),
    } == found
    assert 2 == len(told["recipients"])
    problem(client.request("GET", "/ledger/v1/messages/nothing"), 404)


@pytest.mark.parametrize(
    ("kind", "state"),
    [("spam_complaint", "complained"), ("list_unsubscribe", "unsubscribed"),
     ("link_unsubscribe", "unsubscribed"), ("click", "clicked"), ("open", "opened")],
)  # fmt: skip
def test_late_delivery(client: Client, kind: str, state: str) -> None:
    """A late delivery undoes nothing, whether it is late by its time or by its coming."""
    first = event(1, message_id="m", rcpt_to="a@x.example", type=kind)
    client.store(first)
    for number in (0, 2):
        client.store(event(number, message_id="m", rcpt_to="a@x.example"))
        assert state == client.get("/ledger/v1/messages/m")["recipients"][0]["state"]


# -- the feed


def follow(client: Client, limit: int, after: str = "") -> tuple[list[str], str]:
    """The ids that the feed gives until it gives no more, and where it stands then."""
    found: list[str] = []
    while True:
        page = client.get(f"{FEED}?limit={limit}" + (f"&after={after}" if after else ""))
        assert len(page["events"]) <= limit
        assert page["next"]
        after = page["next"]
        if not page["events"]:
            return found, after
        found += [e["event_id"] for e in page["events"]]


def test_feed(either: Client) -> None:
    """The feed gives events in the order of storing, late ones too, and goes on where it was."""
    order = [5, 1, 9, 0, 7]
    either.store(*(event(number) for number in order))
    found, place = follow(either, 2)
    assert [f"e{number:06}" for number in order] == found
    assert ([], place) == follow(either, 2, place)
    either.store(event(9), event(3), event(9))  # repeats leave no trace
    either.store(event(2))
    assert ["e000003", "e000002"] == follow(either, 1, place)[0]


def test_feed_of_nothing(client: Client) -> None:
    """The feed of an empty ledger is empty, and its `next` sees what comes."""
    page = client.get(FEED)
    assert [] == page["events"]
    end = client.get(f"{FEED}?after=end")
    client.store(event(1))
    assert ["e000001"] == follow(client, 5, page["next"])[0]
    assert ["e000001"] == follow(client, 5, end["next"])[0]


def test_feed_from_the_end(client: Client) -> None:
    """`after=end` gives no events, and a `next` that sees only what comes after it."""
    client.store(event(5))
    end = client.get(f"{FEED}?after=end")
    assert [] == end["events"]
    client.store(event(1))
    assert ["e000001"] == follow(client, 5, end["next"])[0]


def test_feed_over_gaps(either: Client) -> None:
    """Long runs of repeats and bad records between events do not stop the feed."""
    either.store(event(0))
    for number in range(3):
        repeats: list[Event] = [event(0)] * 50
        either.store(*repeats, {"type": "open"}, event(number + 1), *repeats)
    assert [f"e{number:06}" for number in range(4)] == follow(either, 3)[0]


def test_feed_while_storing(either: Client) -> None:
    """A reader that follows the feed while several store sees each event exactly once."""
    writers, each = 4, 10
    errors: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for number in range(each):
                made = event(1000 - number, event_id=f"{writer} {number:03}")
                either.store(made, made | {"event_id": f"{writer} {number:03} b"})
        except BaseException as error:  # noqa: BLE001 -- told below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    found: list[str] = []
    after = ""
    while True:
        busy = any(thread.is_alive() for thread in threads)
        more, after = follow(either, 7, after)
        found += more
        if not busy:
            break
    assert [] == errors
    assert len(found) == len(set(found))
    assert 2 * writers * each == len(found)
    for writer in range(writers):
        mine = [name for name in found if re.match(rf"{writer} \d+$", name)]
        assert sorted(mine) == mine


def test_feed_while_months_are_stored(either: Client) -> None:
    """A batch with events of many months becomes visible month by month, and the feed passes over
    none of them."""
    batches, size = 6, 150

    def write() -> None:
        for number in range(batches):
            made = [
                event(-86_400 * 25 * (n % 15), event_id=f"{number} {n:03}") for n in range(size)
            ]
            either.store(*made)

    thread = threading.Thread(target=write)
    thread.start()
    found: list[str] = []
    after = ""
    while True:
        busy = thread.is_alive()
        more, after = follow(either, 10_000, after)
        found += more
        if not busy:
            break
    assert batches * size == len(found) == len(set(found))


def test_damaged_feed_cursor(client: Client) -> None:
    """A damaged place in the feed is refused and named."""
    place = client.get(FEED)["next"]
    for damaged in ("", "x", "0", "END", place[:-1], place + "A"):
        refused(client, f"{FEED}?after={damaged}", "after")
