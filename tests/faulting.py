"""How long the tests of faults go on, and what they have done.

`FAULT_ROUNDS`, `FAULT_SECONDS` and `FAULT_MINUTES` set the long form (`make faults`); without them
each test is short, as CI runs it.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "0"))
SECONDS = int(os.environ.get("FAULT_SECONDS", "0"))
MINUTES = int(os.environ.get("FAULT_MINUTES", "60"))
SEED = int(os.environ.get("FAULT_SEED", "20261121"))
"""What chance is made of; the threads and the engine add their own."""
_BEGAN = time.monotonic()


def long(small: int, at_length: int) -> int:
    """The first in the short form, the second in the long one."""
    return at_length if ROUNDS else small


def seconds(small: int) -> int:
    """How long something goes on that has no rounds."""
    return SECONDS or small


@dataclass
class Tally:
    """What a test has done, and what it found. `events` are acknowledged ones."""

    what: str
    rounds: int = 0
    events: int = 0
    faults: int = 0
    answers: int = 0
    lost: int = 0
    repeated: int = 0
    seconds: float = 0

    def turns(self, small: int, share: int = 100) -> Iterator[int]:
        """Numbers of rounds: `small` of them, or `share` in a hundred of those asked for; when the
        time is over one."""
        for number in range(ROUNDS * share // 100 if ROUNDS else small):
            if number and time.monotonic() - _BEGAN > MINUTES * 60:
                return
            self.rounds += 1
            yield number

    def compare(
        self, acknowledged: Collection[str], found: Counter[str], sent: Collection[str]
    ) -> None:
        """Nothing acknowledged is lost, nothing is there twice, nothing that was never sent."""
        lost = [each for each in acknowledged if each not in found]
        repeated = [each for each, times in found.items() if times > 1]
        self.lost += len(lost)
        self.repeated += len(repeated)
        assert [] == lost[:5]
        assert [] == repeated[:5]
        assert [] == [each for each in found if each not in sent][:5]


TALLIES: list[Tally] = []
"""Those of the tests that this process has run."""


@contextmanager
def counted(module: str, test: str) -> Iterator[Tally]:
    """The tally of a test, one for all its parameters, until the block is left."""
    what = f"{module}: {test.partition('[')[0]}".replace("test_", "").replace("_", " ")
    made = next((tally for tally in TALLIES if tally.what == what), Tally(what))
    if made not in TALLIES:
        TALLIES.append(made)
    began = time.monotonic()
    try:
        yield made
    finally:
        made.seconds += time.monotonic() - began


def report() -> list[str]:
    """The tallies as a table, with their sums."""
    names = [field.name for field in fields(Tally)]
    rows = [list(astuple(tally)) for tally in TALLIES]
    sums = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    rows.append(["all together", *sums])
    lines = [f"| {' | '.join(names)} |", f"|---|{'---:|' * (len(names) - 1)}"]
    return lines + [
        f"| {row[0]} | {' | '.join(f'{round(number):,}' for number in row[1:])} |" for row in rows
    ]


def chance(more: int = 0) -> random.Random:
    """Chance that is the same each time."""
    return random.Random(SEED + more)
