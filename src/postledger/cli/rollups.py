"""`postledger rollups`: the figures that the store keeps by the hour, while no server runs."""

from cyclopts import App

from postledger.cli.command import Command, add, examples
from postledger.cli.options import HERE, Place
from postledger.cli.output import note
from postledger.cli.progress import bar
from postledger.store import rollups as kept
from postledger.store.engine import Engine, keep_private


def rebuild(*, place: Place = HERE) -> None:
    """Make the roll-ups anew from the events; those of events that were removed stay.

    Needed when `postledger doctor` says that they differ. Stop the server first.
    """
    keep_private()
    engine = Engine(place.settings(readers=1))
    try:
        steps = kept.rebuild(engine)
        told, total = next(steps)
        with bar(total, of_bytes=False) as moved:
            for done, _ in steps:
                moved(done, done - told)
                told = done
    finally:
        engine.close()
    note("the roll-ups are those of the events again")


rollups = App("rollups", help_epilogue=examples("postledger rollups rebuild"))
add(
    rollups,
    (
        Command(
            "rebuild",
            rebuild,
            (
                "postledger rollups rebuild",
                "postledger rollups rebuild --data-dir /var/lib/postledger",
            ),
        ),
    ),
)
