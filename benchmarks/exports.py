"""Exports of many events, beside the raw engine's own INTO OUTFILE of the same statement.

    python -m benchmarks.load DIRECTORY [--events 10000000]
    python -m benchmarks.exports DIRECTORY

Also: how much memory the server takes on for them, and how long searches take meanwhile.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import bench
from postledger.query import EventQuery
from postledger.settings import load
from postledger.state.keys import DEFAULT_WORKSPACE
from postledger.store import columns
from postledger.store.engine import Engine
from postledger.store.export import FORMATS, Extract, statement
from postledger.store.reader import Reader

_ENGINE_FORMS = {"csv": "CSVWithNames", "ndjson": "TSVRaw", "parquet": "Parquet"}
_PATH = "/ledger/v1/exports"
_LOOK_SECONDS = 0.1
"""To ask how far it is takes its share of the processors."""
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--days", type=int, default=30, help="days before the end of the events")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    first = bench.END - timedelta(days=options.days)
    print(bench.machine())
    rounds = [_round(Path(options.directory), first) for _ in range(options.rounds)]
    print("medians:")
    for form in FORMATS:
        found = sorted(ours[form] / limits[form] for ours, limits in rounds)
        middle = statistics.median(found)
        print(f"{form}: {middle:.2f} of the raw engine ({found[0]:.2f} to {found[-1]:.2f})")


def _round(directory: Path, first: datetime) -> tuple[dict[str, float], dict[str, float]]:
    """Events a second of a server, and of the raw engine after it."""
    server = bench.Server(directory)
    server.settle()  # the raw engine has nothing else to do either
    searches = _searches(server)
    for path in searches:
        _ask(server, path)
    alone = [_ask(server, path) for path in searches]
    before = most = server.resident()
    ours: dict[str, float] = {}
    meanwhile: list[float] = []
    for form in FORMATS:
        stop = threading.Event()
        thread = threading.Thread(target=_search_on, args=(server, searches, stop, meanwhile))
        thread.start()
        rows, seconds, peak = export(server, form, first=first)
        stop.set()
        thread.join()
        searched, most = rows / seconds, max(most, peak)
        rows, seconds, peak = export(server, form, first=first)
        ours[form], most = rows / seconds, max(most, peak)
        print(f"{form}: {ours[form]:,.0f} events/s; {searched:,.0f} while it is searched")
    server.stop()
    print(f"resident: {before >> 20} MiB before, at most {most >> 20} MiB during exports")
    print(
        f"searches: {statistics.median(alone):.0f} ms alone, "
        f"{statistics.median(meanwhile):.0f} ms during exports ({len(meanwhile)} of them)"
    )
    limits = _raw(directory, first)
    for form, limit in limits.items():
        print(f"{form}: raw engine {limit:,.0f} events/s, ratio {ours[form] / limit:.2f}")
    return ours, limits


def _searches(server: bench.Server) -> list[str]:
    """Pages that people ask for: of a recipient, and the newest of a day."""
    day = f"from=2026-11-19&to={bench.END:%Y-%m-%d}"
    events = json.loads(server.get(f"/ledger/v1/events?{day}&limit=400")[1])["events"]
    known = [event["rcpt_to"] for event in events if "rcpt_to" in event]
    ninety = f"from=2026-08-01&to={bench.END:%Y-%m-%d}&limit=100"
    return [
        *(f"/ledger/v1/events?{ninety}&recipient={quote(one)}" for one in known[::40]),
        f"/ledger/v1/events?{day}&limit=100",
        f"/ledger/v1/events?{day}&limit=100&type=bounce",
    ]


def _ask(server: bench.Server, path: str) -> float:
    started = time.perf_counter()
    status, body = server.get(path)
    if status != 200:
        raise SystemExit(f"{status}: {body[:300]!r}")
    return (time.perf_counter() - started) * 1000


def _search_on(
    server: bench.Server, paths: list[str], stop: threading.Event, found: list[float]
) -> None:
    while not stop.is_set():
        for path in paths:
            found.append(_ask(server, path))
            if stop.wait(0.2):
                return


def export(
    server: bench.Server, form: str, compression: str = "none", first: datetime = _FIRST
) -> tuple[int, float, int]:
    """Rows, seconds, and the most memory of an export of what is not older than `first`."""
    order: dict[str, object] = {"format": form, "compression": compression}
    order["filters"] = {"from": f"{first:%Y-%m-%d}", "to": "2199-01-01"}
    started, most = time.perf_counter(), 0
    job = _request(server, "POST", _PATH, order)
    while job["status"] in {"queued", "running"}:
        time.sleep(_LOOK_SECONDS)
        most = max(most, server.resident())
        job = _request(server, "GET", f"{_PATH}/{job['id']}")
    if job["status"] != "done":
        raise SystemExit(str(job))
    seconds = time.perf_counter() - started
    _request(server, "DELETE", f"{_PATH}/{job['id']}")
    return int(job["rows"]), seconds, most


def _request(server: bench.Server, method: str, path: str, body: object = None) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        headers = bench.HEADERS | {"Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{answer.status}: {text[:300]!r}")
        return dict(json.loads(text)) if text else {}


def _raw(directory: Path, first: datetime) -> dict[str, float]:
    """Events a second of the engine alone, in this process, into a file."""
    engine = Engine(load({}, overrides={"data_dir": str(directory), "readers": 1}))
    found = {}
    try:
        client = engine.client(columns.READ_SETTINGS | {"format_csv_null_representation": ""})
        query = EventQuery(DEFAULT_WORKSPACE, first, bench.END)
        rows = Reader(engine).count(query)
        for form in FORMATS:
            sql = statement(Extract(query, 0, 2**63, form), engine.database, "raw")
            with tempfile.TemporaryDirectory(dir=directory) as made:
                text = f"{sql.text} INTO OUTFILE '{made}/file' FORMAT {_ENGINE_FORMS[form]}"
                seconds = bench.timed(partial(client.raw_query, text, sql.parameters))
            found[form] = rows / seconds
    finally:
        engine.close()
    return found


if __name__ == "__main__":
    main()
