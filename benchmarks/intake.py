"""Intake over HTTP beside the raw engine: the same bytes, on disk before the answer.

    python -m benchmarks.intake [--events 500000] [--rounds 5] [--connections 4 8]

The raw engine gets the bytes straight into one table with a column for each field of the registry,
as `INSERT ... FORMAT JSONEachRow`, with fsync: no check of types, no look for repeats, no numbers,
unknown fields lost. It is measured with one writer and with two. Rounds of all alternate, so
that the machine's moods meet all of them. A round is long enough for Postledger to fold its events
into roll-ups while it takes them in; what it has to do afterwards is waited for. The first number
of connections gets the raw engine's bytes, the next one events of its own: they would be repeats.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

import clickhouse_connect

from benchmarks import bench
from postledger.events import FIELDS
from postledger.store import columns

RAW_SETTINGS: dict[str, object] = {
    "date_time_input_format": "best_effort",
    "input_format_json_read_objects_as_strings": 1,
    "input_format_skip_unknown_fields": 1,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="events a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--singles", type=int, default=20_000)
    parser.add_argument("--raw", help=argparse.SUPPRESS)
    parser.add_argument("--writers", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.raw:
        run_raw(options)
        return
    print(bench.machine())
    rates: dict[str, list[float]] = {"raw, 1 writer": [], "raw, 2 writers": []}
    rates |= {f"postledger, {number} connections": [] for number in options.connections}
    with bench.directory(None) as place:
        server = bench.Server(place / "postledger")
        for number in range(options.rounds):
            for writers in (1, 2):
                name = "raw, 1 writer" if writers == 1 else "raw, 2 writers"
                rates[name].append(
                    raw_rate(place / f"raw{number}{writers}", number, options, writers)
                )
            for turn, connections in enumerate(options.connections):
                seed = number + 1 + turn * options.rounds
                bodies = bench.batches(options.events, 10_000, seed=seed)
                seconds = bench.post_all(server.port, bodies, connections)
                server.settle()
                rates[f"postledger, {connections} connections"].append(options.events / seconds)
            size = statistics.mean(map(len, bodies)) / 10_000
            print(
                f"round {number + 1}: "
                + ", ".join(f"{k} {v[-1]:,.0f}/s" for k, v in rates.items())
                + f" ({size:.0f} bytes an event, {server.resident() >> 20} MiB resident)"
            )
        report(rates)
        for connections in (1, 64):
            lines = bench.batches(options.singles, options.singles, seed=1000 + connections)
            singles = lines[0].split(b"\n")[: options.singles if connections > 1 else 500]
            rate = asyncio.run(bench.post_singles(server.port, singles, connections))
            print(f"single events on {connections} connections: {rate:,.0f}/s")
        server.stop()


def report(rates: dict[str, list[float]]) -> None:
    raw = {name: found for name, found in rates.items() if name.startswith("raw")}
    for name, found in rates.items():
        shares = [
            statistics.median(mine / its for mine, its in zip(found, limit, strict=True))
            for limit in raw.values()
        ]
        told = ", ".join(
            f"{share:.2f} of {other}" for share, other in zip(shares, raw, strict=True)
        )
        print(f"{name:26} median {statistics.median(found):>9,.0f} events/s   {told}")


def raw_table() -> str:
    """The statement that makes the raw engine's table."""
    definition = ", ".join(
        f"{field.name} {columns.type_of(field)} {columns.codec_of(field)}" for field in FIELDS
    )
    return (
        f"CREATE TABLE raw.events ({definition}) ENGINE = MergeTree PARTITION BY "
        "toYYYYMM(timestamp) ORDER BY (timestamp, event_id) "
        "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
    )


def raw_rate(place: Path, number: int, options: argparse.Namespace, writers: int) -> float:
    command = [sys.executable, "-m", "benchmarks.intake", "--raw", str(place)]
    command += ["--events", str(options.events), "--writers", str(writers), "--rounds", str(number)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    events: int = options.events
    return events / float(found.stdout.split()[-1])


def run_raw(options: argparse.Namespace) -> None:
    """In a process of its own: print the seconds that the raw engine takes."""
    bodies = bench.batches(options.events, 10_000, seed=options.rounds + 1)
    Path(options.raw).mkdir()
    clients = [
        clickhouse_connect.get_client(dsn=f"chdb://{options.raw}", settings=RAW_SETTINGS)
        for _ in range(options.writers)
    ]
    clients[0].command("CREATE DATABASE raw")
    clients[0].command(raw_table())
    waiting = list(reversed(bodies))
    free = list(clients)

    def work() -> None:
        client = free.pop()
        while waiting:
            client.raw_insert("raw.events", None, waiting.pop(), fmt="JSONEachRow")

    started = time.perf_counter()
    bench.in_threads(work, options.writers)
    print(time.perf_counter() - started)
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
