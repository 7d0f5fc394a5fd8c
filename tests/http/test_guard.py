"""The guard of the routes, while the state store does not answer."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from postledger.errors import StoreAway, StoreUnavailable
from postledger.http.auth import Guard
from postledger.http.limits import Limits
from postledger.http.lookups import Lookups
from postledger.settings import load
from postledger.state.keys import Key

KEY = Key("k", "w", "", ("admin",), datetime(2026, 11, 20, tzinfo=UTC), None, None)


class Silent:
    """A keyring that knows one key, and waits for its store when it is asked for others."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.asked = 0
        self.over = threading.Event()

    def remembered(self, text: str) -> Key | None:
        return KEY if text == "known" else None

    def authenticate(self, text: str) -> Key:
        self.asked += 1
        if self.fails:
            raise StoreAway("connection refused")
        self.over.wait(60)
        return KEY


@pytest.mark.parametrize(
    ("fails", "says"), [(False, "does not answer"), (True, "connection refused")]
)
def test_nobody_waits_for_others(*, fails: bool, says: str) -> None:
    """One who needs the store is told after a while, the next one at once; who does not need it
    goes on."""
    ring: Any = Silent(fails=fails)

    async def used() -> None:
        lookups = Lookups(patience=0.2)
        guard = Guard(ring, lookups, Limits(load({})))
        waiting = [asyncio.ensure_future(guard.check("unknown", "admin")) for _ in range(20)]
        await guard.check("known", "admin")
        for one in waiting:
            with pytest.raises(StoreUnavailable, match=says):
                await one
        asked = ring.asked
        with pytest.raises(StoreUnavailable, match=says):
            await guard.check("unknown", "admin")
        assert asked == ring.asked, "it was told at once"
        await guard.check("known", "admin")
        ring.over.set()
        ring.fails = False
        await asyncio.sleep(1)
        await guard.check("unknown", "admin")
        lookups.close()

    asyncio.run(asyncio.wait_for(used(), 60))


def test_one_failure_is_of_one() -> None:
    """A store that is there and could not do one thing is asked the next one."""

    def locked() -> None:
        raise StoreUnavailable("database is locked")

    async def used() -> None:
        lookups = Lookups()
        with pytest.raises(StoreUnavailable, match="locked"):
            await lookups.ask(locked)
        assert await lookups.ask(lambda: "there") == "there"
        lookups.close()

    asyncio.run(asyncio.wait_for(used(), 60))
