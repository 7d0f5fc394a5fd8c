"""The two readings of an event, that of `intake` and that of the store, are one."""

import json
from itertools import count
from urllib.parse import urlencode

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from conftest import Client
from making import ALL_TIME, NDJSON, Event, accepted, comparable, examples, same

_RUNS = count()
_MANY = examples(
    10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def stored_as(client: Client, events: list[Event], *, ascii_only: bool = True) -> list[Event]:
    """Store events, each with a campaign of its own, and give them back in the same order.

    An `event_id` that is there stands for one of the event's own, so that no run repeats another.
    """
    run = next(_RUNS)
    names = [f"run {run} event {number}" for number in range(len(events))]
    body = b"\n".join(
        json.dumps(
            {**event, "campaign_id": name} | ({"event_id": name} if "event_id" in event else {}),
            ensure_ascii=ascii_only,
        ).encode()
        for event, name in zip(events, names, strict=True)
    )
    answer = client.post(body, Content_Type=NDJSON)
    assert {"accepted": len(events), "duplicates": 0, "rejected": 0, "errors": []} == answer.json()
    asked = urlencode([("campaign_id", name) for name in names])
    many, few = (
        client.request("GET", f"/ledger/v1/events?{ALL_TIME}&limit={limit}&{asked}").body
        for limit in (10_000, 100)
    )
    assert many == few, "events of large pages are written by the engine, of small ones by us"
    found = json.loads(many)["events"]
    of = {event.pop("campaign_id"): event for event in found}
    assert len(events) == len(found)
    return [of[name] for name in names]


@given(st.lists(accepted(), min_size=4, max_size=20), st.sampled_from(["escaped", "as UTF-8"]))
@_MANY
def test_accepted_is_given_back(
    either: Client, cases: list[tuple[Event, Event]], escaped: str
) -> None:
    """Whatever intake accepts comes back in its normal form, and nothing is lost."""
    found = stored_as(either, [given for given, _ in cases], ascii_only=escaped == "escaped")
    for (_, expected), event in zip(cases, found, strict=True):
        assert same(expected, comparable(event)), (expected, event)
