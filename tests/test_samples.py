"""Real data goes in over the real command line and the real server, and nothing of it is lost."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from conftest import Client
from forked import run

SAMPLES = Path(__file__).parent / "samples"
SPARKPOST = SAMPLES / "sparkpost-gosparkpost"
OTHERS = sorted((SAMPLES / "kumomta-docs").glob("*.json"))
ALL_TIME = "from=2000-01-01&to=2100-01-01&limit=1000"


def load(client: Client, *files: Path) -> tuple[int, dict[str, Any]]:
    """Exit status and summary of `postledger import`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("POSTLEDGER_")}
    target = {"POSTLEDGER_URL": client.address, "POSTLEDGER_API_KEY": client.key}
    status, said = run(["import", "--json", *map(str, files)], clean | target)
    (summary,) = (line for line in said.splitlines() if line.startswith("{"))
    return status, json.loads(summary)


def counts(total: dict[str, Any]) -> tuple[int, int, int]:
    return total["accepted"], total["duplicates"], total["rejected"]


def test_a_webhook_batch_is_stored_whole_although_its_events_share_one_id(client: Client) -> None:
    """All nineteen events of SparkPost's sample batch are kept, once, however often it comes."""
    batch = SPARKPOST / "sample-events.json"
    sent = [next(iter(record["msys"].values())) for record in json.loads(batch.read_text("utf-8"))]
    assert (19, 0, 0) == counts(load(client, batch)[1])
    assert (0, 19, 0) == counts(load(client, batch)[1])
    events = client.get(f"/ledger/v1/events?{ALL_TIME}")["events"]
    assert 19 == len(events)
    assert sorted(event["type"] for event in sent) == sorted(
        event.get("raw_type", event["type"]) for event in events
    )


def test_what_the_batch_says_of_an_event_comes_back(client: Client) -> None:
    """Every member of every event of the batch is given back, numbers as numbers."""
    load(client, SPARKPOST / "sample-events.json")
    stored = {
        event.get("raw_type", event["type"]): event
        for event in client.get(f"/ledger/v1/events?{ALL_TIME}")["events"]
    }
    integers = {"bounce_class", "msg_size", "num_retries", "queue_time"}
    for record in json.loads((SPARKPOST / "sample-events.json").read_text("utf-8")):
        (sent,) = record["msys"].values()
        found = stored[sent["type"]]
        for name, value in sent.items():
            if name in {"type", "timestamp", "event_id"}:
                continue
            assert (name, int(value) if name in integers else value) == (name, found.get(name))
        assert "2016-02-02T19:50:00.000Z" == found["timestamp"]
        assert found["event_id"].startswith(sent.get("event_id", ""))


def test_ingest_lines_are_stored_under_our_names(client: Client) -> None:
    """SparkPost's in-band bounce and reception are a bounce and an injection."""
    status, total = load(client, SAMPLES / "sparkpost-docs" / "ingest-sample.ndjson")
    assert (0, (2, 0, 0)) == (status, counts(total))
    events = client.get(f"/ledger/v1/events?{ALL_TIME}&order=asc")["events"]
    assert {("bounce", "inband"), ("injection", "reception")} == {
        (event["type"], event["raw_type"]) for event in events
    }


def test_the_answer_of_an_events_search_is_stored(client: Client) -> None:
    """The rows of a SparkPost events search go in as events."""
    status, total = load(client, SPARKPOST / "message-events_search_200.json")
    assert (0, (3, 0, 0)) == (status, counts(total))


@pytest.mark.parametrize("file", OTHERS, ids=lambda file: file.stem)
def test_what_is_not_an_event_is_named(client: Client, file: Path) -> None:
    """A record of another system is refused by name, and never dropped silently."""
    status, total = load(client, file)
    assert (1, (0, 0, 1)) == (status, counts(total))


def test_a_webhook_ping_is_named(client: Client) -> None:
    """The record with which SparkPost tests a webhook holds no event, and is reported as such."""
    _, total = load(client, SPARKPOST / "sample-webhook-validation.json")
    assert (0, 0, 1) == counts(total)
