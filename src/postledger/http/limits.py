"""How many requests a key and a workspace may make: `key_rate` and `workspace_rate`.

Counted in this process, in sliding windows (library `limits`).
"""

import math
import time
from dataclasses import dataclass
from operator import itemgetter

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from postledger.dialects.wire import Allowance
from postledger.errors import BadSettings, RateLimited
from postledger.settings import Settings
from postledger.state.keys import Key

_NO_LIMIT = 1_000_000
"""What is told to clients that want to know of a limit, when there is none."""


@dataclass(frozen=True, slots=True)
class _Rule:
    item: RateLimitItem
    whose: str
    name: str


class Limits:
    def __init__(self, settings: Settings) -> None:
        """Raises BadSettings for a rate that is none."""
        self._key_rules = _items("key_rate", settings.key_rate)
        self._workspace_rules = _items("workspace_rate", settings.workspace_rate)
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    def take(self, key: Key) -> None:
        """Count a request. Raises RateLimited when it is one too many; that one does not count."""
        rules = self._rules(key)
        failing = [
            (self._window.get_window_stats(rule.item, rule.whose, rule.name).reset_time, rule)
            for rule in rules
            if not self._window.test(rule.item, rule.whose, rule.name)
        ]
        if failing:
            reset, rule = max(failing, key=itemgetter(0))
            wait = max(1, math.ceil(reset - time.time()))
            raise RateLimited(
                f"more than {rule.item} for this {rule.whose}; try again in {wait} s",
                retry_after=wait,
                limit=rule.item.amount,
            )
        for rule in rules:
            self._window.hit(rule.item, rule.whose, rule.name)

    def left(self, key: Key) -> Allowance:
        """What the tightest limit leaves."""
        found = [
            (stats.remaining, rule.item.amount, math.ceil(stats.reset_time))
            for rule in self._rules(key)
            for stats in [self._window.get_window_stats(rule.item, rule.whose, rule.name)]
        ]
        if not found:
            return Allowance(_NO_LIMIT, _NO_LIMIT, math.ceil(time.time()) + 1)
        remaining, limit, reset = min(found)
        return Allowance(limit, remaining, reset)

    def _rules(self, key: Key) -> list[_Rule]:
        return [
            *(_Rule(item, "key", key.id) for item in self._key_rules),
            *(_Rule(item, "workspace", key.workspace) for item in self._workspace_rules),
        ]


def _items(setting: str, text: str) -> list[RateLimitItem]:
    try:
        items = parse_many(text) if text.strip() else []
    except ValueError as error:
        raise BadSettings(_expected(setting, text)) from error
    if any(item.amount < 1 for item in items):
        raise BadSettings(f"{_expected(setting, text)}; empty: any number")
    return list(dict.fromkeys(items))  # one that stands there twice would count twice


def _expected(setting: str, text: str) -> str:
    return f"{setting}: expected rates such as 100/second; 5000/minute, not {text!r}"
