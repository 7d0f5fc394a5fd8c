"""What the documentation of PyPI's `pepipost` shows; prints what each of the calls gives that
lines of standard input name."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from pepipost.configuration import Configuration  # type: ignore[import-not-found]
from pepipost.exceptions.api_exception import APIException  # type: ignore[import-not-found]
from pepipost.models.aggregated_by_enum import (  # type: ignore[import-not-found]
    AggregatedByEnum,
)
from pepipost.models.events_enum import EventsEnum  # type: ignore[import-not-found]
from pepipost.models.sort_enum import SortEnum  # type: ignore[import-not-found]
from pepipost.pepipost_client import PepipostClient  # type: ignore[import-not-found]

Configuration.base_uri = os.environ["LEDGER"] + "/v5"
client = PepipostClient(os.environ["KEY"])
events, stats = client.events, client.stats

START, END = "2026-11-01", "2026-11-10"


def everything() -> Any:
    return json.loads(events.get_events_get(START, enddate=END))


def open_days() -> Any:
    """Without an end: to today."""
    return json.loads(events.get_events_get("2026-11-08", sort=SortEnum.ASC))


def one_state() -> Any:
    return json.loads(
        events.get_events_get(START, events=EventsEnum.BOUNCE, sort=SortEnum.DESC, enddate=END)
    )


def two_states() -> Any:
    two = f"{EventsEnum.OPEN},{EventsEnum.CLICK}"
    return json.loads(events.get_events_get(START, two, SortEnum.ASC, END))


def all_opened() -> Any:
    return json.loads(events.get_events_get(START, "total_opened", SortEnum.ASC, END))


def by_subject_and_sender() -> Any:
    return json.loads(
        events.get_events_get(
            START,
            enddate=END,
            sort=SortEnum.ASC,
            subject="winter coats & more",
            fromaddress="news@shop.example",
        )
    )


def by_recipient() -> Any:
    return json.loads(events.get_events_get(START, enddate=END, email="reader01@mail.example"))


def by_reference() -> Any:
    return json.loads(events.get_events_get(START, enddate=END, xapiheader="order-07"))


def pages() -> Any:
    """Page by page until one is empty."""
    found: list[Any] = []
    while not found or found[-1]["data"]:
        answer = events.get_events_get(
            START, enddate=END, sort=SortEnum.ASC, offset=5 * len(found), limit=5
        )
        found.append(json.loads(answer))
    return found


def bad_day() -> Any:
    return events.get_events_get("yesterday")


def mixed_aggregate() -> Any:
    return events.get_events_get(START, events="total_opened,sent")


def daily() -> Any:
    return json.loads(stats.get_stats_get(START, END))


def weekly() -> Any:
    return json.loads(stats.get_stats_get(START, END, AggregatedByEnum.WEEK))


def days_by_threes() -> Any:
    """Page by page until one is empty."""
    found: list[Any] = []
    while not found or found[-1]["data"]:
        answer = stats.get_stats_get(START, END, offset=len(found) + 1, limit=3)
        found.append(json.loads(answer))
    return found


def bad_period() -> Any:
    return stats.get_stats_get(START, END, "hour")


def failure(error: APIException) -> Any:
    body = json.loads(error.context.response.raw_body)
    return {"reason": str(error), "status": error.response_code, "body": body}


if __name__ == "__main__":
    for name in sys.stdin:
        call: Callable[[], Any] = globals()[name.strip()]
        try:
            said = call()
        except APIException as error:
            said = failure(error)
        print(json.dumps(said), flush=True)
