"""Bodies on their way to the server: two at a time, and what became of their records."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from postledger.cli.records import Batch, Form
from postledger.client import AT_ONCE, Client, NotJsonError, Receipt
from postledger.errors import PostledgerError, Problem

PATHS: dict[Form, str] = {
    "native": "/ledger/v1/events",
    "sparkpost": "/ledger/v1/intake/sparkpost",
}
MOST_NAMED = 10_000
"""Rejected records of one file that are named; the others are counted."""
MOST_LISTED = 100
"""Rejected records of one body that are named (section 4 of the native contract)."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that was not stored; line and record are counted from 1."""

    file: str
    line: int
    record: int
    field: str | None
    message: str

    def __str__(self) -> str:
        what = ": ".join(filter(None, [self.field, self.message]))
        return f"{self.file}:{self.line} (record {self.record}): {what}"


@dataclass(slots=True)
class Tally:
    """What became of one file's records."""

    file: str
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    unnamed: int = 0
    failure: str = ""
    """Why the file could not be read to its end, if it could not."""

    @property
    def read(self) -> int:
        return self.accepted + self.duplicates + self.rejected

    def add(self, batch: Batch, receipt: Receipt) -> None:
        """Count the file's next batch."""
        named = self._named(batch, receipt) if receipt.errors else []
        named = named[: MOST_NAMED - len(self.rejections)]
        self.rejections += named
        self.unnamed += max(0, receipt.rejected - len({one.record for one in named}))
        self.accepted += receipt.accepted
        self.duplicates += receipt.duplicates
        self.rejected += receipt.rejected

    def _named(self, batch: Batch, receipt: Receipt) -> list[Rejection]:
        lines = batch.line_numbers()
        return [
            Rejection(self.file, lines[at.index], self.read + at.index + 1, at.field, at.message)
            for at in receipt.errors
            if at.index is not None and at.index < len(lines)
        ]


def send(
    client: Client, batches: Iterable[Batch], tally: Tally, moved: Callable[[int], None]
) -> None:
    """Send all batches and count them, in their order; `moved` is told how many records each had.

    What is under way when it does not go on is still counted. Raises what the client or the batches
    raise.
    """
    under_way: deque[tuple[Batch, Future[Receipt]]] = deque()

    def settle() -> None:
        batch, receipt = under_way.popleft()
        before = tally.read
        try:
            tally.add(batch, receipt.result())
        except NotJsonError as error:
            tally.add(batch, _all_bad(batch, tally, error))
        moved(tally.read - before)

    try:
        for batch in batches:
            if len(under_way) == AT_ONCE:
                settle()
            under_way.append((batch, _store(client, batch)))
        while under_way:
            settle()
    except PostledgerError:
        with suppress(PostledgerError):
            while under_way:
                settle()
        raise


def _all_bad(batch: Batch, tally: Tally, error: NotJsonError) -> Receipt:
    """Count a stretch of lines that are no JSON as bad records, as the server does with fewer.

    Raises the error where the file has nothing else so far: it is no file of records then.
    """
    records = len(batch.line_numbers())
    if records > 1 and tally.read == tally.rejected:
        raise NotJsonError(f"{tally.file}: {error}") from error
    errors = [Problem("is not JSON", index=index) for index in range(min(records, MOST_LISTED))]
    return Receipt(accepted=0, duplicates=0, rejected=records, errors=errors)


def _store(client: Client, batch: Batch) -> Future[Receipt]:
    """Store in a thread that Ctrl-C does not wait for, as it would for those of a pool."""
    future: Future[Receipt] = Future()

    def run() -> None:
        try:
            future.set_result(client.store(PATHS[batch.form], batch.body))
        except BaseException as error:  # noqa: BLE001 -- it is raised where the result is wanted
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
