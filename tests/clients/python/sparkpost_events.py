"""PyPI's `sparkpost` asking for events through its base resource, as it has no class for them;
prints what each of the calls gives that lines of standard input name."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from sparkpost import SparkPost  # type: ignore[import-not-found]
from sparkpost.base import Resource  # type: ignore[import-not-found]
from sparkpost.exceptions import SparkPostAPIException  # type: ignore[import-not-found]


class Events(Resource):  # type: ignore[misc]
    """As the classes of the client's other resources."""

    key = "events/message"

    def list(self, **parameters: Any) -> Any:
        return self.request("GET", self.uri, params=parameters)


client = SparkPost(os.environ["KEY"])  # it makes every address one of https
events = Events(os.environ["LEDGER"] + "/api/v1", client.api_key)

DAYS = {"from": "2026-11-01T00:00", "to": "2026-11-11T00:00"}


def everything() -> Any:
    return events.list(**DAYS)


def last_day() -> Any:
    return events.list()


def bounces() -> Any:
    return events.list(**DAYS, events="bounce,out_of_band", bounce_classes="10,30")


def campaign() -> Any:
    return events.list(**DAYS, campaigns="friday", events="click,open")


def other_delimiter() -> Any:
    return events.list(
        **DAYS, delimiter=";", recipients="reader01@mail.example;reader02@mail.example"
    )


def pages() -> Any:
    """The client drops `links`, so page by number, until one is empty."""
    found: list[Any] = []
    while not found or found[-1]:
        found.append(events.list(**DAYS, page=len(found) + 1, per_page=12))
    return found


def bad_page_size() -> Any:
    return events.list(**DAYS, per_page=0)


def bad_type() -> Any:
    return events.list(**DAYS, events="opened")


def values() -> Any:
    """The two lists of figures that the client has classes for."""
    found = []
    for each in (client.metrics.campaigns, client.metrics.domains):
        each.base_uri = os.environ["LEDGER"] + "/api/v1/metrics"
        found.append(each.list(params=DAYS))
    return found


class Figures(Resource):  # type: ignore[misc]
    key = "metrics/deliverability/campaign"


def figures() -> Any:
    asked = Figures(os.environ["LEDGER"] + "/api/v1", client.api_key)
    metrics = "count_delivered,count_bounce"
    return asked.request("GET", asked.uri, params=DAYS | {"metrics": metrics})


def failure(error: SparkPostAPIException) -> Any:
    return {"status": error.status, "errors": error.errors}


if __name__ == "__main__":
    for name in sys.stdin:
        call: Callable[[], Any] = globals()[name.strip()]
        try:
            said = call()
        except SparkPostAPIException as error:
            said = failure(error)
        print(json.dumps(said), flush=True)
