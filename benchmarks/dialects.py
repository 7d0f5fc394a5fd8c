"""Questions of the four dialects over HTTP, medians, beside what the engine needs for the events.

    python -m benchmarks.load DIRECTORY [--events 10000000]
    python -m benchmarks.dialects DIRECTORY

What SparkPost's pages cost is held against our own API's page of the same events (with its count),
and the time of rendering against the engine's time for the page, asked in this process.
"""

import argparse
import random
import statistics
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from benchmarks import bench
from benchmarks.reading import events
from postledger.dialects import sparkpost
from postledger.dialects.wire import Call
from postledger.settings import load
from postledger.state.keys import DEFAULT_WORKSPACE
from postledger.store.engine import Engine
from postledger.store.reader import Reader

_TIMES = 5
_END = bench.END
_TEN_DAYS = {
    "from": f"{_END - timedelta(days=10):%Y-%m-%dT%H:%M}",
    "to": f"{_END:%Y-%m-%dT%H:%M}",
}
_WEEK = {"startdate": f"{_END - timedelta(days=7):%Y-%m-%d}"} | {
    "enddate": f"{_END - timedelta(days=1):%Y-%m-%d}"
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    options = parser.parse_args()
    print(bench.machine())
    server = bench.Server(Path(options.directory))
    server.settle()
    try:
        for name, paths in questions(server).items():
            found = [ask(server, path) for path in paths]
            spread = f"{min(found):.1f} to {max(found):.1f}"
            print(f"{name:64} {statistics.median(found):7.1f} ms ({spread})", flush=True)
        print(f"{server.resident() >> 20} MiB resident after the questions")
    finally:
        server.stop()
    rendering(options.directory)


def questions(server: bench.Server) -> dict[str, list[str]]:
    chance = random.Random(1)
    ten = {"from": f"{_END - timedelta(days=10):%Y-%m-%d}", "to": f"{_END:%Y-%m-%d}"}
    recent = [e for e in events(server, ten | {"limit": "5000"}) if "campaign_id" in e]
    chosen = chance.sample([e for e in recent if "rcpt_to" in e], 9)
    return {
        "our own: page of 1,000, type and campaign, total": [
            "/ledger/v1/events?"
            + urlencode(
                ten
                | {"type": e["type"], "campaign_id": e["campaign_id"]}
                | {"limit": "1000", "total": "true"}
            )
            for e in chosen
        ],
        "SparkPost: page of 1,000, type and campaign": [
            sparkpost_path({"events": e["type"], "campaigns": e["campaign_id"]}) for e in chosen
        ],
        "SparkPost: page of 10,000": [sparkpost_path({"per_page": "10000"})],
        "Netcore: page of 50 of 7 days": [netcore_path({})],
        "Netcore: the same, clicked": [netcore_path({"events": "click"})],
        "Netcore: the same, one recipient": [
            netcore_path({"email": e["rcpt_to"]}) for e in chosen[:3]
        ],
        "Netcore: the same, a word in the subject": [netcore_path({"subject": "sale"})],
        "Netcore: the same, one sender": [
            netcore_path({"fromaddress": e["friendly_from"]})
            for e in chosen[:3]
            if "friendly_from" in e
        ],
        "Unosend: page of 50 of 7 days": ["/v1/events"],
        "Unosend: page of 100 of 90 days, clicked": [
            "/v1/events?days=90&limit=100&event_type=clicked"
        ],
        "SMTPeter: one recipient in a month": [
            f"/v1/events/email/{quote(e['rcpt_to'])}?access_token={bench.KEY}"
            f"&start={_END - timedelta(days=30):%Y-%m-%d}&end={_END:%Y-%m-%d}"
            for e in chosen
        ],
    }


def sparkpost_path(filters: dict[str, str]) -> str:
    return "/api/v1/events/message?" + urlencode(_TEN_DAYS | filters)


def netcore_path(filters: dict[str, str]) -> str:
    return "/v5.1/events?" + urlencode(_WEEK | {"limit": "50"} | filters)


def ask(server: bench.Server, path: str) -> float:
    def work() -> None:
        status, body = server.get(path)
        if status != 200:
            raise SystemExit(f"{path}: {status} {body[:300]!r}")

    return bench.median_ms(work, _TIMES)[1]


def rendering(directory: str) -> None:
    """The engine's time for a page of 10,000, and SparkPost's rendering of it."""
    call = Call(
        path="/api/v1/events/message",
        now=_END,
        pairs=tuple((_TEN_DAYS | {"per_page": "10000"}).items()),
        workspace=DEFAULT_WORKSPACE,
    )
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 1}))
    try:
        asked = sparkpost.search(call)
        reader = Reader(engine)
        page = reader.page(asked.query)
        engines = bench.median_ms(lambda: reader.page(asked.query), _TIMES)[1]
        ours = bench.median_ms(lambda: sparkpost.rows(page.events), _TIMES)[1]
    finally:
        engine.close()
    print(f"page of 10,000: engine {engines:.1f} ms, rendering {ours:.1f} ms")


if __name__ == "__main__":
    main()
