"""The guide to warehouses: its job and its loading examples run as they stand on the page."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from conftest import Client, Server, new_client
from test_docs import blocks, page

PAGE = page("docs/warehouse.md")

FIRST: list[dict[str, Any]] = [
    {
        "event_id": f"e{n}",
        "type": "bounce" if n % 4 == 0 else "delivery",
        "timestamp": f"2026-{10 + n % 2}-0{1 + n % 9}T23:30:00.250Z",
        "rcpt_to": f"łucja{n}@{'a' if n % 5 else 'b'}.example",
        "rcpt_tags": ["welcome", f"日本 {n}"] if n % 3 else [],
        "bounce_class": 10 if n % 4 == 0 else None,
        "rcpt_meta": {"order": n},
        "transactional": n % 5 == 0,
    }
    for n in range(300)
]
LATE = [
    {"event_id": "late", "type": "bounce", "timestamp": "2026-10-02T00:30:00Z"},
    {"event_id": "e0", "type": "open", "timestamp": "2026-11-30T12:00:00Z"},  # an id seen before
]
ALL = FIRST + LATE


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def code(name: str, language: str, at: int = 0) -> str:
    return [block.text for block in blocks(section(name)) if block.language == language][at]


class Warehouse:
    """A directory in which the page's job runs."""

    def __init__(self, home: Path, client: Client) -> None:
        self.home = home
        self._client = client

    def run(self) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        clean = {k: v for k, v in os.environ.items() if not k.startswith("POSTLEDGER_")}
        env = clean | {
            "PATH": path,
            "POSTLEDGER_URL": self._client.address,
            "POSTLEDGER_API_KEY": self._client.key,
            "TZ": "Asia/Tokyo",  # the examples do not depend on the zone of the machine
        }
        return subprocess.run(
            ["sh", "-c", code("The job", "sh")],
            cwd=self.home,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def nights(self, *nights: list[dict[str, Any]]) -> None:
        """What is stored before each run; each time all that was loaded comes once more."""
        for events in nights:
            if events:
                self._client.store(*events)
            for number, file in enumerate((self.home / "loaded").glob("*.parquet")):
                shutil.copy(file, self.home / "new" / f"again-{number}.parquet")
            done = self.run()
            assert done.returncode == 0, done
            assert [] == list((self.home / "new").iterdir())


@pytest.fixture
def warehouse(server: Server, tmp_path: Path) -> Warehouse:
    scopes = ("exports:read", "exports:write", "events:write")
    return Warehouse(tmp_path, new_client(server, scopes))


def days() -> dict[tuple[str, str], int]:
    """What the example counts, counted here."""
    return dict(Counter((one["timestamp"][:10], one["type"]) for one in ALL))


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def test_duckdb(warehouse: Warehouse) -> None:
    """DuckDB gets each event once, days are counted again when late events come, and columns have
    the types of the page."""
    (warehouse.home / "load.py").write_text(code("DuckDB", "python"), encoding="utf-8")
    warehouse.nights(FIRST, LATE)
    with duckdb.connect(warehouse.home / "warehouse.duckdb", read_only=True) as base:
        found = base.execute("SELECT epoch_ms(timestamp), event_id FROM events").fetchall()
        assert sorted((milliseconds(e["timestamp"]), e["event_id"]) for e in ALL) == sorted(found)
        daily = base.execute("SELECT day::VARCHAR, type, number FROM daily").fetchall()
        assert days() == {(day, kind): number for day, kind, number in daily}
        assert len(days()) == len(daily)
        tags = base.execute("SELECT rcpt_tags FROM events WHERE event_id = 'e7'").fetchall()
        assert [(["welcome", "日本 7"],)] == tags
        types = {name: kind for name, kind, *_ in base.execute("DESCRIBE events").fetchall()}
    assert documented("DuckDB") == {name: types[name] for name in EXAMPLES}


def test_polars(warehouse: Warehouse) -> None:
    """Polars gets each event once, in the file of its month, with the types of the page; the
    example question is answered."""
    (warehouse.home / "load.py").write_text(code("Polars", "python"), encoding="utf-8")
    warehouse.nights([], FIRST, LATE)
    lake = warehouse.home / "lake"
    assert ["2026-10.parquet", "2026-11.parquet"] == sorted(path.name for path in lake.iterdir())
    october = pl.read_parquet(lake / "2026-10.parquet")
    assert Counter(e["event_id"] for e in ALL if e["timestamp"] < "2026-11") == Counter(
        october["event_id"]
    )
    table = pl.read_parquet(lake / "*.parquet")
    expected = sorted((e["event_id"], milliseconds(e["timestamp"])) for e in ALL)
    assert expected == sorted(
        zip(table["event_id"], table["timestamp"].dt.epoch("ms"), strict=True)
    )
    types = {
        name: re.sub(r"time_(unit|zone)=", "", str(kind)) for name, kind in table.schema.items()
    }
    assert documented("Polars") == {name: types[name] for name in EXAMPLES}
    asked = code("Polars", "python", 1).replace("print(bounces)", "print(bounces.to_dicts())")
    command = [sys.executable, "-c", asked]
    answer = subprocess.run(
        command,
        cwd=warehouse.home,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    welcome = Counter(
        e["rcpt_to"].partition("@")[2]
        for e in ALL
        if e["type"] == "bounce" and "welcome" in e.get("rcpt_tags", ())
    )
    assert 2 == len(welcome)
    expected_rows = [{"recipient_domain": n, "bounces": c} for n, c in welcome.most_common()]
    assert f"{expected_rows}\n" == answer


RUN_SQL = """
from chdb.session import Session
with Session("base") as base:
    for statement in open("load.sql", encoding="utf-8").read().split(";"):
        if statement.strip():
            base.query(statement)
"""
ASK_SQL = """
import sys
from chdb.session import Session
with Session("base") as base:
    print(base.query(sys.argv[1], "TSVRaw"))
"""


def test_clickhouse(warehouse: Warehouse) -> None:
    """ClickHouse, here the embedded one, gets each event once, with the types of the page."""
    (warehouse.home / "load.sql").write_text(code("ClickHouse", "sql"), encoding="utf-8")
    (warehouse.home / "load.py").write_text(RUN_SQL, encoding="utf-8")
    warehouse.nights(FIRST, LATE)

    def ask(text: str) -> list[list[str]]:
        done = subprocess.run(
            [sys.executable, "-c", ASK_SQL, text],
            cwd=warehouse.home,
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split("\t") for line in done.stdout.splitlines() if line]

    found = ask("SELECT event_id, toUnixTimestamp64Milli(timestamp) FROM events FINAL")
    expected = sorted([e["event_id"], str(milliseconds(e["timestamp"]))] for e in ALL)
    assert expected == sorted(found)
    tags = ask("SELECT toJSONString(rcpt_tags), rcpt_to FROM events FINAL WHERE event_id = 'e7'")
    assert [['["welcome","日本 7"]', "łucja7@a.example"]] == tags
    types = {name: kind for name, kind, *_ in ask("DESCRIBE events")}
    assert documented("ClickHouse") == {name: types[name] for name in EXAMPLES}


def test_a_load_that_fails(warehouse: Warehouse) -> None:
    """Files that could not be loaded stay, and the next run loads them with the newer ones."""
    load = warehouse.home / "load.py"
    warehouse._client.store(*FIRST)
    load.write_text("raise SystemExit(1)", encoding="utf-8")
    assert warehouse.run().returncode == 1
    assert 1 == len(list((warehouse.home / "new").iterdir()))
    warehouse._client.store(*LATE)
    load.write_text(code("Polars", "python"), encoding="utf-8")
    assert warehouse.run().returncode == 0
    assert len(ALL) == pl.read_parquet(warehouse.home / "lake" / "*.parquet").height


# -- the table of types

EXAMPLES = {
    "timestamp": "`timestamp`, `received_at`, other times",
    "rcpt_tags": "`rcpt_tags`",
    "bounce_class": "integers",
    "transactional": "booleans",
    "rcpt_meta": "`rcpt_meta`, `geo_ip`",
    "subject": "all others",
}
"""A field for each line of the table."""


def documented(system: str) -> dict[str, str]:
    """The type of each example, as the page has it."""
    lines = [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
        for line in section("Types").splitlines()
        if line.startswith("| ")
    ]
    column = lines[0].index(system)
    kinds = {line[0]: line[column] for line in lines[1:]}
    return {name: kinds[line.strip("`")] for name, line in EXAMPLES.items()}
