"""The demonstration's stream of events: reproducible, plausible, and of the size that it says."""

import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from postledger import demo

END = datetime(2025, 12, 1, tzinfo=UTC)
COUNT = 30_000
TYPES = {
    "injection",
    "delivery",
    "delay",
    "bounce",
    "out_of_band",
    "spam_complaint",
    "policy_rejection",
    "generation_failure",
    "generation_rejection",
    "open",
    "initial_open",
    "click",
    "initial_click",
    "amp_open",
    "amp_initial_open",
    "amp_click",
    "list_unsubscribe",
    "link_unsubscribe",
    "response",
}
INTEGERS = ("bounce_class", "msg_size", "queue_time", "num_retries")
BOOLEANS = ("transactional", "amp_enabled", "click_tracking", "open_tracking")
OTHERS = {"rcpt_tags": list, "rcpt_meta": dict, "geo_ip": dict}


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return list(demo.lines(COUNT, end=END))


@pytest.fixture(scope="module")
def events(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def messages(events: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """The timestamps of each type of event, by message."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if "message_id" in event:
            found[event["message_id"]][event["type"]].append(event["timestamp"])
    return found


def test_same_arguments_same_bytes() -> None:
    """Two streams of the same arguments are the same bytes."""
    assert list(demo.lines(3_000, seed=7, end=END)) == list(demo.lines(3_000, seed=7, end=END))


def test_the_bytes_are_those_of_every_machine() -> None:
    """The bytes are those of the machine where this was written; a change of them is meant."""
    written = "55121e1c43f7257f306cb1289903a9d67e323a6d001c693e37c39b0a45c5c506"
    digest = hashlib.sha256(b"\n".join(demo.lines(5_000, end=END))).hexdigest()
    assert written == digest


def test_another_seed_shares_no_id(events: list[dict[str, Any]]) -> None:
    """Streams of different seeds have no event id and no message id in common."""
    other = [json.loads(line) for line in demo.lines(5_000, seed=2, end=END)]
    for name in ("event_id", "message_id"):
        ours = {event[name] for event in events if name in event}
        assert ours.isdisjoint(event.get(name) for event in other)


@pytest.mark.parametrize("count", [0, 1, 2, 999, 5_000])
@pytest.mark.parametrize("days", [0.001, 1, 400])
def test_exact_count(count: int, days: float) -> None:
    """There are as many lines as asked for, however long or short the time."""
    assert count == sum(1 for _ in demo.lines(count, end=END, days=days))


def test_mean_size(lines: list[bytes]) -> None:
    """A line has 600 to 700 bytes on average, and no newline."""
    assert 600 <= sum(map(len, lines)) / COUNT <= 700
    assert not any(b"\n" in line for line in lines)


def test_every_type_occurs(events: list[dict[str, Any]]) -> None:
    """Every type of the contract occurs, save for the three that a finished sending never shows."""
    assert {event["type"] for event in events} == TYPES


def test_messages_have_four_to_five_events(
    lines: list[bytes], messages: dict[str, dict[str, list[str]]]
) -> None:
    """There are four to five events a message."""
    assert 4 <= len(set(lines)) / len(messages) <= 5


def test_fields_have_the_types_of_the_contract(events: list[dict[str, Any]]) -> None:
    """Numbers, booleans, lists and objects are where native.md section 3 has them."""
    kinds = dict.fromkeys(INTEGERS, int) | dict.fromkeys(BOOLEANS, bool) | OTHERS
    wrong = {
        name
        for event in events
        for name, value in event.items()
        if type(value) is not kinds.get(name, str)
    }
    assert wrong == set()


def test_ids_have_the_shapes_of_sparkpost(events: list[dict[str, Any]]) -> None:
    """Event ids have 18 or 19 digits, transmission ids 17 or 18, message ids 20 hex digits."""
    for event in events:
        assert event["event_id"].isdecimal()
        assert len(event["event_id"]) in {18, 19}
        assert event["transmission_id"].isdecimal()
        assert len(event["transmission_id"]) in {17, 18}
        assert len(f"{int(event.get('message_id', '0'), 16):020x}") == 20


def test_a_repeat_is_an_earlier_line(lines: list[bytes], events: list[dict[str, Any]]) -> None:
    """Distinct lines are distinct events, so what repeats an event repeats its bytes."""
    distinct = {(event["timestamp"], event["event_id"]) for event in events}
    assert len(set(lines)) == len(distinct)
    assert 0.9885 <= len(distinct) / COUNT <= 0.992


def test_shares_of_repeats_and_late_lines() -> None:
    """The shares of repeated and of late lines are about those that were asked for."""
    twice = list(demo.lines(10_000, end=END, repeats=0.3, late=0))
    assert 0.69 <= len(set(twice)) / 10_000 <= 0.73
    late = list(demo.lines(10_000, end=END, repeats=0, late=0.2))
    assert len(set(late)) == 10_000
    assert 0.17 <= _late(late) / 10_000 <= 0.2


def test_without_repeats_and_late_lines_time_only_rises() -> None:
    """A stream without repeats and late lines is in the order of time, each line once."""
    plain = list(demo.lines(10_000, end=END, repeats=0, late=0))
    times = [json.loads(line)["timestamp"] for line in plain]
    assert all(before <= after for before, after in pairwise(times))
    assert len(set(plain)) == 10_000


def _late(lines: list[bytes]) -> int:
    """How many lines are an hour or more behind the newest before them."""
    behind, newest = 0, datetime.min.replace(tzinfo=UTC)
    for line in lines:
        at = datetime.fromisoformat(json.loads(line)["timestamp"])
        newest = max(newest, at)
        behind += newest - at >= timedelta(minutes=59)
    return behind


@pytest.mark.parametrize("end", [END, END.replace(hour=11, minute=7, microsecond=123_456)])
def test_nothing_is_outside_the_time(end: datetime) -> None:
    """Every timestamp is within the days before the end, and written to the millisecond, UTC."""
    for line in demo.lines(2_000, end=end, days=2.5):
        stamp = json.loads(line)["timestamp"]
        at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        assert len("2025-12-01T00:00:00.000Z") == len(stamp)
        assert end - timedelta(days=2.5, milliseconds=1) <= at < end


def test_nights_and_weekends_are_quiet(events: list[dict[str, Any]]) -> None:
    """An hour of the day has over five times the events of one of the night; so for weekends."""
    times = [datetime.fromisoformat(event["timestamp"]) for event in events]
    hours = Counter(time.hour for time in times)
    days = Counter(time.weekday() for time in times)
    assert sum(hours[hour] for hour in range(10, 14)) > 5 * sum(hours[hour] for hour in range(4))
    assert min(days[day] for day in range(5)) > 1.3 * max(days[5], days[6])


def test_a_delivery_follows_its_injection(messages: dict[str, dict[str, list[str]]]) -> None:
    """No event of a message is older than its injection, and no reading than its delivery."""
    readings = {"open", "initial_open", "click", "initial_click", "spam_complaint"}
    for times in messages.values():
        if injection := times.get("injection"):
            assert min(injection) == min(min(of_type) for of_type in times.values())
        if delivery := times.get("delivery"):
            assert all(min(delivery) <= min(times[name]) for name in readings & times.keys())


def test_an_outcome_is_one(messages: dict[str, dict[str, list[str]]]) -> None:
    """A message is delivered, bounced or refused: never two of these, and about 3 % bounce."""
    outcomes = (
        {"delivery", "bounce", "policy_rejection"} & times.keys() for times in messages.values()
    )
    counts = Counter(tuple(outcome) for outcome in outcomes)
    assert counts.keys() <= {("delivery",), ("bounce",), ("policy_rejection",), ()}
    assert 0.02 <= counts["bounce",] / len(messages) <= 0.045


def test_private_parts_are_masked_in_reasons(events: list[dict[str, Any]]) -> None:
    """A reason has no address of the recipient, its raw reason may."""
    failures = [event for event in events if "reason" in event]
    assert not any(event["rcpt_to"] in event["reason"] for event in failures)
    assert any(event["rcpt_to"] in event["raw_reason"] for event in failures)
    assert not any("{" in event["raw_reason"] + event["reason"] for event in failures)


def test_a_campaign_or_a_notice(events: list[dict[str, Any]]) -> None:
    """A message is of a campaign or transactional, and only a notice has its own transmission."""
    assert all(("campaign_id" in event) != event.get("transactional", False) for event in events)
    transmissions = defaultdict(set)
    for event in events:
        transmissions[event.get("campaign_id")].add(event["transmission_id"])
    notices = transmissions.pop(None)
    assert len(notices) > 1_000
    assert {1} == {len(ids) for ids in transmissions.values()}


def test_languages_survive(events: list[dict[str, Any]]) -> None:
    """Subjects are readable in every language, and so UTF-8 throughout."""
    subjects = {event["subject"] for event in events}
    assert "Black Friday: 40 % off everything" in subjects
    assert any("günstiger" in subject for subject in subjects)
    assert any("dziękujemy" in subject for subject in subjects)
    assert any("ご注文" in subject for subject in subjects)
    assert not any("#" in subject for subject in subjects)


def test_recipients_are_who_they_are() -> None:
    """Two numbers never give the same recipient."""
    numbers = range(0, 400_000, 7)
    assert len(numbers) == len({demo._recipient.__wrapped__(number)[0] for number in numbers})


@pytest.mark.parametrize("size", [1, 7, 999, 1_000, 5_000])
def test_batches_are_the_lines(size: int) -> None:
    """The batches, joined, are the lines; each but the last has `size` of them."""
    batches = list(demo.batches(1_000, size=size, seed=3, end=END, days=3))
    assert list(demo.lines(1_000, seed=3, end=END, days=3)) == b"\n".join(batches).split(b"\n")
    assert all(batch.count(b"\n") == size - 1 for batch in batches[:-1])


def test_memory_has_a_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full memory of things to come costs readings, and not one line."""
    monkeypatch.setattr(demo, "MOST_WAITING", 20)
    monkeypatch.setattr(demo, "MOST_HELD", 5)
    lines = list(demo.lines(5_000, end=END, late=0.9))
    assert len(lines) == 5_000
    assert len(set(lines)) > 4_900


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": -1},
        {"seed": -1},
        {"days": 0},
        {"repeats": 0.6},
        {"repeats": -0.1},
        {"late": 1},
        {"end": datetime(2025, 12, 1)},  # noqa: DTZ001
        {"size": 0},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    """Arguments out of range raise at once, before the first line."""
    arguments: dict[str, Any] = {"count": 10, "end": END} | wrong
    with pytest.raises(ValueError, match=r"must|needs"):
        demo.batches(**arguments)
