"""Each figure against the number of events, both axes logarithmic, a line for each system."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.rows import ROW
from benchmarks.systems import NAMES

KEYWORD = "Data"
"""Of the PNG's text that has the digest of what is shown."""
_COLOURS = dict(zip(NAMES, ("#0072b2", "#999999", "#d55e00", "#009e73"), strict=True))
_MARKERS = dict(zip(NAMES, "osD^", strict=True))
_WIDTH = 3
Points = dict[str, dict[str, list[tuple[int, float, float, float]]]]


class Group(NamedTuple):
    """The figures of one picture."""

    name: str
    title: str
    figures: tuple[str, ...]


GROUPS = (
    Group(
        "intake",
        "Intake",
        (
            "intake_1_1",
            "intake_100_1",
            "intake_10000_1",
            "intake_1_8",
            "intake_100_8",
            "intake_10000_8",
        ),
    ),
    Group("pages", "Lookups and pages", ("recipient", "message", "filtered", "keyword")),
    Group("figures", "Figures", ("count", "count_tagged", "series", "uniques", "domains")),
    Group("storage", "Load, room, exports", ("load", "bytes", "export_parquet", "export_csv")),
)


def points(group: Group, results: list[dict[str, Any]]) -> Points:
    """For each figure and system: events, median, least and most."""
    return {
        name: {
            system: [
                (each["lines"], found["median"], found["least"], found["most"])
                for each in results
                if (found := each["systems"].get(system, {}).get("figures", {}).get(name))
            ]
            for system in NAMES
        }
        for name in group.figures
    }


def digest(group: Group, results: list[dict[str, Any]]) -> str:
    """What says which data a picture shows."""
    return hashlib.sha256(json.dumps(points(group, results)).encode()).hexdigest()


def draw(group: Group, results: list[dict[str, Any]], file: Path) -> None:
    mpl.use("Agg")
    shown = points(group, results)
    rows = -(-len(shown) // _WIDTH) if len(shown) > _WIDTH + 1 else 1
    columns = -(-len(shown) // rows)
    figure = Figure(figsize=(3.2 * columns, 2.7 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, (name, systems) in zip(axes, shown.items(), strict=False):
        _panel(panel, name, systems)
    for panel in axes[len(shown) :]:
        panel.remove()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(NAMES), frameon=False)
    figure.savefig(file, dpi=90, metadata={"Software": None, KEYWORD: digest(group, results)})


def _panel(
    panel: Axes, name: str, systems: dict[str, list[tuple[int, float, float, float]]]
) -> None:
    for system, found in systems.items():
        sizes, medians = [one[0] for one in found], [one[1] for one in found]
        spread = [[one[1] - one[2] for one in found], [one[3] - one[1] for one in found]]
        panel.errorbar(
            sizes,
            medians,
            yerr=spread,
            label=NAMES[system],
            color=_COLOURS[system],
            marker=_MARKERS[system],
            markersize=4,
            linewidth=1.4,
            elinewidth=0.8,
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlim(5e5, 2e8)
    panel.set_title(ROW[name].title, fontsize=9)
    panel.set_ylabel(ROW[name].unit, fontsize=8)
    panel.set_xlabel("events", fontsize=8)
    panel.tick_params(which="both", labelsize=6)
    panel.grid(visible=True, which="major", linewidth=0.3)
