"""Figures as a chart in a file: lines in the course of time, bars of groups or of metrics.

The only module that imports matplotlib. It draws without a display, and without the state that
`pyplot` keeps.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, PercentFormatter

from postledger.cli.figures import Asked, Figures, Series, Unit, unit_of, written
from postledger.cli.output import printable
from postledger.intervals import LENGTHS
from postledger.metrics import METRICS

MOST_LINES, MOST_BARS, MOST_PANELS = 8, 30, 4
"""What can be told apart, and read, in one chart."""
_LONGEST_NAME = 40
_MOST_MARKED = 60

# Okabe and Ito's colours, which people who see few colours tell apart; not its yellow, on white.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f7f7f")
_DASHES = ("-", "--")
# What the first does not have, the others may; those that are not installed are left out.
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Arabic", "Noto Sans")
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "postledger",
    "text.parse_math": False,  # a dollar in a subject is a dollar
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "axes.titlesize": "medium",
    "figure.titlesize": "medium",
}


@dataclass(frozen=True, slots=True)
class Panel:
    """Axes of their own: figures of one unit, each with the name of its line or bar."""

    title: str
    label: str
    unit: Unit
    times: tuple[datetime, ...]
    figures: tuple[tuple[str, tuple[float, ...]], ...]


def draw(path: Path, asked: Asked, found: Figures, series: Sequence[Series]) -> list[str]:
    """Draw a chart into a file; a sentence for each kind of thing that it has no room for."""
    planned = _of_groups(series, asked.metrics) if asked.groups else _of_units(series[0])
    panels = [_cut(panel, found.interval) for panel in planned[:MOST_PANELS]]
    fonts = [name for name in _FONTS if name in get_font_names()]
    with mpl.rc_context(_STYLE | {"font.family": fonts}):
        figure = _lines(panels, found) if found.interval else _bars(panels, asked)
        figure.suptitle(f"{_title(panels, found, asked)}\n{_range(found, asked)}")
        form = path.suffix[1:].lower()
        metadata: dict[str, Any] = {"Date": None} if form == "svg" else {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            figure.savefig(path, format=form, dpi=150, metadata=metadata)
    left_out = _left_out(planned, panels, "groups" if asked.groups else "metrics")
    if form == "png" and any("missing from font" in str(each.message) for each in caught):
        left_out.append("some letters are in no font of this machine; in an .svg they are text")
    return left_out


# -- what is drawn


def _of_groups(series: Sequence[Series], metrics: Sequence[str]) -> list[Panel]:
    """A panel for each metric, with a line or a bar for each group."""
    times = series[0].times
    return [
        Panel(
            _meaning(name),
            f"{name}, {unit_of(name).value}",
            unit_of(name),
            times,
            tuple((_short(" / ".join(one.group)), one.values[name]) for one in series),
        )
        for name in metrics
    ]


def _of_units(one: Series) -> list[Panel]:
    """A panel for each unit, with a line or a bar for each metric; events and messages are one."""
    units: dict[Unit, list[str]] = {}
    for name in one.values:
        unit = unit_of(name)
        units.setdefault(Unit.EVENTS if unit is Unit.MESSAGES else unit, []).append(name)
    if len(one.values) == 1:
        return _of_groups([one], tuple(one.values))
    labels = {unit: names[0] if len(names) == 1 else "" for unit, names in units.items()}
    return [
        Panel(
            "",
            ", ".join(filter(None, [labels[unit], unit.value])),
            unit,
            one.times,
            tuple((name, one.values[name]) for name in names),
        )
        for unit, names in units.items()
    ]


def _cut(panel: Panel, interval: str | None) -> Panel:
    return replace(panel, figures=panel.figures[: MOST_LINES if interval else MOST_BARS])


def _left_out(planned: Sequence[Panel], panels: Sequence[Panel], what: str) -> list[str]:
    """What there is no room for; each sentence once, as panels may have the same groups."""
    said: dict[str, None] = {}
    for before, after in zip(planned, panels, strict=False):
        gone = len(before.figures) - len(after.figures)
        if gone:
            said[f"{gone:,} {what} are left out of the chart, {len(after.figures)} are in it"] = (
                None
            )
    gone = len(planned) - len(panels)
    if gone:
        said[f"{gone} metrics are left out of the chart, {len(panels)} are in it"] = None
    return list(said)


def _title(panels: Sequence[Panel], found: Figures, asked: Asked) -> str:
    what = panels[0].title if len(panels) == 1 and panels[0].title else "Figures"
    by = f" by {', '.join(asked.groups)}" if asked.groups else ""
    return f"{what}{by}{f', per {found.interval}' if found.interval else ''}"


def _range(found: Figures, asked: Asked) -> str:
    zone = ZoneInfo(found.timezone)
    begin, end = (
        datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M")
        for text in (found.start, found.end)
    )
    filters = (_short(f"{name} {printable(value)}") for name, value in asked.filters)
    return ", ".join([f"{begin} to {end}, {found.timezone}", *filters])


def _meaning(name: str) -> str:
    """A metric's name, with its meaning."""
    if name not in METRICS:
        return name
    meaning = METRICS[name].meaning
    return f"{name} ({meaning[0].lower()}{meaning[1:]})"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


# -- how


def _lines(panels: Sequence[Panel], found: Figures) -> Figure:
    """Panels below each other, with one time axis."""
    figure = Figure(figsize=(10, 1.4 + 3.6 * len(panels)), layout="constrained")
    every: list[Axes] = list(figure.subplots(len(panels), 1, sharex=True, squeeze=False).flat)
    for axes, panel in zip(every, panels, strict=True):
        _line_panel(axes, panel)
        if len(panels) > 1:
            axes.set_title(panel.title, loc="left")
    if len({tuple(name for name, _ in panel.figures) for panel in panels}) == 1:
        _legend(figure.legend, every[0], panels[0], loc="outside right upper")
    else:
        for axes, panel in zip(every, panels, strict=True):
            _legend(axes.legend, axes, panel, loc="upper left", bbox_to_anchor=(1, 1))
    figure.align_ylabels(every)
    if len(times := panels[0].times) == 1:
        around: Any = LENGTHS[found.interval or "day"]
        every[-1].set_xlim(times[0] - around, times[0] + around)
    _time_axis(every[-1], found)
    return figure


def _line_panel(axes: Axes, panel: Panel) -> None:
    times: Any = panel.times
    marker = "o" if len(times) <= _MOST_MARKED else ""
    for at, (_, values) in enumerate(panel.figures):
        dashes = _DASHES[at % len(_DASHES)]
        axes.plot(times, values, dashes, color=_COLOURS[at], marker=marker, markersize=3.5)
    axes.set_ylabel(panel.label)
    axes.set_ylim(0, None if _has_something(panel) else 1)
    _number_axis(axes.yaxis, panel.unit)


def _legend(place: Callable[..., Any], axes: Axes, panel: Panel, **where: object) -> None:
    """Names of lines, beside them; one line needs none."""
    if len(panel.figures) > 1:
        place(axes.get_lines(), [name for name, _ in panel.figures], **where)


def _time_axis(axes: Axes, found: Figures) -> None:
    zone = ZoneInfo(found.timezone)
    locator: Any = AutoDateLocator(tz=zone, minticks=4, maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, tz=zone)  # type: ignore[no-untyped-call]
    )
    axes.set_xlabel(f"start of each {found.interval}, {found.timezone}")


def _bars(panels: Sequence[Panel], asked: Asked) -> Figure:
    """Bars from the left, the first at the top; of groups side by side, with their names once."""
    tall = [len(panel.figures) for panel in panels]
    grouped = bool(asked.groups)
    rows = max(tall) if grouped else sum(tall) + 2 * len(tall)
    figure = Figure(figsize=(10, 1.8 + 0.3 * rows), layout="constrained")
    shape = (1, len(panels)) if grouped else (len(panels), 1)
    ratios: Any = {} if grouped else {"height_ratios": [count + 1 for count in tall]}
    every = figure.subplots(*shape, sharey=grouped, squeeze=False, gridspec_kw=ratios).flat
    for axes, panel, metric in zip(every, panels, asked.metrics, strict=False):
        _bar_panel(axes, panel, metric if grouped else "")
    return figure


def _bar_panel(axes: Axes, panel: Panel, metric: str) -> None:
    """Bars with their names and numbers; those of one metric, or of one each."""
    numbers = [values[0] for _, values in panel.figures]
    names = [name for name, _ in panel.figures]
    drawn = axes.barh(range(len(names)), numbers, color=_COLOURS[0])
    texts = [written(metric or name, number) for name, (number,) in panel.figures]
    axes.bar_label(drawn, texts, padding=3, fontsize="small")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.2)
    axes.set_xlim(0, None if _has_something(panel) else 1)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(panel.label.replace(", ", "\n"))  # there may be four of them side by side
    _number_axis(axes.xaxis, panel.unit)


def _has_something(panel: Panel) -> bool:
    return any(any(values) for _, values in panel.figures)


def _number_axis(axis: Axis, unit: Unit) -> None:
    if unit is Unit.PERCENT:
        axis.set_major_formatter(PercentFormatter(1))
    elif unit is Unit.BYTES:
        axis.set_major_formatter(EngFormatter("B"))
    else:
        axis.set_major_locator(MaxNLocator("auto", integer=True))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
