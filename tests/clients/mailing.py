"""A mailing for clients of other services to find: twelve messages and what became of them."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select
from subprocess import PIPE
from tempfile import TemporaryFile
from typing import Any, NoReturn

import pytest

from conftest import Client, Server, new_client

HERE = Path(__file__).parent
NOVEMBER = datetime(2026, 11, 1, 9, tzinfo=UTC)
STORIES: dict[int, tuple[str, ...]] = {
    1: ("injection", "delivery", "open", "click"),
    2: ("injection", "delivery", "open"),
    3: ("injection", "delivery"),
    4: ("injection", "bounce"),
    5: ("injection", "bounce"),
    6: ("injection", "delivery", "open", "click"),
    7: ("injection", "delivery", "open"),
    8: ("injection", "delivery"),
    9: ("injection", "delivery", "open", "list_unsubscribe"),
    10: ("injection", "delivery", "spam_complaint"),
    11: ("injection",),
    12: ("injection", "delivery"),
}
"""The events of each message. The first ten are sent a day apart, then two more on days 1 and 2."""

BOUNCE_CLASSES = {4: 10, 5: 22}
"""No such recipient; mailbox full."""

OF_TYPE: dict[str, dict[str, Any]] = {
    "injection": {},
    "delivery": {"smtp_response": "250 2.0.0 OK", "ip_address": "192.0.2.25"},
    "bounce": {"reason": "550 5.1.1 refused", "error_code": "550"},
    "open": {"user_agent": "Mozilla/5.0", "ip_address": "198.51.100.7"},
    "click": {
        "user_agent": "Mozilla/5.0",
        "ip_address": "198.51.100.7",
        "target_link_url": "https://shop.example/coats?size=m&colour=red",
    },
    "list_unsubscribe": {"mailfrom": "unsubscribe@mail.example"},
    "spam_complaint": {"fbtype": "abuse"},
}


def events(start: datetime = NOVEMBER) -> list[dict[str, Any]]:
    """All events of the mailing, as the native API takes them, the oldest message first."""
    return [
        {
            "type": kind,
            "event_id": f"{number:02}-{kind}",
            "timestamp": (_sent(number, start) + timedelta(seconds=3 * step)).isoformat(),
            "injection_time": _sent(number, start).isoformat(),
            "message_id": f"message-{number:02}",
            "rcpt_to": f"reader{number:02}@mail.example",
            "friendly_from": "news@shop.example",
            "campaign_id": campaign(number),
            "subject": "Your order" if number % 2 else "Winter coats & more",
            "correlation_id": f"order-{number:02}",
            "rcpt_tags": ["autumn"],
            "msg_size": 5120,
        }
        | OF_TYPE[kind]
        | ({"bounce_class": BOUNCE_CLASSES[number]} if kind == "bounce" else {})
        for number, story in STORIES.items()
        for step, kind in enumerate(story)
    ]


def campaign(number: int) -> str:
    return "monday_mailshot" if number % 2 else "black-friday"


def _sent(number: int, start: datetime) -> datetime:
    days, hours = (number - 1) % 10, (number - 1) // 10
    return start + timedelta(days=days, hours=hours)


def ids(*kinds: str) -> set[str]:
    """The ids of the events of these types, or of all."""
    return {each["event_id"] for each in events() if not kinds or each["type"] in kinds}


COUNTERS = {
    "delivery": "sent",
    "bounce": "bounce",
    "open": "open",
    "click": "click",
    "list_unsubscribe": "unsub",
    "spam_complaint": "spam",
}


def figures(period: str) -> dict[str, dict[str, int]]:
    """How many events of each of Netcore's counters each day or week has, by its first day."""
    found: dict[str, dict[str, int]] = {}
    for each in events():
        day = datetime.fromisoformat(each["timestamp"]).date()
        start = day - timedelta(days=day.weekday() if period == "week" else 0)
        count = found.setdefault(start.isoformat(), dict.fromkeys(COUNTERS.values(), 0))
        if each["type"] in COUNTERS:
            count[COUNTERS[each["type"]]] += 1
    return found


def shown(period: dict[str, Any]) -> dict[str, int]:
    """The same of a period as Netcore's API gives it."""
    (stat,) = period["stats"]
    return {name: stat["metrics"][name] for name in COUNTERS.values()}


def readers(*numbers: int) -> list[str]:
    return [f"reader{number:02}@mail.example" for number in numbers]


def stored(server: Server, start: datetime = NOVEMBER) -> Client:
    """A workspace with the mailing in it, stored through the native API."""
    client = new_client(server)
    mailing = events(start)
    assert len(mailing) == client.store(*mailing)["accepted"]
    return client


class Script:
    """A script of a client, in a process of its own that makes one call after the other."""

    def __init__(self, command: Sequence[str], address: str, key: str) -> None:
        environment = os.environ | {
            "LEDGER": address,
            "KEY": key,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        self._errors = TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._process = subprocess.Popen(
            command, env=environment, stdin=PIPE, stdout=PIPE, stderr=self._errors
        )

    def say(self, call: str) -> Any:
        """What a call gives."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(call.encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select([self._process.stdout], [], [], 60)
        said = self._process.stdout.readline() if ready else b""
        assert said, (call, self._told())
        return json.loads(said)

    def end(self) -> None:
        """Once standard input is closed it ends by itself, well unless a call was none."""
        try:
            self._process.communicate(timeout=20)
            assert self._process.returncode == 0, self._told()
        finally:
            self._process.kill()
            self._process.wait()
            self._errors.close()

    def _told(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode()


_SCRIPTS: dict[tuple[str, ...], Script] = {}


def run(command: Sequence[str], client: Client, call: str, key: str | None = None) -> Any:
    """What a script of a client prints when it makes one of its calls. It is started once for each
    key, since to load a client takes longer than to ask."""
    known = client.key if key is None else key
    which = (*command, client.address, known)
    if which not in _SCRIPTS:
        _SCRIPTS[which] = Script(command, client.address, known)
    try:
        return _SCRIPTS[which].say(call)
    except BaseException:
        with suppress(AssertionError):  # what was wrong is told already
            _SCRIPTS.pop(which).end()
        raise


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """Ends the scripts that tests of a module have started."""
    yield
    while _SCRIPTS:
        _SCRIPTS.popitem()[1].end()


def missing(what: str) -> NoReturn:
    """Leave the test out, or fail where everything has to be there, as in CI."""
    if os.environ.get("REQUIRE_CLIENTS"):
        pytest.fail(what)
    pytest.skip(what)
