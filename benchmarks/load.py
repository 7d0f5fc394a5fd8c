"""Fill a store with demo events, without HTTP: what the benchmarks read from.

python -m benchmarks.load DIRECTORY [--events 10000000] [--days 90]
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks import bench
from postledger import demo
from postledger.http.server import VOCABULARIES
from postledger.intake import native
from postledger.settings import load
from postledger.state.keys import DEFAULT_WORKSPACE, open_keyring
from postledger.store.engine import Engine
from postledger.store.tidy import Tidy
from postledger.store.writer import Arrival, Writer

_SIZE = 40_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=float, default=90)
    options = parser.parse_args()
    settings = load({}, overrides={"data_dir": options.directory})
    open_keyring(settings).ensure_workspace(DEFAULT_WORKSPACE)
    engine = Engine(settings)
    writer = Writer(engine, VOCABULARIES)
    started = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        stream = demo.batches(options.events, size=_SIZE, end=bench.END, days=options.days)
        for number, lines in enumerate(stream, 1):
            batch = native.read(lines, "application/x-ndjson", largest=len(lines))
            prepared = writer.prepare(Arrival(DEFAULT_WORKSPACE, batch.lines, batch.count))
            pool.submit(writer.store, prepared)
            if number % 25 == 0:
                rate = number * _SIZE / (time.perf_counter() - started)
                print(f"{number * _SIZE:,} events, {rate:,.0f}/s", flush=True)
    writer.close()
    tidy = Tidy(engine)
    while tidy.once():  # as a server does while nothing comes in
        pass
    size = engine.size()
    print(f"{size.events:,} events, {size.bytes / size.events:.1f} bytes each, {size.parts} parts")
    engine.close()


if __name__ == "__main__":
    main()
