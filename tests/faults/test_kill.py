"""SIGKILL at any moment loses nothing that was acknowledged, and repeats nothing."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from loading import Load, check, complete, export, exported, figures, listed

from conftest import Client, Server, new_client
from faulting import Tally, chance, long
from making import event

STRIKES = ("intake", "roll-ups", "export")
"""What is under way when the process is killed, in turn."""


def test_kill(start: Callable[..., Server], tally: Tally) -> None:
    """After each SIGKILL and start every acknowledged event is there once, in pages, feed and
    figures; exports are done with each row once; sending all again makes the ledger whole. At the
    end the ledgers of all rounds are as they were."""
    dice = chance()
    running = start(POSTLEDGER_EXPORT_KEEP_DAYS="0").start()
    kept: list[tuple[Client, int]] = []
    for number in tally.turns(small=3):
        client = new_client(running, ("admin",))
        load = Load(client, f"round {number}")
        jobs = _strike(STRIKES[number % 3], running, load, dice)
        load.join()
        tally.faults += 1
        client = Client(running.start().client.address, client.key)
        check(client, load, tally)
        for job_id, before in jobs.items():
            rows = exported(client, job_id)
            tally.compare(before, rows, load.sent)
            tally.answers += 1
        complete(client, load, tally)
        kept.append((client, len(load.sent)))
    for client, size in kept:
        again = Client(running.client.address, client.key)
        assert size == again.get("/ledger/v1/events?from=2024-01-01&limit=1&total=true")["total"]
        assert size == sum(figures(again)["campaign"].values())
        tally.answers += 3
    assert 0 == running.stop()
    assert "differ" not in running.command("doctor")


def _strike(what: str, running: Server, load: Load, dice: random.Random) -> dict[str, set[str]]:
    """Kill the server while it does this; the exports that were begun before, each with what was
    acknowledged by then."""
    jobs: dict[str, set[str]] = {}
    load.start()
    time.sleep(dice.uniform(0.3, 1.2))
    if what == "roll-ups":
        load.stop()
        _wait_for(_rollups(running), dice.uniform(0.9, 3), sharp=dice.random() < 0.5)
        time.sleep(dice.uniform(0, 0.05))
    else:
        for _ in range(1 if what == "intake" else 2):
            before = set(load.acknowledged)
            job_id = export(load.client)
            jobs |= {job_id: before} if job_id else {}
        time.sleep(dice.uniform(0, 0.4))
    running.kill()
    assert load.answers, "the load was none"
    return jobs


def _rollups(running: Server) -> Path:
    """Where the engine keeps the table of roll-ups."""
    events = Path(running.environment()["POSTLEDGER_DATA_DIR"]) / "events"
    return events / "data" / "postledger" / "rollups"


def _wait_for(table: Path, seconds: float, *, sharp: bool) -> None:
    """For so long, or with `sharp` until something is written to the table."""
    before = set(table.iterdir())
    until = time.monotonic() + seconds + 3 * sharp
    while time.monotonic() < until and not (sharp and set(table.iterdir()) - before):
        time.sleep(0.001)


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
    for number, tail in enumerate(TAILS[:: long(3, 1)]):
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
