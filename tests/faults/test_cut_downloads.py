"""Files of Netcore's logs that are cut short: by SIGKILL, by a person."""

import csv
import io
import json
import time
from collections.abc import Callable
from typing import Any

from conftest import Answer, Client, Server
from making import NDJSON, event, lines

PATH = "/v6/events/download"
MESSAGES = 20_000


def load(client: Client) -> None:
    """Store messages of one hour, a few with equal times; their file has several pages."""
    for first in range(0, MESSAGES, 10_000):
        some = [
            event(
                n,
                event_id=f"n{n}",
                type=("injection", "delivery")[n % 2],
                message_id=f"m{n:05}",
                rcpt_to="ann@x.example",
                timestamp=f"2026-11-02T08:{n // 334:02}:00Z",
            )
            for n in range(first, first + 10_000)
        ]
        assert 200 == client.post(lines(*some), Content_Type=NDJSON).status


def order(client: Client) -> str:
    asked = {"startdate": "2026-11-02", "enddate": "2026-11-02"}
    answer = client.post(json.dumps(asked).encode(), PATH)
    assert 202 == answer.status, answer
    url: str = answer.json()["data"]["download_url"]
    return url


def job(client: Client, url: str) -> Any:
    return client.get(f"/ledger/v1/exports/{url.rpartition('/')[2]}")


def until(test: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := test():
            return found
        time.sleep(0.005)
    raise AssertionError(test)


def fetched(client: Client, url: str) -> Answer:
    """The answer that is more than: not ready."""

    def final() -> Answer | None:
        answer = client.request("GET", url)
        return None if answer.status == 409 else answer

    found: Answer = until(final)
    return found


def trids(client: Client) -> list[str]:
    """Those of all pages."""
    found: list[str] = []
    token = ""
    while True:
        page = client.get(
            f"/v6/events?start_date=2026-11-02&end_date=2026-11-02&limit=5000&scrollId={token}"
        )
        token = page["scrollId"]
        if not token:
            return found
        found += [str(row["trid"]) for row in page["data"]]


def test_kill(start: Callable[..., Server]) -> None:
    """Files that were begun and that waited at a SIGKILL are written after the start, with every
    row once; one that is not ready says so; a cancelled one is gone."""
    running = start().start()
    client = running.client
    load(client)
    first, second, third = (order(client) for _ in range(3))
    answer = client.request("GET", third)
    assert (409, "1") == (answer.status, answer.headers["retry-after"])
    assert 200 == client.request("DELETE", f"/ledger/v1/exports/{third.rpartition('/')[2]}").status
    answer = client.request("GET", third)
    assert (410, "Gone") == (answer.status, answer.json()["message"])
    assert "cancelled" in answer.json()["error"][0]["description"]
    until(lambda: list(running.directory.glob("data/exports/*/*.part")))  # a page was read
    assert [409, 409] == [client.request("GET", url).status for url in (first, second)]
    running.kill()
    client = running.start().client
    expected = trids(client)
    assert MESSAGES == len(set(expected))
    for url in (first, second):
        answer = fetched(client, url)
        rows = csv.DictReader(io.StringIO(answer.body.decode(), newline=""))
        assert expected == [row["trid"] for row in rows]
        assert (MESSAGES, MESSAGES) == (job(client, url)["rows"], job(client, url)["rows_total"])
    assert 410 == client.request("GET", third).status
    assert 0 == running.stop()
