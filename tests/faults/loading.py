"""Load for tests of faults: threads that store, and what must then be found."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from itertools import count
from typing import Any

from conftest import Client
from faulting import Tally
from making import ALL_TIME, NDJSON, Event, event, lines

LISTED = f"/ledger/v1/events?{ALL_TIME}&limit=10000"
METRICS = "/ledger/v1/metrics?metric=count_delivered&from=2024-07-01&to=2024-10-06"
EXPORTS = "/ledger/v1/exports"
DAYS = 90
"""Times go back so far, so that one insert makes several parts."""


class Load:
    """Threads that store events, one batch after the other, until the server is gone or `stop`;
    what was sent, and acknowledged. Some of what a thread sends came before: repeats."""

    def __init__(
        self,
        client: Client,
        name: str,
        sizes: tuple[int, ...] = (1, 1, 20, 1500, 1500),
        pause: float = 0,
    ) -> None:
        """A thread for each of the sizes of a body, with so many seconds between two of them."""
        self.client = client
        self.name = name
        self.sent: dict[str, Event] = {}
        self.acknowledged: set[str] = set()
        self.answers = 0
        self.refused = 0
        self._pause = pause
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number, size))
            for number, size in enumerate(sizes)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def missing(self) -> list[Event]:
        """What was sent and never acknowledged."""
        return [one for each, one in self.sent.items() if each not in self.acknowledged]

    def _run(self, thread: int, size: int) -> None:
        before: list[Event] = []
        for number in count():
            if self._stopped.is_set():
                return
            made = [self._event(thread, number, each) for each in range(size)]
            self.sent |= {one["event_id"]: one for one in made}
            body = lines(*made, *before[: size // 10])
            before = made
            try:
                answer = self.client.post(body, Content_Type=NDJSON)
            except (OSError, HTTPException):
                return
            if answer.status == 200:
                assert (
                    answer.json()["accepted"] + answer.json()["duplicates"] == body.count(b"\n") + 1
                ), answer
                self.acknowledged |= {one["event_id"] for one in made}
                self.answers += 1
            else:
                assert answer.status == 503, answer
                self.refused += 1
            self._stopped.wait(self._pause or 0.05 * (answer.status == 503))

    def _event(self, thread: int, number: int, each: int) -> Event:
        return made(f"{self.name} {thread} {number} {each}", number * 37 + each)


def made(name: str, number: int) -> Event:
    """A delivery on one of 90 days, of one of seven campaigns."""
    back = -(number % DAYS) * 86_400 - number % 3600
    return event(back, event_id=name, campaign_id=f"c{number % 7}", subject="s" * 250)


# -- what is found


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


def figures(client: Client) -> dict[str, dict[str, int]]:
    """Deliveries by campaign and by day: roll-ups, and events that are not folded yet."""
    by_campaign = client.get(f"{METRICS}&group_by=campaign_id")["rows"]
    by_day = client.get(f"{METRICS}&interval=day")["rows"]
    return {
        "campaign": {row["campaign_id"]: row["count_delivered"] for row in by_campaign},
        "day": {r["time"][:10]: r["count_delivered"] for r in by_day if r["count_delivered"]},
    }


def counted(events: Iterator[Event]) -> dict[str, dict[str, int]]:
    """The same, counted one event after another."""
    campaigns, days = Counter[str](), Counter[str]()
    for one in events:
        campaigns[one["campaign_id"]] += 1
        days[one["timestamp"][:10]] += 1
    return {"campaign": dict(campaigns), "day": dict(days)}


def check(client: Client, load: Load, tally: Tally) -> Counter[str]:
    """Pages, feed and figures have what was acknowledged, once, and nothing that was not sent."""
    found = listed(client)
    tally.compare(load.acknowledged, found, load.sent)
    fed = followed(client)
    assert ([], []) == (sorted(found - fed)[:5], sorted(fed - found)[:5])
    assert counted(load.sent[each] for each in found) == figures(client)
    tally.answers += 4
    return found


def complete(client: Client, load: Load, tally: Tally) -> None:
    """Sending all again stores what is missing, and nothing else."""
    found = len(listed(client))
    events = list(load.sent.values())
    accepted = duplicates = 0
    for at in range(0, len(events), 5000):
        answer = client.post(lines(*events[at : at + 5000]), Content_Type=NDJSON)
        assert answer.status == 200, answer
        accepted += answer.json()["accepted"]
        duplicates += answer.json()["duplicates"]
    assert (len(events) - found, found) == (accepted, duplicates)
    load.acknowledged |= load.sent.keys()
    check(client, load, tally)
    tally.events += len(events)


# -- exports


def export(client: Client, **asked: Any) -> str | None:
    """The id of an export that was begun; None: the server was gone."""
    try:
        answer = client.post(json.dumps({"format": "ndjson"} | asked).encode(), EXPORTS)
    except (OSError, HTTPException):
        return None
    assert answer.status == 202, answer
    job_id: str = answer.json()["id"]
    return job_id


def finished(client: Client, job_id: str) -> Any:
    """The job when it is over."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        job = client.get(f"{EXPORTS}/{job_id}")
        if job["status"] in {"done", "failed", "cancelled"}:
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def exported(client: Client, job_id: str) -> Counter[str]:
    """How often each id is in the file of an export that must end in `done`."""
    job = finished(client, job_id)
    assert "done" == job["status"], job
    answer = client.request("GET", job["download_url"])
    assert answer.status == 200
    found = Counter(json.loads(line)["event_id"] for line in answer.body.splitlines())
    assert job["rows"] == job["rows_total"] == found.total()
    return found


def incompressible(name: str, size: int) -> list[Event]:
    """Events that take room on the disk."""
    return [made(f"{name} {n}", n) | {"subject": os.urandom(150).hex()} for n in range(size)]
