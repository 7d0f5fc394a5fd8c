"""Figures over HTTP, medians, beside the raw engine's time for the same statements.

    python -m benchmarks.load DIRECTORY [--events 10000000]
    python -m benchmarks.figures DIRECTORY

The raw engine is asked afterwards, in this process, to count the same from the events themselves:
that is what figures cost without roll-ups. It runs the statements that Postledger makes when it
does without them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import bench
from postledger.http.metrics import METRICS_PATH, parse
from postledger.metrics import GROUPS
from postledger.settings import load
from postledger.state.keys import DEFAULT_WORKSPACE
from postledger.store import metrics as statements
from postledger.store.engine import Engine
from postledger.store.rollups import Rollups, last_numbers

_TIMES = 9
_COUNTS = ("count_injected", "count_delivered", "count_bounce", "count_spam_complaint")
_BYTES = ("metric", "total_msg_volume")
Question = list[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    options = parser.parse_args()
    print(bench.machine())
    fold(options.directory)
    server = bench.Server(Path(options.directory))
    asked = dict(questions())
    ours = {name: over_http(server, question) for name, question in asked.items()}
    server.stop()
    raw = over_engine(options.directory, asked)
    for name, found in ours.items():
        middle, limit = statistics.median(found), raw[name]
        spread = f"{min(found):.1f} to {max(found):.1f}"
        print(f"{name:62} {middle:7.1f} ms ({spread}), from the events {limit:7.1f} ms")


def questions() -> Iterator[tuple[str, Question]]:
    end = ("to", f"{bench.END:%Y-%m-%d}")
    whole, month = [("from", "2026-08-01"), end], [("from", "2026-10-22"), end]
    counts = [("metric", name) for name in _COUNTS]
    for group in GROUPS:
        if group != "type":
            yield f"whole history by {group}", [*whole, *counts, ("group_by", group)]
    for zone in ("UTC", "Europe/Warsaw", "Asia/Kolkata"):
        daily = [("interval", "day"), ("timezone", zone)]
        yield f"whole history by day, {zone}", [*whole, *counts, *daily]
        yield f"the same, bytes instead of counts, {zone}", [*whole, _BYTES, *daily]
    one = [("recipient_domain", "gmail.com"), ("interval", "day")]
    yield "whole history by day, one recipient domain", [*whole, *counts, *one]
    two = [("recipient_domain", "gmail.com"), ("tag", "vip")]
    yield "two filters, 30 days", [*month, *counts, *two]
    yield "two filters, 30 days, by day", [*month, *counts, *two, ("interval", "day")]
    unique = [("metric", "count_unique_rendered"), ("group_by", "campaign_id")]
    yield "unique opens by campaign, 30 days", [*month, *unique]
    yield "what is shown unless metrics are named, 30 days", month
    yield "delivery times, 30 days", [*month, ("metric", "delivery_time_p95")]


def fold(directory: str) -> None:
    """Fold what is not folded yet, so that the server has nothing else to do."""
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 1}))
    try:
        rollups = Rollups(engine)
        found = engine.writer.query(last_numbers(engine.database)).result_rows
        stored = {workspace: int(number) for workspace, number in found}
        behind, started = rollups.behind(stored), time.perf_counter()
        while rollups.fold(stored):
            pass
        if behind:
            print(f"folded {behind / (time.perf_counter() - started):,.0f} events/s")
        ((events, size),) = engine.writer.query(
            "SELECT (SELECT count() FROM postledger.events), sum(bytes_on_disk) "
            "FROM system.parts WHERE active AND table = 'rollups'"
        ).result_rows
        print(f"{events:,} events, roll-ups {size / events:.1f} bytes an event")
    finally:
        engine.close()


def over_http(server: bench.Server, question: Question) -> list[float]:
    """Milliseconds of each of some answers, the first one left out."""
    path = f"{METRICS_PATH}?{urlencode(question)}"
    found = []
    for _ in range(_TIMES + 1):
        started = time.perf_counter()
        status, body = server.get(path)
        found.append((time.perf_counter() - started) * 1000)
        if status != 200 or not json.loads(body)["rows"]:
            raise SystemExit(f"{status}: {body[:300]!r}")
    return found[1:]


def over_engine(directory: str, asked: dict[str, Question]) -> dict[str, float]:
    """Milliseconds, the median, of the same without roll-ups."""
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 1}))
    found = {}
    try:
        with engine.reader() as client:
            for name, question in asked.items():
                query = parse(question, DEFAULT_WORKSPACE, datetime.now(UTC))
                times = []
                for _ in range(_TIMES // 2 + 1):
                    started = time.perf_counter()
                    statements.counted(
                        query,
                        engine.database,
                        lambda sql: [
                            json.loads(line)
                            for line in client.raw_query(
                                sql.text, sql.parameters, fmt="JSONCompactEachRow"
                            ).splitlines()
                        ],
                    )
                    times.append((time.perf_counter() - started) * 1000)
                found[name] = statistics.median(times[1:])
    finally:
        engine.close()
    return found


if __name__ == "__main__":
    main()
