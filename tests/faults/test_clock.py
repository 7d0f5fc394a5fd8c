"""A clock that jumps, for the server alone: `libfaketime` (a package of Debian) gives it another
time, which changes while it runs. What measures durations is left as it is, as on a machine whose
clock is set."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from glob import glob
from pathlib import Path

import pytest
from loading import Load, check, complete, export, exported

from conftest import Client, Server, keyring_of, new_client
from faulting import Tally, chance
from making import NDJSON, event, lines

HOUR, DAY, YEAR = 3600, 86_400, 31_557_600
JUMPS = (2, -2, HOUR, -HOUR, DAY, -DAY, 400 * DAY, -400 * DAY, -20 * YEAR, 100 * YEAR, -55 * YEAR)
"""Seconds that the server's clock is ahead of the right one."""


class Clock:
    """The clock of a server."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        found = glob("/usr/lib/*/faketime/libfaketime.so.1")  # noqa: PTH207 -- two levels
        if not found:
            pytest.skip("libfaketime is not installed")
        return {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead: int) -> None:
        """At once, so that no half of it is read."""
        part = self._path.with_suffix(".part")
        part.write_text(f"{ahead:+}", encoding="ascii")
        part.replace(self._path)


def test_jumps(start: Callable[..., Server], tmp_path: Path, tally: Tally) -> None:
    """Under load, with exports under way, through starts and SIGKILL with a wrong clock: all is
    there once, the feed has the order of storing, and keys live as long as the clock says."""
    dice = chance()
    clock = Clock(tmp_path / "clock")
    running = start(**clock.environment, POSTLEDGER_EXPORT_KEEP_DAYS="0")
    running.fresh = True  # the library takes its place when a program is loaded
    running.start()
    for number in tally.turns(small=1, share=20):
        client = new_client(running, ("admin",))
        _in_order(new_client(running), clock, dice, tally)
        _keys(running, clock)
        load = Load(client, f"round {number}", (1, 1, 20, 1000))
        load.start()
        job_id = export(client)
        for ahead in dice.sample(JUMPS, 3):
            time.sleep(dice.uniform(0.05, 0.3))
            clock.set(ahead)
            tally.faults += 1
        if number % 2 == 0:
            running.kill()
            tally.faults += 1
        load.stop()
        if number % 2 == 0:
            client = Client(running.start().client.address, client.key)
        check(client, load, tally)
        assert job_id is not None
        tally.compare((), exported(client, job_id), load.sent)
        complete(client, load, tally)
    clock.set(0)
    assert 0 == running.stop()
    assert "Traceback" not in running.log.read_text()
    assert "differ" not in running.command("doctor")


ORDERED = [f"e{number:06}" for number in range(20)]


def _in_order(client: Client, clock: Clock, dice: random.Random, tally: Tally) -> None:
    """Events that are stored one after the other while the clock jumps."""
    for each in ORDERED:
        clock.set(dice.choice(JUMPS))
        tally.faults += 1
        one = event(event_id=each)
        assert 200 == client.post(lines(one), Content_Type=NDJSON).status
    clock.set(0)
    feed = client.get("/ledger/v1/feed?limit=1000")["events"]
    assert ORDERED == [one["event_id"] for one in feed]
    assert len({one["received_at"][:4] for one in feed}) > 1, "the clock stood still"


def _keys(running: Server, clock: Clock) -> None:
    """A key that has expired is refused, whatever the clock said before; one that is revoked stays
    so."""
    ring = keyring_of(running)
    name = f"keys-{time.monotonic_ns()}"
    ring.create_workspace(name)
    soon = datetime.now(UTC) + timedelta(hours=2)
    text, _ = ring.create_key(name, ["events:read"], expires_at=soon)
    gone, key = ring.create_key(name, ["events:read"])
    assert [200, 200] == [_asked(running, each) for each in (text, gone)]
    ring.revoke(key.id)
    for ahead, status in ((HOUR, 200), (DAY, 401), (-DAY, 200), (0, 200)):
        clock.set(ahead)
        assert [status, 401] == [_asked(running, each) for each in (text, gone)]


def _asked(running: Server, key: str) -> int:
    return Client(running.client.address, key).request("GET", "/ledger/v1/feed?limit=1").status
