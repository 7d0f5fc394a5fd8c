"""Measure one system, or a part of it: what `benchmarks.compare` starts, in a process of its own.

    python -m benchmarks.measure SYSTEM PARTS SCALE WORK

Prints one JSON object: figures by name, each with median, least, most and number of runs, and a
digest of each answer.
"""

import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psutil

from benchmarks import bench
from benchmarks.questions import FORMS, QUESTIONS, Question, cases
from benchmarks.stream import INTAKES, ROUNDS, Picks, Stream
from benchmarks.systems import System
from benchmarks.systems.duck import DuckDB
from benchmarks.systems.postgresql import PostgreSQL
from benchmarks.systems.postledger import Postledger
from benchmarks.systems.raw import Raw

Figure = dict[str, float]
_OPENED: dict[str, tuple[Callable[[Path], System], str]] = {
    "postledger": (Postledger, "postledger"),
    "raw": (Raw, "postledger"),
    "postgresql": (PostgreSQL, "postgresql"),
    "duckdb": (DuckDB, "duckdb"),
}
"""How each is opened, and in which directory."""
_RUNS, _RUNS_OF_ONE = 5, 9
_LONG = 10.0
"""Seconds after which a question is not asked once more, if it was asked three times."""
_LONG_EXPORT = 20.0


def main() -> None:
    bench.leave_when_terminated()
    name, parts, scale, work = sys.argv[1:]
    opened, directory = _OPENED[name]
    stream = Stream(Path(work), scale)
    measured: dict[str, Any] = {
        "busy": psutil.cpu_percent(interval=2),
        "pace": pace(),
        "fsync": fsync(Path(work)),
        "figures": {},
        "answers": {},
    }
    system = opened(Path(work) / "systems" / directory)
    try:
        measured["version"] = system.version
        measured["indexes"] = list(system.indexes)
        for part in parts.split(","):
            _PARTS[part](system, stream, measured, Path(work))
    finally:
        system.close()
    json.dump(measured, sys.stdout)


def figure(values: Sequence[float]) -> Figure:
    return {
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
        "runs": len(values),
    }


def pace() -> Figure:
    """Milliseconds of a fixed piece of work: tells whether the machine was as fast as before."""
    body = bench.batches(2_000, 2_000)[0]

    def work() -> None:
        for line in body.split(b"\n"):
            hashlib.sha256(json.dumps(json.loads(line)).encode()).digest()

    return figure([bench.timed(work) * 1000 for _ in range(15)])


def fsync(place: Path) -> Figure:
    """Milliseconds of writing 4 KiB so that they are on disk."""

    def work() -> None:
        file.write(b"x" * 4096)
        os.fsync(file)

    with TemporaryFile(dir=place, buffering=0) as file:
        return figure([bench.timed(work) * 1000 for _ in range(101)])


def _say(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)


# -- the parts


def load(system: System, stream: Stream, measured: dict[str, Any], _: Path) -> None:
    seconds = system.load(stream.load())
    if stream.copies > 1:
        grown = bench.timed(lambda: system.grow(stream.copies))
        _say(f"{stream.copies} of each event in {grown:.0f} s")
    settled = system.settle()
    size = system.size()
    measured["events"] = size.events
    measured["figures"]["bytes"] = figure([size.bytes / size.events])
    if stream.copies == 1:
        measured["figures"]["load"] = figure([stream.lines / (seconds + settled)])
    _say(f"loaded in {seconds:.0f} s, settled in {settled:.0f} s, {size.bytes >> 20} MiB")


def ask(system: System, stream: Stream, measured: dict[str, Any], _: Path) -> None:
    picks = stream.picks()
    for question in QUESTIONS:
        found = figure(list(_asked(system, question, picks, measured["answers"])))
        measured["figures"][question.name] = found
        _say(f"{question.name}: {found['median']:.2f} ms")


def _asked(
    system: System, question: Question, picks: Picks, answers: dict[str, Any]
) -> Iterator[float]:
    """Milliseconds: of one case all runs, of several the median of each. The first run of each is
    not counted; its answer is kept to be compared."""
    asked = cases(question, picks)
    for number, values in enumerate(asked):
        work = system.asking(question, values)
        rows = system.rows(question, work())
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        answers[f"{question.name} {number}"] = [len(rows), digest]
        runs = timings(work, _RUNS if len(asked) > 1 else _RUNS_OF_ONE, _LONG)
        yield from [statistics.median(runs)] if len(asked) > 1 else runs


def timings(work: Callable[[], object], most: int, long: float) -> list[float]:
    """Milliseconds of up to `most` runs; of three at least, or of fewer when one takes long."""
    found: list[float] = []
    while len(found) < most and (len(found) < 3 or sum(found) < long * 1000):
        found.append(bench.timed(work) * 1000)
        if found[-1] > long * 1000:
            break
    return found


def export(system: System, stream: Stream, measured: dict[str, Any], work: Path) -> None:
    for form in FORMS:
        file = work / f"export.{form}"
        rates: list[float] = []
        started = time.perf_counter()
        while len(rates) < 3 and time.perf_counter() - started < _LONG_EXPORT:
            file.unlink(missing_ok=True)
            seconds = bench.timed(lambda: system.export(form, file))  # noqa: B023 -- runs at once
            rates.append(measured.get("events", stream.lines) / seconds)
        file.unlink(missing_ok=True)
        measured["figures"][f"export_{form}"] = figure(rates)
        _say(f"export to {form}: {statistics.median(rates):,.0f} events/s")


def intake(system: System, stream: Stream, measured: dict[str, Any], _: Path) -> None:
    rates: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        for way, bodies in stream.round(number).items():
            seconds = system.take(way, bodies)
            if seconds is not None:
                rates.setdefault(way.name, []).append(way.events / seconds)
    measured["figures"] |= {name: figure(found) for name, found in rates.items()}
    for way in INTAKES:
        if way.name in rates:
            _say(f"{way.name}: {statistics.median(rates[way.name]):,.0f} events/s")


_PARTS = {"load": load, "ask": ask, "export": export, "intake": intake}


if __name__ == "__main__":
    main()
