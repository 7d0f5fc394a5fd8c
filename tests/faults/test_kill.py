"""SIGKILL at any moment under load loses nothing that was acknowledged, and repeats nothing."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count

from conftest import Client, Server
from making import ALL_TIME, NDJSON, Event, event, lines

ROUNDS = 3
LISTED = f"/ledger/v1/events?{ALL_TIME}&limit=10000"


class Load:
    """Threads that store events until the server is gone; what was sent, and acknowledged."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self.sent: dict[str, Event] = {}
        self.acknowledged: set[str] = set()
        self.answers = 0
        sizes = [1, 1, 1, 1, 20, 2000]
        self._threads = [
            threading.Thread(target=self._run, args=(number, size))
            for number, size in enumerate(sizes)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _run(self, thread: int, size: int) -> None:
        for number in count():
            made = [self._event(thread, number, each) for each in range(size)]
            self.sent |= {one["event_id"]: one for one in made}
            try:
                answer = self.client.post(lines(*made), Content_Type=NDJSON)
            except OSError:
                return
            if answer.status == 200:
                self.acknowledged |= {one["event_id"] for one in made}
                self.answers += 1

    def _event(self, thread: int, number: int, each: int) -> Event:
        name = f"{self.name} {thread} {number} {each}"
        # times go back over three months, so that one insert makes several parts
        return event(-((number * 37 + each) % 90) * 86_400, event_id=name, subject="s" * 250)


def listed(client: Client) -> Counter[str]:
    """How often each id is in the pages of all events."""
    return Counter(e["event_id"] for page in client.pages(LISTED) for e in page)


def followed(client: Client) -> Counter[str]:
    """How often each id is in the feed."""
    found: Counter[str] = Counter()
    after = ""
    while True:
        page = client.get(f"/ledger/v1/feed?limit=10000{after}")
        if not page["events"]:
            return found
        found.update(e["event_id"] for e in page["events"])
        after = f"&after={page['next']}"


def delivered(client: Client) -> int:
    """How many of the events, all of them deliveries, the figures have: roll-ups and the rest."""
    (row,) = client.get(f"/ledger/v1/metrics?{ALL_TIME}&metric=count_delivered")["rows"]
    found: int = row["count_delivered"]
    return found


def resend(client: Client, events: list[Event]) -> tuple[int, int]:
    """Accepted and duplicates when all is sent again."""
    accepted = duplicates = 0
    for at in range(0, len(events), 5000):
        answer = client.post(lines(*events[at : at + 5000]), Content_Type=NDJSON)
        assert answer.status == 200, answer
        accepted += answer.json()["accepted"]
        duplicates += answer.json()["duplicates"]
    return accepted, duplicates


def test_kill(start: Callable[..., Server]) -> None:
    """After each SIGKILL and start every acknowledged event is there once; sending all again makes
    the ledger whole."""
    running = start()
    chance = random.Random(20261121)
    sent: dict[str, Event] = {}
    for number in range(ROUNDS):
        running.start()
        load = Load(running.client, f"round {number}")
        load.start()
        time.sleep(chance.uniform(0.4, 1.6))
        running.kill()
        load.join()
        assert load.answers, "the load was none"
        running.start()
        client = running.client
        found = listed(client)
        sent |= load.sent
        assert set() == load.acknowledged - found.keys()
        assert 1 == max(found.values())
        assert set() == found.keys() - sent.keys()
        missing = len(sent) - len(found)
        assert (missing, len(sent) - missing) == resend(client, list(sent.values()))
        assert Counter(sent.keys()) == listed(client)
        assert Counter(sent.keys()) == followed(client)
        assert len(sent) == delivered(client)
        running.kill()


TAILS = [
    b"\0",
    b"\0" * 8,
    b"\0" * 4096,
    b"garbage",
    b"\xff" * 8,
    b"\x10\0\0\0\0\0\0\0" + b"x" * 16,
    b"\x10\0\0\0",
]
"""What a crash may leave: room without its data, a part of an entry, a wrong sum."""


def test_torn_journal(start: Callable[..., Server]) -> None:
    """What a crash leaves at the end of the journal is passed over; all beside it counts."""
    running = start(POSTLEDGER_FLUSH_MS="60000").start()
    journal = running.directory / "data" / "events" / "journal"
    for number, tail in enumerate(TAILS):
        running.client.store(event(number))
        running.kill()
        assert journal.stat().st_size
        with journal.open("ab") as file:
            file.write(tail)
        running.start()
        assert Counter(f"e{n:06}" for n in range(number + 1)) == listed(running.client), tail
    assert 0 == running.stop()


def test_cut_journal(start: Callable[..., Server]) -> None:
    """A last entry that was written in part only is passed over, as it was not acknowledged."""
    running = start(POSTLEDGER_FLUSH_MS="60000").start()
    running.client.store(event(0))
    running.client.store(event(1))
    running.kill()
    journal = running.directory / "data" / "events" / "journal"
    with journal.open("r+b") as file:
        file.truncate(journal.stat().st_size - 3)
    running.start()
    assert Counter(["e000000"]) == listed(running.client)
    assert 1 == running.client.store(event(0), event(1))["accepted"]
    assert 0 == running.stop()
