"""A feed that is asked while events are removed."""

from types import SimpleNamespace
from typing import cast

from postledger.query import FeedPage, FeedQuery
from postledger.store.engine import Engine
from postledger.store.reader import Reader


class Emptied(Reader):
    """Its events have gone between the look at their numbers and the look at them."""

    def _ends(self, *_: object) -> tuple[int, int]:
        return 3, 7

    def _lines(self, *_: object) -> list[bytes]:
        return []


def test_events_that_have_just_gone() -> None:
    reader = Emptied(cast("Engine", SimpleNamespace(database="db")))
    assert FeedPage([], 2) == reader.feed(FeedQuery("w", after=2))
