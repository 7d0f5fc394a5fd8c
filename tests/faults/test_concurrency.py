"""Many who write and many who read at once; every answer is held against what had been
acknowledged when it was asked for, and what had been sent when it came."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

from loading import METRICS, export, exported

from conftest import Client, Server, new_client
from faulting import Tally, chance, seconds
from making import ALL_TIME, NDJSON, Event, event, lines

WRITERS = 3
SIZES = (1, 10, 100)
PAUSE = 0.02
"""Before each asks again, so that in ten minutes no more comes than readers can walk."""
DAYS = 90
LAST = date(2024, 10, 4)
BY_DAY = pow(37, -1, DAYS)

Hand = Callable[[random.Random], None]


def made(writer: int, number: int) -> Event:
    """Each goes to another day, in no order: most events are late."""
    when = number % 86_400 - number * 37 % DAYS * 86_400
    name = f"w{writer} {number:07}"
    return event(when, event_id=name, campaign_id=f"c{number % 7}", message_id=f"m{name}")


def of_day(day: int, most: int) -> range:
    """The numbers below `most` whose event is so many days back."""
    return range(day * BY_DAY % DAYS, most, DAYS)


def of_campaign(campaign: int, most: int) -> int:
    """How many numbers below `most` have it."""
    return len(range(campaign, most, 7))


class Hands:
    """What the threads do. Writer w has acknowledged numbers below `told[w]`, and sent those below
    `sent[w]`; whether the rest has been stored yet, nobody knows."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sent = [0] * WRITERS
        self.told = [0] * WRITERS
        self.fed = [0] * WRITERS
        self.after = ""
        self.repeats = 0
        self.answers: Counter[str] = Counter()

    def write(self, writer: int, dice: random.Random) -> None:
        """New events, and some of the last ones again."""
        first, size = self.sent[writer], dice.choice(SIZES)
        again = range(max(0, first - size), first) if dice.random() < 0.3 else range(0)
        self.sent[writer] = first + size
        body = lines(*(made(writer, number) for number in (*again, *range(first, first + size))))
        answer = self.client.post(body, Content_Type=NDJSON)
        told = answer.json()
        assert (200, size) == (answer.status, told.get("accepted")), answer
        assert len(again) == told["duplicates"]
        self.told[writer] = first + size
        self.repeats += len(again)

    def total(self, _: random.Random) -> None:
        least = sum(self.told)
        path = f"/ledger/v1/events?{ALL_TIME}&limit=1&total=true"
        found = self.client.get(path)["total"]
        assert least <= found <= sum(self.sent)

    def figures(self, _: random.Random) -> None:
        told = list(self.told)
        rows = self.client.get(f"{METRICS}&group_by=campaign_id")["rows"]
        found = {row["campaign_id"]: row["count_delivered"] for row in rows}
        sent = list(self.sent)
        for campaign in range(7):
            least = sum(of_campaign(campaign, number) for number in told)
            most = sum(of_campaign(campaign, number) for number in sent)
            assert least <= found.get(f"c{campaign}", 0) <= most

    def walk(self, dice: random.Random) -> None:
        """Pages of a day: in order, none twice, all that were acknowledged before."""
        day, order = dice.randrange(DAYS), dice.choice(("asc", "desc"))
        told = list(self.told)
        start = LAST - timedelta(days=day)
        path = f"/ledger/v1/events?from={start}&to={start + timedelta(days=1)}&order={order}"
        pages = self.client.pages(f"{path}&limit={dice.choice((200, 2000))}")
        found = [(one["timestamp"], one["event_id"]) for page in pages for one in page]
        assert sorted(set(found), reverse=order == "desc") == found
        names = {name for _, name in found}
        least, most = self._of_day(day, told), self._of_day(day, self.sent)
        assert least <= names <= most

    def _of_day(self, day: int, numbers: list[int]) -> set[str]:
        return {
            f"w{writer} {number:07}"
            for writer, most in enumerate(list(numbers))
            for number in of_day(day, most)
        }

    def feed(self, dice: random.Random) -> None:
        """Each writer's events one after the other, none left out."""
        told = list(self.told)
        page = self.client.get(f"/ledger/v1/feed?limit={dice.choice((500, 5000))}{self.after}")
        for one in page["events"]:
            writer, number = int(one["event_id"][1]), int(one["event_id"][3:])
            assert self.fed[writer] == number, one
            self.fed[writer] += 1
        self.after = f"&after={page['next']}"
        if not page["events"]:
            assert all(fed >= least for fed, least in zip(self.fed, told, strict=True))

    def one(self, dice: random.Random) -> None:
        """What was acknowledged is found, by its id and by its message."""
        writer = dice.randrange(WRITERS)
        if not self.told[writer]:
            return
        wanted = made(writer, dice.randrange(self.told[writer]))
        found = self.client.get(f"/ledger/v1/events/{wanted['event_id'].replace(' ', '%20')}")
        assert wanted.items() <= found.items()
        told = self.client.get(f"/ledger/v1/messages/{wanted['message_id'].replace(' ', '%20')}")
        (recipient,) = told["recipients"]
        assert [wanted["event_id"]] == [each["event_id"] for each in recipient["events"]]


def test_concurrency(server: Server, tally: Tally) -> None:
    """No answer lacks what was acknowledged, has anything twice, or has what was never sent; at
    the end the feed, the figures and an export have all."""
    hands = Hands(new_client(server, ("admin",)))
    writers: list[tuple[str, Hand]] = [("write", _writer(hands, w)) for w in range(WRITERS)]
    readers = [(hand.__name__, hand) for hand in _readers(hands)]
    _all_at_once(hands, writers + readers, seconds(6))
    assert all(hands.answers[name] for name, _ in readers + writers), hands.answers
    while sum(hands.fed) < sum(hands.told):
        hands.feed(chance())
    assert hands.sent == hands.told == hands.fed
    hands.total(chance())
    hands.figures(chance())
    job_id = export(hands.client)
    assert job_id is not None
    everything = {f"w{w} {n:07}" for w, most in enumerate(hands.told) for n in range(most)}
    tally.compare(everything, exported(hands.client, job_id), everything)
    tally.rounds, tally.events, tally.faults = 1, len(everything), hands.repeats
    tally.answers = sum(hands.answers.values())


def _writer(hands: Hands, writer: int) -> Hand:
    return lambda dice: hands.write(writer, dice)


def _readers(hands: Hands) -> list[Hand]:
    return [hands.total, hands.figures, hands.walk, hands.feed, hands.one]


def _all_at_once(hands: Hands, work: list[tuple[str, Hand]], length: float) -> None:
    """Each in a thread of its own, again and again, for so many seconds or until one fails."""
    until = time.monotonic() + length
    failed: list[BaseException] = []

    def run(name: str, hand: Hand, dice: random.Random) -> None:
        try:
            while time.monotonic() < until and not failed:
                hand(dice)
                hands.answers[name] += 1
                time.sleep(PAUSE)
        except BaseException as error:  # noqa: BLE001 -- told below
            failed.append(error)

    threads = [
        threading.Thread(target=run, args=(name, hand, chance(number)))
        for number, (name, hand) in enumerate(work)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
