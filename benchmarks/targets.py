"""What Postledger was wanted to reach beside PostgreSQL, and whether it did."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.rows import ROW, number, times_better

_INTAKE, _ROOM, _FIGURES, _LOOKUP_MS = 5, 10, 20, 15
_LARGE = "100M"


class Target(NamedTuple):
    wanted: str
    measured: str
    verdict: str


def targets(results: dict[str, Any]) -> Iterator[Target]:
    """Of one scale; those of systems that were not measured are left out."""
    systems = results["systems"]
    ours = _medians(systems, "postledger")
    theirs = _medians(systems, "postgresql")
    if ours and theirs:
        yield _intake(ours, theirs)
        yield _times(ours, theirs, "bytes", _ROOM, "Room at most a tenth of PostgreSQL's")
        for name in ("series", "count", "count_tagged"):
            title = ROW[name].title
            wanted = f"{title} at least {_FIGURES} times as fast as PostgreSQL's"
            yield _times(ours, theirs, name, _FIGURES, wanted)
    if results["scale"] == _LARGE and ours:
        for name in ("recipient", "message"):
            found = ours[name]
            wanted = f"{ROW[name].title} within {_LOOKUP_MS} ms"
            yield Target(wanted, f"{number(found)} ms", _verdict(reached=found <= _LOOKUP_MS))


def _medians(systems: dict[str, Any], name: str) -> dict[str, float]:
    figures = systems.get(name, {}).get("figures", {})
    return {figure: found["median"] for figure, found in figures.items()}


def _intake(ours: dict[str, float], theirs: dict[str, float]) -> Target:
    """Each on the number of connections on which it is faster."""
    rate, other = (max(each["intake_10000_1"], each["intake_10000_8"]) for each in (ours, theirs))
    wanted = (
        f"Intake in batches of 10,000 at least {_INTAKE} times PostgreSQL's, each on 1 or 8 "
        "connections, whichever is faster"
    )
    return _told(wanted, rate / other, _INTAKE)


def _times(
    ours: dict[str, float], theirs: dict[str, float], name: str, least: float, wanted: str
) -> Target:
    return _told(wanted, times_better(ROW[name], ours[name], theirs[name]), least)


def _told(wanted: str, found: float, least: float) -> Target:
    return Target(wanted, f"{number(found)} times", _verdict(reached=found >= least))


def _verdict(*, reached: bool) -> str:
    return "reached" if reached else "**not reached**"
