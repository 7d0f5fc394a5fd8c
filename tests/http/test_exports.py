"""Exports over HTTP: section 7 of the native contract."""

import asyncio
import csv
import gzip
import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from conftest import Answer, Client, Server, keyring_of, new_client, problem
from making import ALL_TIME, Event, accepted, event, examples, same
from postledger.events import FIELD, FIELDS, Kind
from postledger.http import exports

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

EXPORTS = "/ledger/v1/exports"
SCOPES = ("events:read", "events:write", "exports:read", "exports:write")
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}

RICH: list[Event] = [
    event(
        1, rcpt_to="Ann@Mail.example", subject='a "b", c\nd\te\\f', campaign_id=7, msg_size=48211
    ),
    event(2, type="bounce", reason="550 unknown", bounce_class=10, rcpt_tags=["x, y", 'z"']),
    event(3, rcpt_meta={"order": 1234, "deep": {"a": [1, None]}}, geo_ip={"city": "Gdańsk"}),
    event(4, injection_time="2024-10-04T00:00:00.250Z", scheduled_time=1_728_000_000),
    event(5, transactional=False, click_tracking=True, user_agent="Mozilla/5.0 'x'", my_own=[1]),
    event(6, raw_rcpt_to="A <a@b.example>", rcpt_to="a@b.example", queue_time=-1),
]


@pytest.fixture
def client(server: Server) -> Client:
    return new_client(server, SCOPES)


def begin(client: Client, **asked: Any) -> dict[str, Any]:
    answer = client.post(json.dumps(asked).encode(), EXPORTS)
    assert 202 == answer.status, answer
    job: dict[str, Any] = answer.json()
    assert f"{EXPORTS}/{job['id']}" == answer.headers["location"]
    return job


def finished(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job when it is over."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        job = client.get(f"{EXPORTS}/{job['id']}")
        if job["status"] not in {"queued", "running"}:
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def export(client: Client, **asked: Any) -> tuple[dict[str, Any], bytes]:
    """A job that is done, and its file, unpacked."""
    job = finished(client, begin(client, **asked))
    assert "done" == job["status"], job
    answer = client.request("GET", job["download_url"])
    assert 200 == answer.status
    assert job["bytes"] == len(answer.body) == int(answer.headers["content-length"])
    assert job["sha256"] == hashlib.sha256(answer.body).hexdigest()
    compression = "none" if job["format"] == "parquet" else job["compression"]
    return job, UNPACK[compression](answer.body)


def lines(data: bytes) -> list[Event]:
    return [json.loads(line) for line in data.splitlines()]


def listed(client: Client, query: str = "") -> list[Event]:
    return [e for page in client.pages(f"/ledger/v1/events?{ALL_TIME}{query}") for e in page]


def by_id(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda found: (found["event_id"], found.get("timestamp")))


READ_PARQUET = """
import chdb, sys
print(chdb.query(f"SELECT * FROM file('{sys.argv[1]}', Parquet)", "JSONEachRow"))
"""


def read_parquet(data: bytes, tmp_path: Path) -> list[Event]:
    file = tmp_path / "file.parquet"
    file.write_bytes(data)
    command = [sys.executable, "-c", READ_PARQUET, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line]


def as_text(value: Any) -> str:
    """A value as it stands in a CSV file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    return "" if value in (None, []) else json.dumps(value, ensure_ascii=False)


def plain(name: str, text: str) -> Any:
    """JSON in CSV, without a difference in white space."""
    many = FIELD[name].kind in {Kind.TEXTS, Kind.OBJECT} and text
    return json.loads(text) if many else text


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_ndjson(client: Client, compression: str) -> None:
    """A file of lines has each event as the API lists it, unknown fields too."""
    client.store(*RICH)
    job, data = export(client, format="ndjson", compression=compression)
    assert by_id(listed(client)) == by_id(lines(data))
    assert (6, 6) == (job["rows"], job["rows_total"])
    assert job["created_at"] <= job["finished_at"]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_csv(client: Client, compression: str) -> None:
    """A CSV file has a column for each field, in the order of the registry."""
    client.store(*RICH)
    _, data = export(client, format="csv", compression=compression)
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
    assert [field.name for field in FIELDS] == header
    found = by_id([dict(zip(header, row, strict=True)) for row in rows])
    for event_, row in zip(by_id(listed(client)), found, strict=True):
        for name in FIELD:
            expected = as_text(event_.get(name))
            assert plain(name, expected) == plain(name, row[name]), name


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_parquet(client: Client, compression: str, tmp_path: Path) -> None:
    """A Parquet file has a typed column for each field; what is absent is null."""
    client.store(*RICH)
    _, data = export(client, format="parquet", compression=compression)
    assert b"PAR1" == data[:4] == data[-4:]
    rows = by_id(read_parquet(data, tmp_path))
    assert [field.name for field in FIELDS] == list(rows[0])
    for event_, row in zip(by_id(listed(client)), rows, strict=True):
        for name, value in row.items():
            assert event_.get(name) == from_parquet(FIELD[name].kind, value), name


def from_parquet(kind: Kind, value: Any) -> Any:
    """A value as the API gives it."""
    if value in (None, []):
        return None
    if kind is Kind.TIME:
        return str(value).replace(" ", "T") + "Z"
    if kind is Kind.OBJECT:
        return json.loads(value)
    return int(value) if kind is Kind.INTEGER else value


@given(st.lists(accepted(), min_size=6, max_size=20))
@examples(
    6,
    phases=[Phase.explicit, Phase.generate],  # each example is three exports: not made smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_stored(server: Server, cases: list[tuple[Event, Event]]) -> None:
    """Whatever intake accepts stands in a file as the API lists it."""
    client = new_client(server, SCOPES)
    client.store(*(given for given, _ in cases))
    expected = by_id(listed(client))
    _, data = export(client, format="ndjson")
    assert same(expected, by_id(lines(data)))
    _, data = export(client, format="ndjson", columns=list(FIELD))
    known = [{name: e[name] for name in e if name in FIELD} for e in expected]
    assert same(known, by_id(lines(data)))
    _, data = export(client, format="csv")
    rows = by_id([*csv.DictReader(io.StringIO(data.decode(), newline=""))])
    assert len(expected) == len(rows)
    for event_, row in zip(expected, rows, strict=True):
        for name in FIELD:
            text = as_text(event_.get(name))
            assert same(plain(name, text), plain(name, row[name])), (name, event_)


def test_columns(client: Client, tmp_path: Path) -> None:
    """Columns come in the order asked for; in lines, what an event does not have is left out."""
    client.store(*RICH)
    columns = ["user_agent", "event_id", "received_at", "rcpt_meta"]
    _, data = export(client, format="csv", columns=columns)
    assert columns == next(csv.reader(io.StringIO(data.decode())))
    _, data = export(client, format="parquet", columns=columns)
    assert columns == list(read_parquet(data, tmp_path)[0])
    _, data = export(client, format="ndjson", columns=columns)
    expected = [{n: e[n] for n in columns if n in e} for e in listed(client)]
    assert by_id(expected) == by_id(lines(data))


def test_filters(client: Client) -> None:
    """The filters are those of the list, with one value or several; without a range, all times."""
    client.store(*RICH, event(-600_000_000, event_id="old"))
    late = iso_of(4)
    for filters, query in (
        ({"type": "bounce"}, "&type=bounce"),
        (
            {"type": ["bounce", "delivery"], "event_id": ["e000001", "e000002"]},
            "&type=bounce&type=delivery&event_id=e000001&event_id=e000002",
        ),
        ({"bounce_class": 10, "reason": "Unknown"}, "&bounce_class=10&reason=Unknown"),
        ({"recipient": "ANN@mail.example"}, "&recipient=ANN@mail.example"),
        ({"subject": "nothing"}, "&subject=nothing"),
        ({}, ""),
    ):
        _, data = export(client, format="ndjson", filters=filters)
        assert by_id(listed(client, query)) == by_id(lines(data)), filters
    _, data = export(client, format="ndjson", filters={"from": late})
    assert ["e000004", "e000005", "e000006"] == [e["event_id"] for e in by_id(lines(data))]


def iso_of(number: int) -> str:
    return str(event(number)["timestamp"])


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "format"),
    ({"format": "xml"}, "format"),
    ({"format": ["csv"]}, "format"),
    ({"format": "csv", "compression": "lz4"}, "compression"),
    ({"format": "csv", "order": "asc"}, "order"),
    ({"format": "csv", "filters": []}, "filters"),
    ({"format": "csv", "filters": {"type": "sent"}}, "type"),
    ({"format": "csv", "filters": {"limit": 5}}, "limit"),
    ({"format": "csv", "filters": {"from": "yesterday"}}, "from"),
    ({"format": "csv", "filters": {"from": ["2026-01-01", "2026-01-02"]}}, "from"),
    ({"format": "csv", "filters": {"from": "2026-01-02", "to": "2026-01-01"}}, "from"),
    ({"format": "csv", "filters": {"bounce_class": "x"}}, "bounce_class"),
    ({"format": "csv", "filters": {"recipient": None}}, "recipient"),
    ({"format": "csv", "filters": {"recipient": [True]}}, "recipient"),
    ({"format": "csv", "filters": {"type": []}}, "type"),
    ({"format": "csv", "columns": []}, "columns"),
    ({"format": "csv", "columns": "type"}, "columns"),
    ({"format": "csv", "columns": ["types"]}, "columns"),
    ({"format": "csv", "columns": ["type", "type"]}, "columns"),
    ({"format": "csv", "name": "a/b"}, "name"),
    ({"format": "csv", "incremental": True}, "name"),
    ({"format": "csv", "incremental": "yes"}, "incremental"),
]


@pytest.mark.parametrize(("asked", "parameter"), BAD, ids=json.dumps)
def test_bad_bodies(client: Client, asked: dict[str, Any], parameter: str) -> None:
    """What cannot be meant is refused, and named."""
    told = problem(client.post(json.dumps(asked).encode(), EXPORTS), 400)
    assert parameter == told["errors"][0]["parameter"]
    assert [] == client.get(EXPORTS)["exports"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_bodies_that_are_none(client: Client, body: bytes) -> None:
    """A body that is not a JSON object is refused."""
    problem(client.post(body, EXPORTS), 400)


def test_scopes(server: Server, client: Client) -> None:
    """Starting and removing need exports:write, looking and loading exports:read."""
    job, _ = export(client, format="csv")
    workspace = keyring_of(server).authenticate(client.key).workspace
    reader = new_client(server, ("exports:read",), workspace)
    writer = new_client(server, ("exports:write",), workspace)
    path = f"{EXPORTS}/{job['id']}"
    assert 200 == reader.request("GET", path + "/file").status
    assert job == reader.get(path)
    for method, where in (("POST", EXPORTS), ("DELETE", path)):
        problem(reader.request(method, where, b'{"format":"csv"}'), 403)
    for where in (EXPORTS, path, path + "/file"):
        problem(writer.request("GET", where), 403)
    assert 204 == writer.request("DELETE", path).status


def test_workspaces(server: Server, client: Client) -> None:
    """An export has events of its workspace only, and no other workspace finds it."""
    other = new_client(server, SCOPES)
    client.store(*RICH)
    other.store(event(1, subject="other"))
    _, data = export(other, format="ndjson")
    assert ["other"] == [e["subject"] for e in lines(data)]
    job, _ = export(client, format="ndjson", name="daily")
    for path in (job["id"], f"{job['id']}/file"):
        problem(other.request("GET", f"{EXPORTS}/{path}"), 404)
    problem(other.request("DELETE", f"{EXPORTS}/{job['id']}"), 404)
    assert job["id"] not in {each["id"] for each in other.get(EXPORTS)["exports"]}
    _, data = export(other, format="ndjson", name="daily", incremental=True)
    assert 1 == len(lines(data))


def test_list_and_remove(client: Client) -> None:
    """The list has the newest first; what is removed is gone, with its file."""
    ids = [export(client, format="csv")[0]["id"] for _ in range(3)]
    assert ids[::-1] == [job["id"] for job in client.get(EXPORTS)["exports"]]
    assert 204 == client.request("DELETE", f"{EXPORTS}/{ids[1]}").status
    for method, path in (("GET", ""), ("GET", "/file"), ("DELETE", "")):
        problem(client.request(method, f"{EXPORTS}/{ids[1]}{path}"), 404)
    assert [ids[2], ids[0]] == [job["id"] for job in client.get(EXPORTS)["exports"]]
    problem(client.request("GET", f"{EXPORTS}?limit=1"), 400)


# -- downloads


def load(client: Client, path: str, **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request("GET", path, None, given)


def test_ranges(client: Client) -> None:
    """One range is given as asked for, parts make the whole, and the file is known by its ETag."""
    client.store(*RICH)
    job, data = export(client, format="ndjson", name="daily")
    path, size = job["download_url"], len(data)
    whole = load(client, path)
    tag = whole.headers["etag"]
    assert (data, f'"{job["sha256"]}"') == (whole.body, tag)
    assert (
        f'attachment; filename="daily-{job["id"]}.ndjson"' == whole.headers["content-disposition"]
    )
    assert "application/x-ndjson" == whole.headers["content-type"]
    assert "bytes" == whole.headers["accept-ranges"]
    for asked, first, stop in (
        ("0-0", 0, 1),
        ("0-99", 0, 100),
        ("100-", 100, size),
        ("-5", size - 5, size),
        (f"5-{size * 2}", 5, size),
        (f"-{size * 2}", 0, size),
        (f"{size - 1}-", size - 1, size),
    ):
        part = load(client, path, Range=f"bytes={asked}", If_Range=tag)
        assert (206, data[first:stop]) == (part.status, part.body)
        assert f"bytes {first}-{stop - 1}/{size}" == part.headers["content-range"]
        assert str(stop - first) == part.headers["content-length"]
    for asked in (f"{size}-", f"{size + 5}-{size + 6}", "-0"):
        answer = load(client, path, Range=f"bytes={asked}")
        problem(answer, 416)
        assert f"bytes */{size}" == answer.headers["content-range"]
    for asked in ("5-3", "0-1,3-4", "-", "x"):
        assert (200, data) == load(client, path, Range=f"bytes={asked}")[::2]
    assert (200, data) == load(client, path, Range="bytes=5-", If_Range='"other"')[::2]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        assert (304, b"") == load(client, path, If_None_Match=known)[::2]
    assert 200 == load(client, path, If_None_Match='"other"').status


def test_nothing_matches(client: Client, tmp_path: Path) -> None:
    """An export of nothing is a file without rows."""
    job, data = export(client, format="ndjson")
    assert (0, 0, b"") == (job["rows"], job["rows_total"], data)
    problem(load(client, job["download_url"], Range="bytes=0-"), 416)
    _, data = export(client, format="csv", columns=["type"])
    assert b'"type"\n' == data
    _, data = export(client, format="parquet")
    assert [] == read_parquet(data, tmp_path)


def test_incremental(client: Client) -> None:
    """Each export of a name goes on where the one before ended, however late events are."""
    seen: list[str] = []
    for number in range(4):
        new = [event(-number * 1000 + each, event_id=f"{number} {each}") for each in range(5)]
        client.store(*new[: number + 1])
        _, data = export(client, format="ndjson", name="nightly", incremental=True)
        assert [f"{number} {n}" for n in range(number + 1)] == [
            e["event_id"] for e in by_id(lines(data))
        ]
        seen += [e["event_id"] for e in lines(data)]
        client.store(*new[: number + 1])  # a repeat is not new
    assert sorted(e["event_id"] for e in listed(client)) == sorted(seen)
    job, data = export(client, format="ndjson", name="nightly", incremental=True)
    assert b"" == data
    client.request("DELETE", f"{EXPORTS}/{job['id']}")
    client.store(event(9, event_id="last"))
    _, data = export(client, format="ndjson", name="nightly", incremental=True)
    assert ["last"] == [e["event_id"] for e in lines(data)]
    _, data = export(client, format="ndjson", name="nightly")
    assert len(listed(client)) == len(lines(data))


class Slow:
    """Whoever asks first for the last number gets it last."""

    def __init__(self) -> None:
        self.asked = 0
        self.added: list[int] = []

    async def ask(self, question: Any, *given: Any) -> Any:
        if question == self.add:
            self.added.append(given[1])
            return SimpleNamespace(id="j")
        self.asked += 1
        last = 100 + self.asked
        await asyncio.sleep(0.2 / self.asked)
        return last

    def last(self) -> None: ...
    def add(self) -> None: ...
    def reserve(self, _: int) -> None: ...
    def release(self, _: int) -> None: ...


def test_one_column_of_csv(client: Client) -> None:
    """Has a row for each event, also where it has no value: readers pass over empty lines."""
    client.store(event(1, campaign_id="a"), event(2), event(3, msg_size=7))
    for name, values in (("campaign_id", ["", "", "a"]), ("msg_size", ["", "", "7"])):
        _, data = export(client, format="csv", columns=[name])
        rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
        assert values == sorted(row[name] for row in rows)


def test_exports_are_added_in_the_order_of_their_ends() -> None:
    """Else the place of a name would go back, and events be exported again."""
    slow: Any = Slow()
    start = exports.export_routes(slow, slow, slow, slow, slow)[0].fn

    async def started() -> None:
        async def sent() -> AsyncIterator[bytes]:
            yield b'{"format":"csv"}'

        request = SimpleNamespace(
            query_params=SimpleNamespace(multi_items=list),
            stream=sent,
            headers={},
            scope={"state": {"postledger.key": SimpleNamespace(workspace="w")}},
        )
        with patch.object(exports, "shown", lambda _: {}):
            await asyncio.gather(start(request), start(request))

    asyncio.run(started())
    assert [101, 102] == slow.added
