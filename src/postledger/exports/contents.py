"""What files have in them: events, or messages as Netcore's API lists them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol

from postledger.dialects import netcore
from postledger.exports.asking import extract_of
from postledger.state.exports import Job
from postledger.store.export import Extractor, Piece
from postledger.store.reader import Reader

Stopped = Callable[[], bool]


class Content(Protocol):
    """The content of the file of one job, to be written once."""

    @property
    def total(self) -> int:
        """How many rows there will be, as far as is known before."""

    @property
    def rows(self) -> int:
        """How many rows were given, reckoned until all were."""

    def pieces(self, stopped: Stopped) -> AbstractContextManager[Iterator[Piece]]:
        """The bytes, some at a time, each piece until the next one. They end early when `stopped`;
        the caller knows that it was."""


Kind = Callable[[Job], Content]


class EventFile:
    """Events, in whichever form the job names."""

    def __init__(self, extractor: Extractor, job: Job) -> None:
        self._extractor = extractor
        self._extract = extract_of(job)
        self._mark = job.id
        self._ended = False
        self.total = extractor.count(self._extract)

    @property
    def rows(self) -> int:
        return self.total if self._ended else int(self.total * self._extractor.share(self._mark))

    @contextmanager
    def pieces(self, stopped: Stopped) -> Iterator[Iterator[Piece]]:
        with self._extractor.stream(self._extract, self._mark, stopped) as pieces:
            yield pieces
        self._ended = True


class LogFile:
    """Messages with the state in which they are when they are read, a page at a time."""

    def __init__(self, reader: Reader, job: Job) -> None:
        self._reader = reader
        self._asked = netcore.ordered(job.asked["terms"], job.workspace)
        self._page = reader.messages(self._asked.query)
        self.total = self._page.total
        self.rows = 0

    @contextmanager
    def pieces(self, stopped: Stopped) -> Iterator[Iterator[Piece]]:
        yield self._pieces(stopped)

    def _pieces(self, stopped: Stopped) -> Iterator[bytes]:
        yield netcore.HEAD
        while not stopped():
            yield netcore.lines(self._page, self._asked)
            self.rows += len(self._page.messages)
            if self._page.next is None:
                return
            following = replace(self._asked.query, after=self._page.next, offset=0)
            self._page = self._reader.messages(following)
