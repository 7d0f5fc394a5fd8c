"""The demo events of a scale as files, made once for all systems, and what is asked about them.

Files are zstd, 100,000 lines each. The events of the load lie in the 90 days before `bench.END`;
those of the intake rounds follow them, a day for each round, as events do that come in later.

Of a hundred million events ten million are made and loaded. The others are copies of these, which
each system makes of its own table (`System.grow`).
"""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from heapq import nsmallest
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from backports import zstd

from benchmarks import bench
from postledger import demo

SCALES = {"10K": 10_000, "1M": 1_000_000, "10M": 10_000_000, "100M": 100_000_000}
COPIES = {"100M": 10}
"""How often each event of a load is there in the end."""
DAYS = 90
ROUNDS = 3
BATCH = 10_000
_LINES = 100_000
_PICKED = 9
_AT_ONCE = 4
T = TypeVar("T")


class Intake(NamedTuple):
    """A way in which events come: `bodies` of `size` events, on `connections`."""

    size: int
    connections: int
    bodies: int

    @property
    def events(self) -> int:
        return self.size * self.bodies

    @property
    def name(self) -> str:
        return f"intake_{self.size}_{self.connections}"


INTAKES = (
    Intake(1, 1, 100),
    Intake(1, 8, 400),
    Intake(100, 1, 50),
    Intake(100, 8, 80),
    Intake(10_000, 1, 10),
    Intake(10_000, 8, 16),
)


class Picks(NamedTuple):
    """What lookups and pages ask for: values that some of the events have, picked by their hash."""

    recipients: list[str]
    messages: list[str]
    campaigns: list[tuple[str, str]]
    """Type and campaign of events of the last ten days."""


class Stream:
    """The files of one scale in a directory. `make` makes what is not there."""

    def __init__(self, place: Path, scale: str) -> None:
        self.copies = COPIES.get(scale, 1)
        self.lines = SCALES[scale] // self.copies
        self._place = place / "events"

    def make(self) -> None:
        done = self._place / "picks.json"
        if done.exists():
            return
        self._place.mkdir(parents=True, exist_ok=True)
        found = _Found()
        size = min(_LINES, self.lines)
        load = demo.batches(self.lines, size=size, end=bench.END, days=DAYS)
        for number, body in enumerate(load):
            self._file(f"load{number:04}").write_bytes(zstd.compress(body, 1))
            found.look(body)
        for number in range(ROUNDS):
            rest = demo.lines(
                sum(way.events for way in INTAKES),
                seed=100 + number,
                end=bench.END + timedelta(days=number + 1),
                days=1,
            )
            self._file(f"round{number}").write_bytes(zstd.compress(b"\n".join(rest), 1))
        done.write_text(json.dumps(found.picks()))

    def picks(self) -> Picks:
        recipients, messages, campaigns = json.loads((self._place / "picks.json").read_text())
        return Picks(recipients, messages, [(kind, name) for kind, name in campaigns])

    def load(self) -> Iterator[list[bytes]]:
        """The bodies of the load, of `BATCH` events each; some at once, to be kept in memory."""
        files = iter(sorted(self._place.glob("load*")))
        while several := list(islice(files, _AT_ONCE)):
            yield [body for file in several for body in _bodies(_lines(file), BATCH)]

    def round(self, number: int) -> dict[Intake, list[bytes]]:
        """The bodies of an intake round, by the way in which they come."""
        lines = iter(_lines(self._file(f"round{number}")))
        return {way: list(_bodies(islice(lines, way.events), way.size)) for way in INTAKES}

    def _file(self, name: str) -> Path:
        return self._place / f"{name}.ndjson.zst"


def _lines(file: Path) -> list[bytes]:
    return zstd.decompress(file.read_bytes()).split(b"\n")


def _bodies(lines: Iterable[bytes], size: int) -> Iterator[bytes]:
    rest = iter(lines)
    return iter(lambda: b"\n".join(islice(rest, size)), b"")


_RECIPIENT = re.compile(rb'"rcpt_to":"([^"\\]*)"')
_MESSAGE = re.compile(rb'"message_id":"([^"\\]*)"')
_CAMPAIGN = re.compile(
    rb'"type":"([a-z_]*)","timestamp":"([^"]*)","event_id":"[^"]*","message_id":"[^"]*",'
    rb'"campaign_id":"([^"\\]*)"'
)


class _Found:
    """The values with the least hashes so far."""

    def __init__(self) -> None:
        self._recipients: list[bytes] = []
        self._messages: list[bytes] = []
        self._campaigns: list[tuple[bytes, bytes]] = []

    def look(self, body: bytes) -> None:
        recent = f"{bench.END - timedelta(days=10):%Y-%m-%d}".encode()
        pairs = {(kind, name) for kind, at, name in _CAMPAIGN.findall(body) if at > recent}
        self._recipients = _least([*self._recipients, *_RECIPIENT.findall(body)], zlib.crc32)
        self._messages = _least([*self._messages, *_MESSAGE.findall(body)], zlib.crc32)
        self._campaigns = _least(
            [*self._campaigns, *pairs], lambda pair: zlib.crc32(b"".join(pair))
        )

    def picks(self) -> Picks:
        return Picks(
            [value.decode() for value in self._recipients],
            [value.decode() for value in self._messages],
            [(kind.decode(), name.decode()) for kind, name in self._campaigns],
        )


def _least(values: Iterable[T], key: Callable[[T], int]) -> list[T]:
    return nsmallest(_PICKED, set(values), key=key)
