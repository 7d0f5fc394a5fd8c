"""What became of the records that were sent: per file, in all, and each that was rejected."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from postledger.cli.output import printable, say
from postledger.cli.sending import Tally

COUNTS = ("read", "accepted", "duplicates", "rejected")


def report(tallies: Sequence[Tally], *, json: bool) -> int:
    """Write the summary, unless there is nothing to say, and return the exit status."""
    with suppress(BrokenPipeError):  # a reader that leaves does not change the status
        if json:
            say(_json(tallies))
        else:
            _say(tallies)
    return 1 if any(tally.rejected or tally.failure for tally in tallies) else 0


def _say(tallies: Sequence[Tally]) -> None:
    for tally in tallies:
        for rejection in tally.rejections:
            say(printable(str(rejection)))
        if tally.unnamed:
            say(f"{tally.file}: {tally.unnamed:,} more rejected")
    for tally in tallies:
        say(_counts(tally.file, _counted([tally])))
    if len(tallies) > 1:
        say(_counts("in all", _counted(tallies)))


def _counts(what: str, counted: dict[str, int]) -> str:
    return f"{what}: " + ", ".join(f"{number:,} {name}" for name, number in counted.items())


def _json(tallies: Sequence[Tally]) -> str:
    summary = {
        "files": [_file(tally) for tally in tallies],
        **_counted(tallies),
        "errors": [rejection for tally in tallies for rejection in tally.rejections],
        "errors_not_listed": sum(tally.unnamed for tally in tallies),
    }
    return msgspec.json.encode(summary).decode()


def _file(tally: Tally) -> dict[str, str | int]:
    failure = {"failure": tally.failure} if tally.failure else {}
    return {"file": tally.file, **_counted([tally]), **failure}


def _counted(tallies: Sequence[Tally]) -> dict[str, int]:
    return {name: sum(getattr(tally, name) for tally in tallies) for name in COUNTS}
