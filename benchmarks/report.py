"""Make docs/benchmarks.md and its plots from benchmarks/results/*.json.

    python -m benchmarks.report

Nothing on the page was typed in: a figure that is there was measured. A test makes the page again
and compares; each plot carries a digest of the data that it shows.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.rows import ROWS, Row, number, times_better
from benchmarks.stream import SCALES
from benchmarks.systems import NAMES
from benchmarks.targets import targets

HOME = Path(__file__).parent
RESULTS = HOME / "results"
PAGE = HOME.parent / "docs" / "benchmarks.md"
PLOTS = HOME.parent / "docs" / "benchmarks"
Results = dict[str, Any]
_QUIET = 10.0
"""Percent of the processors that other programs may take."""

_OTHERS = [name for name in NAMES if name != "postledger"]
_HEAD = """\
# Benchmarks

<!-- Made by benchmarks/report.py from benchmarks/results/*.json; run make bench. -->

Postledger beside what else could keep the same events: the engine that it is built on, PostgreSQL,
and DuckDB. Same machine, same events, same questions; every answer was compared, and all systems
gave the same ones.

```console
make bench                # 1 million events, some minutes
make bench SCALE=10M      # or 100M; WORK= is where all is kept meanwhile, SYSTEMS= leaves some out
```

PostgreSQL is installed from Debian's packages when it is missing, which needs root. It runs on a
Unix socket in the working directory, with its own data, and is stopped and removed afterwards.
"""


def main() -> None:
    results = load(RESULTS)
    PLOTS.mkdir(exist_ok=True)
    for group in plots.GROUPS:
        plots.draw(group, results, PLOTS / f"{group.name}.png")
    PAGE.write_text(page(results), encoding="utf-8")
    print(f"{PAGE} made from {', '.join(each['scale'] for each in results)}")


def load(place: Path) -> list[Results]:
    """The results of each scale that was measured, the smallest first."""
    found = [place / f"{scale}.json" for scale in SCALES]
    return [json.loads(file.read_text(encoding="utf-8")) for file in found if file.exists()]


def page(results: list[Results]) -> str:
    """The whole page, as Markdown."""
    parts = [_HEAD, _targets(results), *(_scale(each) for each in results), _plots()]
    parts += [_meaning(), (HOME / "method.md").read_text(encoding="utf-8"), _settings(results)]
    return "\n".join(parts)


def _targets(results: list[Results]) -> str:
    lines = ["## What was wanted\n", "| Wanted | Events | Measured | |", "|---|---|---|---|"]
    for each in results:
        lines += [
            f"| {one.wanted} | {each['scale']} | {one.measured} | {one.verdict} |"
            for one in targets(each)
        ]
    if not any(each["scale"] == "100M" for each in results):
        lines.append("| Lookups within 15 ms | 100M | | not measured |")
    return "\n".join(lines) + "\n"


def _scale(results: Results) -> str:
    systems = results["systems"]
    versions = ", ".join(f"{NAMES[name]} {found['version']}" for name, found in systems.items())
    return "\n".join(
        [
            f"## {results['lines']:,} events\n",
            f"{results['machine']}. {versions}. Measured {_when(systems)} UTC.\n",
            *([f"{results['note']}\n"] if "note" in results else []),
            *_warning(systems),
            *_table(systems),
            "",
            _pace(systems),
        ]
    )


def _warning(systems: dict[str, Any]) -> Iterator[str]:
    """Unless the machine is known to have been quiet."""
    if any(found.get("busy", 100) > _QUIET for found in systems.values()):
        yield (
            "**The machine was not quiet.** Other programs ran meanwhile, as the lines below the "
            "table say. Such figures and ratios are not to be relied on, but for the room that "
            "events take; measure again on a quiet machine.\n"
        )


def _when(systems: dict[str, Any]) -> str:
    moments = sorted(found["measured"] for found in systems.values())
    return f"from {moments[0]} to {moments[-1]}"


def _table(systems: dict[str, Any]) -> Iterator[str]:
    """A line for each figure: every system's, then how many times better Postledger's is."""
    ratios = [f"x {NAMES[name]}" for name in _OTHERS]
    head = ["", *NAMES.values(), *ratios]
    yield f"| {' | '.join(head)} |".replace("|  |", "| |", 1)
    yield "|---" * len(head) + "|"
    for row in ROWS:
        figures = {name: found["figures"].get(row.name) for name, found in systems.items()}
        if not any(figures.values()):
            continue
        cells = [_cell(figures.get(name)) for name in NAMES]
        cells += [_ratio(row, figures.get("postledger"), figures.get(name)) for name in _OTHERS]
        yield f"| {row.title}, {row.unit} | {' | '.join(cells)} |"


def _cell(figure: dict[str, float] | None) -> str:
    if figure is None:
        return "-"
    if figure["runs"] == 1:
        return number(figure["median"])
    least, most = number(figure["least"]), number(figure["most"])
    return f"**{number(figure['median'])}** ({least} to {most})"


def _ratio(row: Row, ours: dict[str, float] | None, other: dict[str, float] | None) -> str:
    if ours is None or other is None:
        return "-"
    return number(times_better(row, ours["median"], other["median"]))


def _pace(systems: dict[str, Any]) -> str:
    """How fast the machine was at each system's turn."""
    found = ", ".join(
        f"{NAMES[name]} {number(one['pace']['median'])}, {number(one['fsync']['median'])} "
        f"and {_busy(one)}"
        for name, one in systems.items()
    )
    return (
        "Medians, and the least and the most of all runs. The last columns say how many times "
        "better Postledger is: more events a second, fewer milliseconds, fewer bytes; below 1 it "
        "is worse. - means not measured. What the machine was like before each system's turn, in "
        "milliseconds for a fixed piece of work, milliseconds for an fsync of 4 KiB, and what "
        f"other programs took of the processors: {found}.\n"
    )


def _busy(found: dict[str, Any]) -> str:
    return f"{found['busy']:.0f} %" if "busy" in found else "an unknown part"


def _plots() -> str:
    lines = ["## Against size\n", "Both axes are logarithmic; a flat line stays as fast.\n"]
    lines += [f"![{group.title}](benchmarks/{group.name}.png)\n" for group in plots.GROUPS]
    return "\n".join(lines)


def _meaning() -> str:
    lines = ["## What the lines are\n", "| Line | What is done |", "|---|---|"]
    return "\n".join([*lines, *(f"| {row.title} | {row.meaning} |" for row in ROWS)]) + "\n"


def _settings(results: list[Results]) -> str:
    """Of the latest run: PostgreSQL's settings, and the indexes of the databases."""
    if not results:
        return ""
    lines = ["### Settings of PostgreSQL\n", "```ini"]
    lines += [f"{name} = {value}" for name, value in results[-1]["postgresql"].items()]
    lines.append("```\n")
    for name, found in results[-1]["systems"].items():
        if found["indexes"]:
            text = ";\n".join(found["indexes"])
            lines += [f"### Indexes of {NAMES[name]}\n", "```sql", f"{text};", "```\n"]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
