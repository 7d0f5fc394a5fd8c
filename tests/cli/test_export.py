"""`postledger export` against a real server, also through one that breaks downloads off."""

import csv
import gzip
import hashlib
import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import Client, Server, new_client
from making import event
from postledger.cli import main
from postledger.client import Client as Asking
from postledger.client import GaveUpError
from terminal import a_terminal, on_terminal, started

EXPORTS = "/ledger/v1/exports"
SCOPES = ("events:read", "events:write", "exports:read", "exports:write")
EVENTS = [
    event(n, subject=f"Zażółć gęślą jaźń {n} 日本", type="bounce" if n % 3 else "open", own=[n])
    for n in range(2000)
]


class Between(ThreadingHTTPServer):
    """Passes requests on to a server; `spoil` may change what a download answers.

    It is told how many downloads came before and the file's part, and returns what is sent of it.
    """

    daemon_threads = True
    there = ""
    spoil: Callable[[int, bytes], bytes] = staticmethod(lambda _, data: data)
    ranges: list[str | None]
    knows_ranges = True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Between

    def do_GET(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        headers = {k: v for k, v in self.headers.items() if k not in {"Host", "Connection"}}
        is_file = self.path.endswith("/file")
        if is_file:
            self.server.ranges.append(headers.get("Range"))
        if not self.server.knows_ranges:
            headers.pop("Range", None)
        url = self.server.there + self.path
        request = urllib.request.Request(url, data, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = self.server.spoil(len(self.server.ranges) - 1, body) if is_file else body
        self.wfile.write(sent)
        self.close_connection = len(sent) < len(body)

    do_POST = do_DELETE = do_GET  # noqa: N815 -- the standard library's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    """A client of a workspace with events."""
    made = new_client(server, SCOPES)
    made.store(*EVENTS)
    return made


@pytest.fixture(autouse=True)
def _here(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTLEDGER_URL", client.address)
    monkeypatch.setenv("POSTLEDGER_API_KEY", client.key)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    yield
    while left := jobs(client):
        for job in left:
            client.request("DELETE", f"{EXPORTS}/{job['id']}")


@pytest.fixture
def between(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    made = Between(("127.0.0.1", 0), Handler)
    made.there, made.ranges = client.address, []
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("POSTLEDGER_URL", f"http://127.0.0.1:{made.server_port}")
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def reports(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def rows(path: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return sorted(row["event_id"] for row in found)


def jobs(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(EXPORTS)["exports"]
    return found


def begun(client: Client, **asked: Any) -> dict[str, Any]:
    """An export that another program started."""
    answer = client.post(json.dumps(asked).encode(), EXPORTS)
    assert answer.status == 202, answer
    job: dict[str, Any] = answer.json()
    return job


# -- files


def test_a_file(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """All matching events are in the file, which is what the report says, and nothing stays."""
    assert main(["export", "Zażółć 日本.ndjson", "--type", "bounce", "--from", "2024-10-04"]) == 0
    [report] = reports(capsys)
    data = Path("Zażółć 日本.ndjson").read_bytes()
    assert report["file"] == "Zażółć 日本.ndjson"
    assert (len(data), hashlib.sha256(data).hexdigest()) == (report["bytes"], report["sha256"])
    found = rows("Zażółć 日本.ndjson")
    wanted = [one for one in EVENTS if one["type"] == "bounce"]
    assert ids(wanted) == ids(found)
    assert report["rows"] == len(found)
    assert {one["event_id"]: one["subject"] for one in wanted} == {
        row["event_id"]: row["subject"] for row in found
    }
    assert [] == jobs(client)
    assert [Path("Zażółć 日本.ndjson")] == list(Path().iterdir())


def test_the_name_says_the_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The file's name chooses format and compression; `--column` chooses the columns."""
    assert main(["export", "x.csv.gz", "--column", "event_id", "--column", "subject"]) == 0
    with gzip.open("x.csv.gz", "rt", encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert ["event_id", "subject"] == found[0]
    assert ids(EVENTS) == sorted(row[0] for row in found[1:])
    assert main(["export", "x.dat", "--format", "parquet"]) == 0
    assert Path("x.dat").read_bytes().startswith(b"PAR1")


def test_on_a_terminal(client: Client) -> None:
    """A terminal gets a sentence, and a bar on stderr for each of the two steps."""
    status, out = on_terminal("export", "x.ndjson")
    size = Path("x.ndjson").stat().st_size
    assert status == 0
    assert out == f"x.ndjson: 2,000 events, {size:,} bytes, checksum verified\n"
    with (
        a_terminal() as (terminal, shown),
        started("export", "y.parquet", stdout=terminal, stderr=terminal) as process,
    ):
        process.wait(timeout=60)
    assert process.returncode == 0
    assert b"writing" in shown
    assert b"loading" in shown


def test_keep(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """`--keep` leaves the export on the server; in a directory the file has the export's name."""
    Path("new").mkdir()
    assert main(["export", "new", "--format", "csv", "--compression", "zstd", "--keep"]) == 0
    [report], [job] = reports(capsys), jobs(client)
    assert report["file"] == f"new/export-{job['id']}.csv.zst"
    assert Path(report["file"]).is_file()
    assert job["status"] == "done"


def test_a_directory_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that is named as one is made, unless a file has its name."""
    for _ in range(2):
        assert main(["export", "--incremental", "w", "--format", "csv", "new/"]) == 0
    assert [Path(each["file"]).parent for each in reports(capsys)] == [Path("new")] * 2
    Path("file").touch()
    assert main(["export", "--format", "csv", "file/"]) == 1
    assert "postledger: file: File exists\n" == capsys.readouterr().err


def test_standard_output_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    """`-` does not become a file of this name."""
    assert main(["export", "-", "--format", "csv"]) == 2
    assert "an export needs a file" in capsys.readouterr().err
    assert [] == list(Path().iterdir())


# -- what breaks off


def test_a_download_that_breaks_off(between: Between, capsys: pytest.CaptureFixture[str]) -> None:
    """What broke off goes on from there; a server that is reached later is waited for."""
    between.spoil = lambda nth, data: data[: (50_000, 0, 70_000)[nth]] if nth < 3 else data
    assert main(["export", "x.ndjson"]) == 0
    assert ["bytes=0-", "bytes=50000-", "bytes=50000-", "bytes=120000-"] == between.ranges
    assert ids(EVENTS) == ids(rows("x.ndjson"))


def test_a_proxy_without_ranges(between: Between) -> None:
    """A proxy that always sends the whole file does not spoil it."""
    between.knows_ranges = False
    between.spoil = lambda nth, data: data[:50_000] if nth == 0 else data
    assert main(["export", "x.ndjson"]) == 0
    assert 2 == len(between.ranges)
    assert ids(EVENTS) == ids(rows("x.ndjson"))


def test_resume(between: Between, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """When patience ends the command says how to go on; what came is not loaded again, and the
    file is not asked for anew by accident."""
    between.spoil = lambda nth, data: data[:50_000] if nth == 0 else b""
    assert main(["export", "x.ndjson", "--patience", "0"]) == 1
    [job] = jobs(client)
    err = capsys.readouterr().err
    way = f"`postledger export --resume {job['id']} x.ndjson`"
    assert f"export {job['id']} stays on the server; {way} goes on with it\n" in err
    assert "postledger: the server at" in err
    assert 50_000 == Path(f"x.ndjson.{job['id']}.part").stat().st_size

    assert main(["export", "x.ndjson"]) == 1
    assert f"did not come whole; {way} goes on with it" in capsys.readouterr().err
    assert 1 == len(jobs(client))

    between.spoil = lambda _, data: data
    assert main(["export", "--resume", job["id"], "x.ndjson"]) == 0
    assert "bytes=50000-" == between.ranges[-1]
    assert ids(EVENTS) == ids(rows("x.ndjson"))
    assert [Path("x.ndjson")] == list(Path().iterdir())
    assert [] == jobs(client)


def test_what_is_whole_is_not_loaded_again(
    between: Between, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where all had come when a run ended, another one checks it and is done."""
    assert main(["export", "x.ndjson", "--keep"]) == 0
    [job] = jobs(client)
    Path("x.ndjson").rename(f"x.ndjson.{job['id']}.part")
    loaded = len(between.ranges)
    assert main(["export", "--resume", job["id"], "x.ndjson", "--keep"]) == 0
    assert main(["export", "--resume", job["id"], "x.ndjson"]) == 0
    assert loaded == len(between.ranges)
    assert 1 == len({report["sha256"] for report in reports(capsys)})
    assert [] == jobs(client)


def test_a_checksum_that_is_wrong(
    between: Between, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was changed on its way is found and removed, and can be loaded again."""
    between.spoil = lambda _, data: data.replace(b"bounce", b"BOUNCE", 1)
    assert main(["export", "x.ndjson"]) == 1
    [job] = jobs(client)
    assert f"export {job['id']} does not have its checksum" in capsys.readouterr().err
    assert [] == list(Path().iterdir())
    between.spoil = lambda _, data: data
    assert main(["export", "--resume", job["id"], "x.ndjson"]) == 0
    assert ids(EVENTS) == ids(rows("x.ndjson"))


def test_ctrl_c(between: Between, client: Client) -> None:
    """Ctrl-C leaves the export on the server, and says how to go on."""
    waiting, go_on = threading.Event(), threading.Event()

    def spoil(_: int, data: bytes) -> bytes:
        waiting.set()
        go_on.wait(30)
        return data

    between.spoil = spoil
    with started("export", "x y.ndjson", stderr=-1) as process:
        assert waiting.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        go_on.set()
    [job] = jobs(client)
    assert process.returncode == 130
    assert err.decode() == (
        f"export {job['id']} stays on the server; "
        f"`postledger export --resume {job['id']} 'x y.ndjson'` goes on with it\n"
    )
    assert job["status"] == "done"


def test_a_file_that_another_process_loads(
    between: Between, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two processes do not write to one file."""
    waiting, go_on = threading.Event(), threading.Event()

    def spoil(_: int, data: bytes) -> bytes:
        waiting.set()
        go_on.wait(30)
        return data

    between.spoil = spoil
    with started("export", "x.ndjson", stdout=-1) as process:
        assert waiting.wait(30)
        [job] = jobs(client)
        assert main(["export", "--resume", job["id"], "x.ndjson"]) == 1
        assert "is being loaded by another process" in capsys.readouterr().err
        go_on.set()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert ids(EVENTS) == ids(rows("x.ndjson"))


class Clock:
    """Time that passes by waiting only."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_patience_begins_anew_with_each_byte(between: Between, client: Client) -> None:
    """A download that goes on slowly is not given up; one that stands still is."""
    job = begun(client, format="ndjson")
    while (status := client.get(f"{EXPORTS}/{job['id']}")["status"]) != "done":
        assert status in {"queued", "running"}
    between.spoil = lambda nth, data: data[: 20_000 if nth % 5 == 4 else 0]
    clock = Clock()
    url = f"http://127.0.0.1:{between.server_port}"
    asking = Asking(url, client.key, patience=10, clock=clock, sleep=clock.sleep)
    size = client.get(f"{EXPORTS}/{job['id']}")["bytes"]
    path = f"{EXPORTS}/{job['id']}/file"
    assert size == sum(map(len, asking.pieces(path)))
    assert clock.now > 30
    between.spoil = lambda _, data: data[:0]
    with pytest.raises(GaveUpError, match="the file breaks off"):
        list(asking.pieces(path))


# -- a series


def test_a_series(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Each run of a name brings what is new, once, also what is late."""
    client = new_client(server, SCOPES)
    monkeypatch.setenv("POSTLEDGER_API_KEY", client.key)
    words = ["export", "--incremental", "nightly", "--format", "ndjson"]
    client.store(event(5), event(6))
    assert main(words) == 0
    client.store(event(1), event(5))
    assert main(words) == 0
    assert main(words) == 0
    files = [report["file"] for report in reports(capsys)]
    assert [["e000005", "e000006"], ["e000001"], []] == [ids(rows(file)) for file in files]
    assert [] == jobs(client)


def test_what_a_run_left_comes_first(
    server: Server, between: Between, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """What was not loaded by an earlier run, whatever ended it, is loaded by the next one, and what
    came since then too."""
    client = new_client(server, SCOPES)
    monkeypatch.setenv("POSTLEDGER_API_KEY", client.key)
    words = ["export", "--incremental", "nightly", "--format", "ndjson", "--patience", "0"]
    client.store(event(1))
    between.spoil = lambda _, data: data[:10]
    assert main(words) == 1
    [job] = jobs(client)
    said = capsys.readouterr().err
    assert f"the same command, or `postledger export --resume {job['id']} .`, goes on" in said
    client.store(event(2))
    between.spoil = lambda _, data: data
    assert main(words) == 0
    first, second = reports(capsys)
    assert job["id"] == first["id"]
    assert [["e000001"], ["e000002"]] == [ids(rows(one["file"])) for one in (first, second)]
    assert [] == [path for path in Path().iterdir() if path.suffix == ".part"]


def test_a_series_whose_file_was_here(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A run that ended between putting the file in its place and saying so is no second copy."""
    client = new_client(server, SCOPES)
    monkeypatch.setenv("POSTLEDGER_API_KEY", client.key)
    client.store(event(1))
    job = begun(client, format="ndjson", name="nightly", incremental=True)
    assert main(["export", "--resume", job["id"], "--keep"]) == 0
    assert main(["export", "--incremental", "nightly", "--format", "ndjson"]) == 0
    before, again, new = reports(capsys)
    assert before == again
    assert new["rows"] == 0
    assert [] == jobs(client)


# -- what is refused


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("export", "Say --format, or name a file such as events.parquet."),
        ("export events", "Say --format"),
        ("export x.parquet.gz", "compressed within"),
        ("export x.csv --incremental n", "x.csv is no directory"),
        ("export . --format csv --incremental n --keep", "--keep does not go with --incremental"),
        ("export --resume 1 --format csv", "leave the other options out"),
        ("export --resume 1 --type bounce", "leave the other options out"),
        ("export x.csv --format xml", "--format"),
    ],
)
def test_wrong_use(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is told in a sentence, and nothing is started."""
    assert main(line.split()) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("export x.csv --column nonsense", "nonsense is not a field of an event"),
        ("export x.csv --from never", "from: "),
        ("export . --format csv --incremental a/b", "name: expected 1 to 64 letters"),
        ("export --resume ../events x.csv", "the server refuses this (404)"),
        ("export nowhere/x.csv", "there is no directory nowhere"),
    ],
)
def test_failures(line: str, says: str, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """What fails is told in a sentence; the status is 1."""
    assert main(line.split()) == 1
    assert says in capsys.readouterr().err
    assert [] == list(Path().iterdir())
    assert [] == jobs(client)


def test_nothing_is_overwritten(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays as it is."""
    Path("x.csv").write_text("mine", encoding="utf-8")
    assert main(["export", "x.csv"]) == 1
    assert "x.csv is there; move it away" in capsys.readouterr().err
    assert [] == jobs(client)
    job = begun(client, format="csv")
    assert main(["export", "--resume", job["id"], "x.csv"]) == 1
    assert f"is not the file of export {job['id']}" in capsys.readouterr().err
    assert Path("x.csv").read_text(encoding="utf-8") == "mine"


def test_an_export_that_was_cancelled(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """An export that ended without a file is told so; nothing is left here of it."""
    status = 204
    while status == 204:  # it may have been done already
        job = begun(client, format="csv")
        status = client.request("DELETE", f"{EXPORTS}/{job['id']}").status
    assert main(["export", "--resume", job["id"], "x.csv"]) == 1
    assert capsys.readouterr().err == f"postledger: export {job['id']} was cancelled\n"
    assert [] == list(Path().iterdir())


def test_the_scope_is_named(server: Server, monkeypatch: Any, capsys: Any) -> None:
    """A key that may not export is told which scope it lacks."""
    monkeypatch.setenv("POSTLEDGER_API_KEY", new_client(server, ("events:read",)).key)
    assert main(["export", "x.csv"]) == 1
    assert "the key lacks the scope exports:write" in capsys.readouterr().err
    assert main(["export", "--resume", "1", "x.csv"]) == 1
    assert "the key lacks the scope exports:read" in capsys.readouterr().err
