"""The page of benchmarks shows what was measured, and nothing else; all systems are asked alike."""

import json
import struct
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from benchmarks import bench, plots, report
from benchmarks.questions import QUESTIONS, Rows, cases
from benchmarks.rows import ROWS
from benchmarks.stream import Picks
from benchmarks.systems import System
from benchmarks.systems.duck import DuckDB
from benchmarks.systems.postledger import Postledger
from benchmarks.systems.raw import Raw
from benchmarks.targets import targets

from forked import CONTEXT
from postledger import demo

RESULTS = report.load(report.RESULTS)


def test_the_page_is_what_the_data_make() -> None:
    """docs/benchmarks.md is made of benchmarks/results, word for word."""
    assert report.PAGE.read_text(encoding="utf-8") == report.page(RESULTS), (
        "run python -m benchmarks.report"
    )


@pytest.mark.parametrize("group", plots.GROUPS, ids=lambda group: group.name)
def test_plots_show_the_data(group: plots.Group) -> None:
    """Each plot was drawn from the same data as the page, and is small."""
    file = report.PLOTS / f"{group.name}.png"
    assert plots.digest(group, RESULTS) == texts(file)[plots.KEYWORD]
    assert file.stat().st_size < 100_000


def texts(file: Path) -> dict[str, str]:
    """The texts in a PNG, by keyword."""
    data, at, found = file.read_bytes(), 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"tEXt":
            keyword, _, text = data[at + 8 : at + 8 + length].partition(b"\0")
            found[keyword.decode()] = text.decode()
        at += 12 + length
    return found


def test_every_figure_is_in_a_plot() -> None:
    """No line of the table is left out of the plots."""
    shown = [name for group in plots.GROUPS for name in group.figures]
    assert sorted(row.name for row in ROWS) == sorted(shown)


def figures(**medians: float) -> dict[str, Any]:
    return {
        name: {"median": value, "least": value, "most": value, "runs": 1}
        for name, value in medians.items()
    }


def test_a_target_that_is_missed_is_told() -> None:
    """Ratios count the right way round, and the page says plainly what was not reached."""
    ours = figures(
        intake_10000_1=50, intake_10000_8=40, bytes=100, series=2, count=4, count_tagged=30
    )
    theirs = figures(
        intake_10000_1=5, intake_10000_8=10, bytes=999, series=40, count=79, count_tagged=15
    )
    systems = {"postledger": {"figures": ours}, "postgresql": {"figures": theirs}}
    told = [one[1:] for one in targets({"scale": "1M", "systems": systems})]
    missed, reached = "**not reached**", "reached"
    assert told == [
        ("5.00 times", reached),
        ("9.99 times", missed),
        ("20.0 times", reached),
        ("19.8 times", missed),
        ("0.500 times", missed),
    ]


@pytest.mark.parametrize(
    ("busy", "told"), [({"busy": 3.0}, False), ({"busy": 90.0}, True), ({}, True)]
)
def test_a_busy_machine_is_told(busy: dict[str, float], *, told: bool) -> None:
    """The page warns of figures that were taken while other programs ran."""
    quiet = next(iter(RESULTS[0]["systems"].values())) | {"busy": 0.0}
    one = {name: value for name, value in quiet.items() if name != "busy"} | busy
    results = RESULTS[0] | {"systems": {"postledger": quiet, "postgresql": one}}
    assert told == ("The machine was not quiet" in report.page([results]))


def test_systems_are_asked_alike(tmp_path: Path) -> None:
    """Postledger over HTTP, DuckDB in SQL, and the raw engine give the same answers to every
    question of the benchmarks, of copies too, which each makes by itself; no answer is empty."""
    (body,) = demo.batches(4_000, size=4_000, end=bench.END, days=1)
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:  # one process holds one store
        answers, sizes = pool.submit(asked_of_all, tmp_path, body).result()
    assert answers[1:] == answers[:1] * 2
    assert all(answers[0])
    taken = 3 * sum(1 for _ in body.splitlines())
    assert sizes[0] == sizes[1] < sizes[2] == taken  # only the raw engine keeps repeats


def asked_of_all(place: Path, body: bytes) -> tuple[list[list[Rows]], list[int]]:
    """The answers and the number of events of each system."""
    answers, sizes = [], []
    for opened, name in ((DuckDB, "duckdb"), (Postledger, "store"), (Raw, "store")):
        system: System = opened(place / name)
        try:
            assert system.load([[body]]) > 0
            system.grow(3)
            assert system.settle() > 0
            answers.append(list(answered(system, picked(body))))
            sizes.append(system.size().events)
        finally:
            system.close()
    return answers, sizes


def answered(system: System, picks: Picks) -> Iterator[Rows]:
    for question in QUESTIONS:
        for values in cases(question, picks):
            yield system.rows(question, system.asking(question, values)())


def picked(body: bytes) -> Picks:
    events = [json.loads(line) for line in body.splitlines()[:400:40]]
    known = [event for event in events if "message_id" in event and "campaign_id" in event]
    return Picks(
        [event["rcpt_to"] for event in known],
        [event["message_id"] for event in known],
        [(event["type"], event["campaign_id"]) for event in known],
    )
