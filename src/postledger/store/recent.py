"""What is in the table of a stretch of time, so that it need not be asked whether a small arrival
repeats something: that question takes longer than all else that a small arrival needs.

Where many small ones come in, their times lie close together. So once, and then seldom, all
identities of such a stretch are read. What is not among them is new, for certain; what is may be a
repeat, and the table is asked.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from postledger.store.columns import BUCKET_HOURS
from postledger.store.identity import Identity

HOUR_MS = 3_600_000
BUCKET_MS = BUCKET_HOURS * HOUR_MS
BACK = (24 * HOUR_MS, HOUR_MS)
"""How far before the first of what came a stretch begins, since some come late: the second if in
the first there are too many."""
_LONG = 64
"""How many times as long it is not tried again when both have too many."""

Known = Callable[[str, int, int], Sequence[tuple[int, str]]]
"""Times in milliseconds and ids of a workspace's events from a time on, bucket by bucket of the
table, up to so many of them; some of the last bucket may be missing then."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: float
    seen: set[int]

    def has(self, identity: Identity) -> bool:
        return self.start <= identity.milliseconds < self.end


class Recent:
    def __init__(self, known: Known, most: int = 50_000, patience: int = 8) -> None:
        """`most`: identities that are kept of all workspaces together, nearly. To read a stretch
        takes as long as `patience` questions to the table, so that many arrivals come first."""
        self._known = known
        self._most, self._patience = most, patience
        self._stretches: dict[str, _Stretch] = {}
        self._came: Counter[str] = Counter()

    def rules_out(self, identity: Identity) -> bool:
        """Whether the table does not have it, for certain."""
        stretch = self._stretches.get(identity.workspace)
        return (
            stretch is not None and stretch.has(identity) and _number(identity) not in stretch.seen
        )

    def add(self, identities: Sequence[Identity]) -> None:
        """These have arrived together, and go to the table now or later."""
        for workspace in {identity.workspace for identity in identities}:
            self._came[workspace] += 1
        for identity in identities:
            stretch = self._stretches.get(identity.workspace)
            if stretch is not None and stretch.has(identity):
                stretch.seen.add(_number(identity))
        self._make_room()

    def forget(self, workspace: str) -> None:
        """Other events of it go to the table."""
        self._stretches.pop(workspace, None)
        self._came[workspace] = 0

    def learn(
        self, identities: Sequence[Identity], waiting: Iterable[tuple[str, int, str]]
    ) -> bool:
        """Read a stretch for events that came together, if that is worth it; whether it was.

        It is not for events of several workspaces, and for a few late ones. `waiting`: what will be
        in the table but is not yet.
        """
        workspace = identities[0].workspace
        stretch = self._stretches.get(workspace)
        times = [i.milliseconds for i in identities if stretch is None or not stretch.has(i)]
        if 2 * len(times) <= len(identities) or len({i.workspace for i in identities}) > 1:
            return False
        if self._came[workspace] < self._patience:
            return False
        self._stretches.pop(workspace, None)
        for back in BACK:
            start = (min(times) - back) // HOUR_MS * HOUR_MS
            rows = self._known(workspace, start, self._most + 1)
            end = rows[-1][0] // BUCKET_MS * BUCKET_MS if len(rows) > self._most else float("inf")
            if end > max(times):
                break
        else:
            self._came[workspace] = -_LONG * self._patience
            return False
        self._came[workspace] = 0
        seen = {hash(row) for row in rows}
        seen.update(hash(each[1:]) for each in waiting if each[0] == workspace)
        self._stretches[workspace] = _Stretch(start, end, seen)
        self._make_room()
        return True

    def _make_room(self) -> None:
        """Forget those that were read first, until no more than twice of what may be are left."""
        while sum(len(stretch.seen) for stretch in self._stretches.values()) > 2 * self._most:
            self._stretches.pop(next(iter(self._stretches)))


def _number(identity: Identity) -> int:
    return hash((identity.milliseconds, identity.event_id))
