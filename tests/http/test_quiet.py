"""What a server does while nothing comes in."""

import time
from collections.abc import Callable

from conftest import Client, Server
from making import event
from postledger.store.tidy import FEW_PARTS


def parts(client: Client) -> int:
    lines = client.request("GET", "/metrics").body.decode().splitlines()
    (line,) = (line for line in lines if line.startswith("postledger_store_parts "))
    return round(float(line.split()[1]))


def test_parts_are_merged_when_it_is_quiet(start: Callable[..., Server]) -> None:
    """What many inserts have left behind becomes few parts, and no event is lost."""
    running = start(POSTLEDGER_SMALL_BODY_BYTES="0", POSTLEDGER_QUIET_SECONDS="1").start()
    client = running.client
    for number in range(FEW_PARTS + 3):
        assert client.store(event(number))["accepted"] == 1
    before = parts(client)
    until = time.monotonic() + 30
    while parts(client) > FEW_PARTS and time.monotonic() < until:
        time.sleep(0.2)
    assert before > FEW_PARTS >= parts(client)
    assert client.get("/ledger/v1/events?from=2000-01-01&total=true")["total"] == FEW_PARTS + 3
    assert running.stop() == 0


def test_parts_are_left_alone_on_demand(start: Callable[..., Server]) -> None:
    """`quiet_seconds` 0 switches it off, and stopping works as well."""
    running = start(POSTLEDGER_SMALL_BODY_BYTES="0", POSTLEDGER_QUIET_SECONDS="0").start()
    for number in range(FEW_PARTS + 3):
        running.client.store(event(number))
    before = parts(running.client)
    time.sleep(1.5)
    assert before == parts(running.client)
    assert running.stop() == 0
