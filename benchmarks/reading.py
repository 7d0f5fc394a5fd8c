"""Questions over HTTP, medians, beside the raw engine's time for the same statements.

    python -m benchmarks.load DIRECTORY [--events 10000000]
    python -m benchmarks.reading DIRECTORY

The raw engine is asked afterwards, in this process, on the same table, with the statements that
Postledger makes: what is left is HTTP, parameters, JSON and Python. Pairs of filters are drawn at
random from what events have, each type and each field as likely as the other; each pair is asked
for once.
"""

import argparse
import itertools
import json
import random
import statistics
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks import bench
from postledger.events import EVENT_TYPES
from postledger.http import parameters
from postledger.query import FILTERS, EventQuery, Match, words
from postledger.settings import load
from postledger.state.keys import DEFAULT_WORKSPACE
from postledger.store.engine import Engine
from postledger.store.reader import Reader
from postledger.store.rollups import Rollups

_TIMES, _PAIRS, _WANTED, _SHORT = 5, 150, 80, 3
_FIELDS = sorted(FILTERS.keys() - {"recipient", "message_id", "transmission_id", "event_id"})
Question = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    options = parser.parse_args()
    print(bench.machine())
    ordinary, busy = recipients(options.directory)
    server = bench.Server(Path(options.directory))
    idle = server.resident()
    server.settle()  # it folds what was just loaded
    print(f"ready after {server.seconds_to_ready:.1f} s, {idle >> 20} MiB resident")
    questions = make_questions(server, ordinary, busy)
    measured = {
        name: [over_http(server, one) for one in those] for name, those in questions.items()
    }
    drawn = {name: ask_once(server, pair) for name, pair in pairs(server).items()}
    deep = deep_pages(server)
    others = {
        "one event by its id": "/ledger/v1/events/" + some(server)["event_id"],
        "timeline of a message": "/ledger/v1/messages/" + quote(some(server)["message_id"]),
        "page of 1,000 of the feed": "/ledger/v1/feed?limit=1000",
    }
    alone = {name: ask(server, path) for name, path in others.items()}
    print(f"{server.resident() >> 20} MiB resident after the questions")
    server.stop()
    raw = {name: [over_engine(options.directory, those)] for name, those in questions.items()}
    for name, found in measured.items():
        ours, limit = statistics.median(found), statistics.median(raw[name])
        spread = f"{min(found):.1f} to {max(found):.1f}"
        print(f"{name:58} {ours:7.1f} ms ({spread}), raw engine {limit:6.1f} ms")
    for name, middle in {**alone, **deep}.items():
        print(f"{name:58} {middle:7.1f} ms")
    print(f"{_PAIRS} pairs of filters: {said(drawn)}")


def make_questions(
    server: bench.Server, ordinary: list[str], busy: list[str]
) -> dict[str, list[Question]]:
    chance = random.Random(1)
    end = bench.END
    span = {"to": f"{end:%Y-%m-%d}"}
    day = span | {"from": f"{end - timedelta(days=1):%Y-%m-%d}"}
    ten = span | {"from": f"{end - timedelta(days=10):%Y-%m-%d}"}
    ninety = span | {"from": f"{end - timedelta(days=90):%Y-%m-%d}"}
    sample = [
        event
        for back in range(2, 80, 6)
        for event in events(
            server, {"to": f"{end - timedelta(days=back):%Y-%m-%d}", "limit": "500"}
        )
        if "message_id" in event and "rcpt_to" in event
    ]
    picked = chance.sample(sample, 9)
    recent = [event for event in events(server, ten | {"limit": "5000"}) if "campaign_id" in event]
    chosen = chance.sample(recent, 9)
    return {
        "newest 100 of the last day": [day | {"limit": "100"}],
        "all of one recipient in 90 days": [
            ninety | {"recipient": recipient, "limit": "1000"} for recipient in ordinary
        ],
        "the same, recipients with 100 to 200 events": [
            ninety | {"recipient": recipient, "limit": "1000"} for recipient in busy
        ],
        "all of one message in 90 days": [
            ninety | {"message_id": event["message_id"], "limit": "1000"} for event in picked
        ],
        "page of 1,000 of 10 days: type and campaign": [
            ten | {"limit": "1000", "type": e["type"], "campaign_id": e["campaign_id"]}
            for e in chosen
        ],
        "page of 1,000 of 10 days: type and recipient domain": [
            ten | {"limit": "1000", "type": e["type"], "recipient_domain": e["recipient_domain"]}
            for e in chosen
        ],
        "page of 1,000 of 10 days: bounces with words in the reason": [
            ten | {"limit": "1000", "type": "bounce", "reason": "full"}
        ],
        "page of 1,000 of 10 days: tag and provider": [
            ten | {"limit": "1000", "tag": "vip", "mailbox_provider": "Gmail"}
        ],
    }


def pairs(server: bench.Server) -> dict[str, Question]:
    """Pages of 1,000 of 10 days, of two filters that an event has, by what they ask for."""
    chance, end = random.Random(2), bench.END
    ten = {"from": f"{end - timedelta(days=10):%Y-%m-%d}", "to": f"{end:%Y-%m-%d}"}
    by_type = [
        found
        for kind in EVENT_TYPES
        if (found := events(server, ten | {"type": kind, "limit": "1000"}))
    ]
    drawn: dict[str, Question] = {}
    while len(drawn) < _PAIRS:
        event = chance.choice(chance.choice(by_type))
        told = {name: value for name in _FIELDS if (value := told_of(event, name, chance))}
        pair = {name: told[name] for name in chance.sample(sorted(told), 2)}
        drawn[" ".join(f"{name}={value}" for name, value in pair.items())] = (
            ten | {"limit": "1000"} | pair
        )
    return drawn


def told_of(event: dict[str, Any], name: str, chance: random.Random) -> str:
    """A value of a filter that finds this event; empty: there is none."""
    field, match = FILTERS[name]
    value = event.get(field)
    if match is Match.MEMBER and value:
        return str(chance.choice(value))
    if match is Match.WORDS:
        found = [word for word in words(value or "") if len(word) > _SHORT]
        return chance.choice(found) if found else ""
    return "" if value is None else str(value)


def said(drawn: dict[str, float]) -> str:
    times, slowest = sorted(drawn.values()), max(drawn, key=lambda name: drawn[name])
    within = sum(time <= _WANTED for time in times)
    return (
        f"median {statistics.median(times):.1f} ms, {within} within {_WANTED} ms, "
        f"nine of ten within {times[len(times) * 9 // 10]:.1f}, slowest {times[-1]:.1f} ({slowest})"
    )


def recipients(directory: str) -> tuple[list[str], list[str]]:
    """Nine of all recipients, each as likely as the other, and nine who get much."""
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 1}))
    try:
        with engine.reader() as client:
            found = client.query(
                f"SELECT rcpt_to, count() FROM {engine.database}.events "
                "WHERE rcpt_to != '' GROUP BY rcpt_to ORDER BY cityHash64(rcpt_to)"
            ).result_rows
    finally:
        engine.close()
    busy = [address for address, count in found if 100 <= count <= 200]
    return [address for address, _ in found[:9]], busy[:9]


def over_http(server: bench.Server, question: Question) -> float:
    asked = each_new(question)
    return median(server, lambda: "/ledger/v1/events?" + urlencode(next(asked)))


def each_new(question: Question) -> Iterator[Question]:
    """The same question again and again, of a range that begins a second later each time: the
    engine remembers where it found nothing of a question, and a user asks once."""
    first = datetime.fromisoformat(question["from"])
    for number in itertools.count():
        yield question | {"from": f"{first + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}"}


def ask_once(server: bench.Server, question: Question) -> float:
    path = "/ledger/v1/events?" + urlencode(question)
    return bench.timed(lambda: server.get(path)) * 1000


def ask(server: bench.Server, path: str) -> float:
    return median(server, lambda: path)


def median(server: bench.Server, path_of: Callable[[], str]) -> float:
    def work() -> None:
        path = path_of()
        status, body = server.get(path)
        if status != 200:
            raise SystemExit(f"{path}: {status} {body[:300]!r}")

    return bench.median_ms(work, _TIMES)[1]


def over_engine(directory: str, questions: list[Question]) -> float:
    """The same statements, without Postledger."""
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 1}))
    try:
        rollups = Rollups(engine)
        rollups.guesses.matching(EventQuery(DEFAULT_WORKSPACE, bench.END, bench.END))
        rollups.guesses.learn()
        reader = Reader(engine, rollups)
        return statistics.median(statement_ms(engine, reader, one) for one in questions)
    finally:
        engine.close()


def statement_ms(engine: Engine, reader: Reader, question: Question) -> float:
    following = each_new(question)
    with engine.reader() as client:

        def work() -> None:
            asked = parameters.events(next(following).items(), DEFAULT_WORKSPACE, bench.END)
            statement = reader.statement(asked.query)
            client.raw_query(statement.text, statement.parameters, fmt="TSVRaw")

        return bench.median_ms(work, _TIMES)[1]


def deep_pages(server: bench.Server) -> dict[str, float]:
    """The first page of 1,000 of a long list, and the two-hundredth."""
    path = f"/ledger/v1/events?from=2026-09-01&to={bench.END:%Y-%m-%d}&limit=1000"
    first, following = ask(server, path), ""
    for _ in range(199):
        page = json.loads(server.get(path + following)[1])
        following = f"&cursor={page['next']}"
    return {"page 1 of 1,000 of everything": first, "page 200 of it": ask(server, path + following)}


def events(server: bench.Server, question: Question) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(
        server.get("/ledger/v1/events?" + urlencode(question))[1]
    )["events"]
    return found


def some(server: bench.Server) -> dict[str, str]:
    question = {"to": f"{bench.END - timedelta(days=40):%Y-%m-%d}", "limit": "500"}
    return next(event for event in events(server, question) if "message_id" in event)


if __name__ == "__main__":
    main()
