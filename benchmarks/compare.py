"""Postledger beside the raw engine, PostgreSQL and DuckDB: the same events, machine and questions.

    python -m benchmarks.compare [1M|10M|100M] [--systems ...] [--work DIRECTORY]

Writes benchmarks/results/SCALE.json, from which `benchmarks.report` makes docs/benchmarks.md. Each
system is alone on the machine while it is measured, in a process of its own. Their answers are
compared; figures of systems that answer differently are worth nothing, so then there are none.

The working directory holds all that the systems store, and is removed at the end. It wants a disk,
not a file system in memory, and room: 0.7 GB for each million events; with PostgreSQL 2.3, and 9
for its log. A hundred million are not exported, and want 0.3 and 1.9.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import bench, cluster
from benchmarks.stream import COPIES, SCALES, Stream
from benchmarks.systems import NAMES

RESULTS = Path(__file__).parent / "results"
_FIRST = "load,ask,export"
_FIRST_OF_COPIES = "load,ask"
"""To export a hundred million events as CSV takes 65 GB and a quarter of an hour."""
_GB_A_MILLION, _GB_OF_COPIES, _GB_OF_POSTGRESQL, _GB_OF_ITS_LOG = 0.7, 0.3, 1.6, 9


def main() -> None:
    bench.leave_when_terminated()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scale", nargs="?", default="1M", choices=SCALES)
    parser.add_argument("--systems", nargs="*", default=[*NAMES], choices=NAMES)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/postledger-bench"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--keep", action="store_true", help="keep the demo events for next time")
    options = parser.parse_args()
    work = options.work / options.scale
    try:
        run(options.scale, options.systems, work, options.out)
    finally:
        shutil.rmtree(work / "systems" if options.keep else work, ignore_errors=True)


def run(scale: str, systems: list[str], work: Path, out: Path) -> None:
    if "raw" in systems and "postledger" not in systems:
        raise SystemExit("the raw engine is asked on Postledger's table; measure both")
    if "postgresql" in systems:
        cluster.need()
    shutil.rmtree(work / "systems", ignore_errors=True)
    (work / "systems").mkdir(parents=True)
    _check_room(scale, systems, work)
    started = time.perf_counter()
    print(f"{scale}: {bench.machine()}")
    Stream(work, scale).make()
    print(f"demo events made in {time.perf_counter() - started:.0f} s", flush=True)
    results = _results(scale, out)
    for name, found in measured(systems, scale, work):
        results["systems"][name] = found
        _check_answers(results["systems"])
        _write(out / f"{scale}.json", results)
    print(f"{scale} done in {(time.perf_counter() - started) / 60:.0f} minutes")


def measured(systems: list[str], scale: str, work: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What was measured of each system. Postledger takes events in after the raw engine was asked,
    which is asked on its table."""
    ours: dict[str, Any] = {}
    first = _FIRST_OF_COPIES if scale in COPIES else _FIRST
    for name in (name for name in NAMES if name in systems):
        print(f"  {NAMES[name]}", flush=True)
        if name == "postledger":
            ours = _measure(name, first, scale, work)
        else:
            yield name, _measure(name, f"{first},intake", scale, work)
        if name == "raw" or (name == "postledger" and "raw" not in systems):
            print(f"  {NAMES['postledger']}, intake", flush=True)
            ours["figures"] |= _measure("postledger", "intake", scale, work)["figures"]
            shutil.rmtree(work / "systems" / "postledger")
            yield "postledger", ours


def _measure(name: str, parts: str, scale: str, work: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.measure", name, parts, scale, str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        try:
            said, _ = child.communicate()
        except BaseException:
            child.terminate()  # it stops what it has started
            raise
    if child.returncode:
        raise SystemExit(f"{name} could not be measured; see above")
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    return {"measured": when} | dict(json.loads(said.splitlines()[-1]))


def _check_answers(systems: dict[str, Any]) -> None:
    """Every system must give the same answers to all questions."""
    expected: dict[str, Any] = {}
    for name, found in systems.items():
        stored = {} if name == "raw" else {"number of events": found["events"]}
        for question, answer in (found["answers"] | stored).items():
            if expected.setdefault(question, answer) != answer:
                raise SystemExit(
                    f"{name} answers `{question}` with {answer}, others with {expected[question]}"
                )


def _check_room(scale: str, systems: list[str], work: Path) -> None:
    wanted = (_GB_OF_COPIES if scale in COPIES else _GB_A_MILLION) * SCALES[scale] / 1e6
    if "postgresql" in systems:
        wanted += _GB_OF_POSTGRESQL * SCALES[scale] / 1e6 + _GB_OF_ITS_LOG
    free = shutil.disk_usage(work).free / 1e9
    if free < wanted:
        raise SystemExit(
            f"{work} has {free:.0f} GB free, and {scale} wants about {wanted:.0f}; give another "
            'directory with WORK=, or leave PostgreSQL out: SYSTEMS="postledger raw duckdb"'
        )


def _results(scale: str, out: Path) -> dict[str, Any]:
    """What is there for this scale, of this machine; systems that are measured anew replace it."""
    file, here = out / f"{scale}.json", bench.machine()
    if file.exists():
        found = json.loads(file.read_text())
        if found["machine"] == here:
            found.pop("note", None)  # what was measured anew does not need it
            return dict(found)
    return {
        "scale": scale,
        "lines": SCALES[scale],
        "machine": here,
        "postgresql": cluster.settings(),
        "systems": {},
    }


def _write(file: Path, results: dict[str, Any]) -> None:
    order = [name for name in NAMES if name in results["systems"]]
    results["systems"] = {name: results["systems"][name] for name in order}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_rounded(results) + "\n")


def _rounded(results: dict[str, Any]) -> str:
    """Four digits are more than is known."""
    plain = json.loads(json.dumps(results), parse_float=lambda text: float(f"{float(text):.4g}"))
    return json.dumps(plain, indent=1)


if __name__ == "__main__":
    main()
