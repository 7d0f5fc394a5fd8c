"""The command line, against a real HTTP server on loopback with scripted answers."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postledger import __version__
from postledger.cli import COMMANDS, GROUPS, main
from postledger.cli.doctor import Finding, Found, examine, show
from postledger.cli.filtering import Filters
from postledger.cli.options import Place, read_time
from postledger.cli.output import printable
from postledger.cli.reading import UnreadableFileError
from postledger.cli.records import Batch, cut
from postledger.cli.sending import MOST_NAMED, Tally
from postledger.client import Client, GaveUpError, NoServerError, Receipt, RefusedError
from postledger.errors import Problem, StartError, Unauthenticated
from postledger.query import FILTERS
from postledger.settings import Settings, load
from postledger.state.keys import SCOPES, open_keyring
from postledger.state.options import DEFAULTS
from postledger.store.check import inspect
from postledger.store.engine import LOCK, MARKER
from terminal import a_terminal, on_terminal, started

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NATIVE = "/ledger/v1/events"
SPARKPOST = "/ledger/v1/intake/sparkpost"


# -- the server


@dataclass(frozen=True)
class Asked:
    """A request as it came in, its body decompressed."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


LOST = Answer(0, None)
"""No answer: the connection is closed."""


def judge(asked: Asked) -> Answer:
    """Section 4 of the contract: a line is bad if it is no JSON object, or has `bad` in it."""
    records = [line for line in asked.body.split(b"\n") if line.strip()]
    bad = {at: why for at, line in enumerate(records) if (why := _what_is_bad(line))}
    errors = [{"index": at, "field": "type", "message": why} for at, why in bad.items()][:100]
    answer = {"accepted": len(records) - len(bad), "duplicates": 0, "rejected": len(bad)}
    if bad and {"not JSON"} == set(bad.values()) and len(bad) == len(records):
        return Answer(400, {"title": "Unreadable", "detail": "no record of the body is JSON"})
    if bad and len(bad) == len(records):
        problem = {"title": "No record is valid", "status": 422, "detail": "all are bad"}
        return Answer(422, problem | answer | {"errors": errors})
    return Answer(200, answer | {"errors": errors})


def _what_is_bad(line: bytes) -> str | None:
    try:
        record = json.loads(line)
    except ValueError:
        return "not JSON"
    if not isinstance(record, dict):
        return "not an object"
    return "is bad" if "bad" in record else None


class Ledger:
    """Remembers what was asked; answers from `script` first, then by `rule`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: list[Answer] = []
        self.rule: Callable[[Asked], Answer] = judge
        self.came = threading.Condition()
        self.date: str | None = None

    def answer(self, asked: Asked) -> Answer:
        with self.came:
            self.asked.append(asked)
            self.came.notify_all()
            scripted = self.script.pop(0) if self.script else None
        return scripted or self.rule(asked)

    def wait_for(self, requests: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.asked) >= requests, timeout=5)

    @property
    def bodies(self) -> list[bytes]:
        return [asked.body for asked in self.asked]

    @property
    def records(self) -> list[Any]:
        lines = chain.from_iterable(body.split(b"\n") for body in sorted(self.bodies))
        return [json.loads(line) for line in lines if line.strip()]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "zstd":
            body = zstd.decompress(body)
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(
            self.command, url.path, parse_qsl(url.query, keep_blank_values=True), headers, body
        )
        answer = self.server.ledger.answer(asked)
        if answer is LOST:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._reply(answer)

    do_POST = do_GET  # noqa: N815 -- the standard library's names

    def _reply(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in (answer.headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.ledger.date or super().date_time_string(timestamp)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    ledger: Ledger


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def ledger(server: Server, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    server.ledger = Ledger()
    monkeypatch.setenv("POSTLEDGER_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("POSTLEDGER_API_KEY", "pl_test")
    return server.ledger


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine, and a wide terminal."""
    for name in [name for name in os.environ if name.startswith("POSTLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")


def free_url() -> str:
    """An address where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"type": "open", "timestamp": "2026-11-20T09:30:00.000Z", "event_id": str(number)} | more


def ndjson(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# -- words and options


ALL_COMMANDS = [
    [],
    *([command.name] for command in COMMANDS),
    *([group] for group in GROUPS),
    ["keys", "create"],
    ["keys", "list"],
    ["keys", "revoke"],
    ["workspaces", "create"],
    ["workspaces", "list"],
    ["workspaces", "show"],
    ["workspaces", "set"],
]


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_help_has_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command's help shows how to use it."""
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: postledger" in out
    assert "postledger " + " ".join(words) in out.partition("Example")[2]


def test_list_of_commands_says_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands has a sentence for each."""
    main(["--help"])
    out = capsys.readouterr().out
    for name in [*(command.name for command in COMMANDS), *GROUPS]:
        assert re.search(rf"│ {name} +[A-Z]\w+", out), name


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` is the package's."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_filters_are_options() -> None:
    """Every filter of the native API is an option of `search`, and there are no others."""
    assert list(FILTERS) == [one.name for one in fields(Filters)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("bogus", "bogus"),
        ("import", "FILES"),
        ("import --bogus x", "--bogus"),
        ("import x --batch-size 0", "--batch-size"),
        ("import x --format csv", "--format"),
        ("search --limit -1", "--limit"),
        ("search --url ftp://x", "--url"),
        ("search --url http://u:secret@x", "--key"),
        ("search --bogus 1", "--bogus"),
        ("tail --after x --from-start", "--from-start"),
        ("serve --port 99999", "--port"),
        ("demo", "NUMBER"),
        ("demo -5", "NUMBER"),
        ("demo 10 --end 2026-13-01", "--end"),
        ("demo 10 --days 1e9", "--days"),
        ("demo 10 --end 0001-01-01", "--end"),
        ("demo 10 --seed -1", "--seed"),
        ("demo 10 --end 2026-11-01T00:00:00", "time zone"),
        ("workspaces set shop zone UTC", "zone is none of timezone"),
        ("workspaces set shop timezone", "VALUE"),
        ("workspaces show", "NAME"),
        ("keys create --workspace a --scope everything", "everything"),
        ("keys create --workspace a", "--scope"),
        ("keys create --workspace a --scope admin --expires soon", "--expires"),
    ],
)
def test_wrong_use(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line is told in one sentence on stderr, and the status is 2."""
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("postledger: ")
    assert err.count("\n") == 1


def test_a_wrong_key_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was given as a key never shows up in a message."""
    monkeypatch.setenv("POSTLEDGER_API_KEY", "sécret")
    assert main(["search"]) == 2
    assert "POSTLEDGER_API_KEY" in (err := capsys.readouterr().err)
    assert "cret" not in err


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20T09:30:00Z", datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("30d", datetime(2027, 1, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 12, 31, 2, tzinfo=UTC)),
    ],
)
def test_times(text: str, time: datetime) -> None:
    """A time is RFC 3339, a date, or a span from now."""
    assert time == read_time(text, datetime(2026, 12, 31, tzinfo=UTC))


def test_a_time_beyond_the_calendar() -> None:
    """A span that leads out of the calendar is refused like what is no time."""
    with pytest.raises(ValueError, match="a time like"):
        read_time("999999w", datetime(2026, 12, 31, tzinfo=UTC))


def test_serve_reads_settings_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in the settings is told before anything starts."""
    monkeypatch.setenv("POSTLEDGER_PROT", "1")
    assert main(["serve"]) == 1
    assert capsys.readouterr().err.startswith("postledger: POSTLEDGER_PROT is not a setting.")


# -- import: forms


PRETTY = json.dumps(event(1, subject="a\nb"), indent=2).encode()
MSYS = [{"msys": {"message_event": event(n)}} for n in range(3)]


@pytest.mark.parametrize(
    ("content", "path", "records"),
    [
        (ndjson(event(1), event(2)), NATIVE, [event(1), event(2)]),
        (ndjson(event(1), event(2)).rstrip(), NATIVE, [event(1), event(2)]),
        (b"\xef\xbb\xbf\n\r\n" + ndjson(event(1)), NATIVE, [event(1)]),
        (json.dumps([event(1), event(2)]).encode(), NATIVE, [event(1), event(2)]),
        (json.dumps([event(1), event(2)], indent=1).encode(), NATIVE, [event(1), event(2)]),
        (b"[\n" + ndjson(event(1)) + b"]", NATIVE, [event(1)]),
        (b"\n \n" + PRETTY, NATIVE, [event(1, subject="a\nb")]),
        (PRETTY.replace(b"\n", b"\r\n"), NATIVE, [event(1, subject="a\nb")]),
        (ndjson(*MSYS), SPARKPOST, MSYS),
        (json.dumps(MSYS).encode(), SPARKPOST, MSYS),
        (json.dumps(MSYS, indent=2).encode(), SPARKPOST, MSYS),
        (b'[{"msys":{}}]', SPARKPOST, [{"msys": {}}]),
        (ndjson(MSYS, MSYS[:1]), SPARKPOST, [*MSYS, MSYS[0]]),  # type: ignore[arg-type]
        (ndjson({"results": [event(1)], "links": {}}), NATIVE, [event(1)]),
        (
            json.dumps({"links": [], "results": [event(1), event(2)]}, indent=4).encode(),
            NATIVE,
            [event(1), event(2)],
        ),
        (
            ndjson({"results": [event(1)]}, {"results": []}, {"results": [event(2)]}),
            NATIVE,
            [event(1), event(2)],
        ),
        (json.dumps({"results": MSYS}).encode(), SPARKPOST, MSYS),
        (ndjson(event(1, results=[1, 2])), NATIVE, [event(1, results=[1, 2])]),
        (json.dumps(event(1, results={}), indent=1).encode(), NATIVE, [event(1, results={})]),
    ],
)
def test_forms(
    content: bytes,
    path: str,
    records: list[Any],
    ledger: Ledger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first record decides what a file is, and where its records go."""
    Path("in").write_bytes(content)
    assert main(["import", "in", "--json"]) == 0
    assert [path] == [asked.path for asked in ledger.asked]
    assert records == ledger.records
    assert len(records) == summary(capsys)["accepted"]


def test_the_format_can_be_told(ledger: Ledger) -> None:
    """`--format` wins over what the first record looks like."""
    Path("in").write_bytes(ndjson(event(1)))
    main(["import", "in", "--format", "sparkpost"])
    assert [asked.path for asked in ledger.asked] == [SPARKPOST]


def test_requests_are_compressed_ndjson_with_the_key(ledger: Ledger) -> None:
    """A body is zstd, of NDJSON, and the key is in the header."""
    Path("in").write_bytes(ndjson(event(1)))
    main(["import", "in"])
    headers = ledger.asked[0].headers
    assert headers["content-type"] == "application/x-ndjson"
    assert headers["content-encoding"] == "zstd"
    assert headers["authorization"] == "Bearer pl_test"


DEEP = b'{"type": "open", "a": ' + b"[" * 1200 + b"]" * 1200 + b"}"


@pytest.mark.parametrize("at", [0, 1])
def test_a_line_that_is_nested_too_deep(at: int, ledger: Ledger) -> None:
    """It is the server that refuses it, and takes the others."""
    lines = [ndjson(event(1)), ndjson(event(2))]
    lines.insert(at, DEEP + b"\n")
    Path("in").write_bytes(b"".join(lines))
    ledger.script = [Answer(200, {"accepted": 2, "duplicates": 0, "rejected": 1, "errors": []})]
    assert main(["import", "in"]) == 1
    assert [b"".join(lines)] == ledger.bodies


@pytest.mark.parametrize(
    "content",
    [b"[{},\n" + DEEP + b"]", b"[{}]\n[" + DEEP + b"]", b'{\n"results": [' + DEEP + b"]}"],
)
def test_an_array_that_is_nested_too_deep(
    content: bytes, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """What has to be read whole, and cannot be, is refused with a way out."""
    Path("in").write_bytes(content)
    assert main(["import", "in"]) == 1
    assert "in has a record that is nested too deep; as NDJSON" in capsys.readouterr().err
    assert ledger.asked == []


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"[]", b'{"results": []}'])
def test_nothing_in_it(content: bytes, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A file without records is no error, and nothing is sent."""
    Path("in").write_bytes(content)
    assert main(["import", "in"]) == 0
    assert ledger.asked == []
    assert capsys.readouterr().out == "in: 0 read, 0 accepted, 0 duplicates, 0 rejected\n"


@pytest.mark.parametrize(
    "content", [b'[{"type": "open"},\n{"type"', PRETTY + b"\n" + PRETTY, b'{\n"a": 1,\nb}']
)
def test_neither_ndjson_nor_a_value(
    content: bytes, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is cut off, or several values over several lines, is refused with a way out."""
    Path("in").write_bytes(content)
    assert main(["import", "in"]) == 1
    assert "jq -c" in capsys.readouterr().err
    assert ledger.asked == []


# -- import: files


def _gz(data: bytes) -> bytes:
    return gzip.compress(data[:50]) + gzip.compress(data[50:])


def _zst(data: bytes) -> bytes:
    return zstd.compress(data[:50]) + zstd.compress(data[50:])


@pytest.mark.parametrize(("name", "pack"), [("in.gz", _gz), ("in.zst", _zst), ("odd", _gz)])
def test_compressed(name: str, pack: Callable[[bytes], bytes], ledger: Ledger) -> None:
    """gzip and zstd are known by content, also with several members."""
    events = [event(number) for number in range(1000)]
    Path(name).write_bytes(pack(ndjson(*events)))
    assert main(["import", name]) == 0
    assert events == ledger.records


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_a_cut_off_file(
    pack: Callable[[bytes], bytes], ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged file is named; a summary tells of what came before its end, and of others."""
    Path("good").write_bytes(ndjson(event(1)))
    Path("cut").write_bytes(pack(ndjson(*map(event, range(1000))))[:-20])
    assert main(["import", "cut", "good"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("postledger: cut is damaged, ")
    assert "good: 1 read, 1 accepted" in out


def test_files_that_cannot_be_read(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is named with what is wrong, and the others are loaded."""
    Path("one").write_bytes(ndjson(event(1)))
    Path("docs").write_bytes(b'{\n"results": {"message_event": {}}\n}')
    Path("table").write_bytes(b"type,timestamp\n" * 2 + ndjson(event(2)))
    Path("two").write_bytes(ndjson(event(3)))
    files = ["one", "docs", "table", "missing", ".", "two"]
    assert main(["import", *files, "--batch-size", "2"]) == 1
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "postledger: docs has no events in it: its `results` is no array",
        "postledger: table: the server cannot read this: no record of the body is JSON",
        "postledger: missing cannot be read: No such file or directory",
        "postledger: . cannot be read: Is a directory",
    ]
    assert out.splitlines()[-1] == "in all: 3 read, 3 accepted, 0 duplicates, 0 rejected"
    assert main(["import", "missing", "one", "--json"]) == 1
    failures = [each.get("failure") for each in summary(capsys)["files"]]
    assert failures == ["missing cannot be read: No such file or directory", None]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(
    pack: Callable[[bytes], bytes],
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`-` is standard input, compressed or not."""
    reading, writing = os.pipe()
    os.write(writing, pack(ndjson(event(1), event(2))))
    os.close(writing)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["import", "-", "--json"]) == 0
    counts = {"read": 2, "accepted": 2, "duplicates": 0, "rejected": 0}
    assert summary(capsys)["files"] == [{"file": "-"} | counts]
    assert ledger.records == [event(1), event(2)]


# -- import: batches


@given(
    st.lists(st.text(alphabet="ab \r", max_size=6), max_size=30),
    st.booleans(),
    st.integers(1, 7),
    st.integers(1, 40),
)
def test_cutting(texts: list[str], end: bool, most_lines: int, size: int) -> None:  # noqa: FBT001
    """Bodies have at most so many lines, end where lines end, and lose and repeat nothing."""
    data = "\n".join(texts).encode() + (b"\n" if end else b"")
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    bodies = list(cut("in", chunks, most_lines))
    assert data == b"".join(bodies)
    assert all(body.endswith(b"\n") for body in bodies[:-1])
    assert all(body.count(b"\n") <= most_lines for body in bodies)


def test_large_lines_make_small_batches() -> None:
    """A body has at most 16 MiB, unless one line has more."""
    line = b"x" * (7 * 1024 * 1024) + b"\n"
    huge = b"y" * (17 * 1024 * 1024) + b"\n"
    bodies = list(cut("in", [line, line, line[:9], line[9:] + huge, line], 10_000))
    assert [line * 2, line, huge, line] == bodies


def test_large_records_of_an_array_make_small_batches(ledger: Ledger) -> None:
    """A body of an array's records has at most 16 MiB, too."""
    Path("in").write_text(json.dumps([event(number, x="x" * 7_000_000) for number in range(3)]))
    assert main(["import", "in"]) == 0
    assert sorted(body.count(b"\n") for body in ledger.bodies) == [1, 2]


def test_reading_does_not_wait_for_the_end() -> None:
    """NDJSON streams: the first batch is there when it is full."""
    endless = cut("in", repeat(b'{"a": 1}\n' * 100), 1000)
    assert next(endless) == b'{"a": 1}\n' * 1000


def test_a_line_without_end() -> None:
    """What has no newlines is not read into memory without limit."""
    with pytest.raises(UnreadableFileError, match="64 MiB"):
        next(cut("in", repeat(b" " * 1024 * 1024), 10))


def test_batches_keep_order_and_count(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """`--batch-size` is the most records in a request, in arrays too."""
    Path("lines").write_bytes(ndjson(*map(event, range(10))))
    Path("array").write_text(json.dumps([event(number) for number in range(7)]))
    assert main(["import", "lines", "array", "--batch-size", "4"]) == 0
    assert [body.count(b"\n") for body in _in_order(ledger.bodies)] == [4, 4, 2, 4, 3]
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "lines: 10 read, 10 accepted, 0 duplicates, 0 rejected"
    assert out[1] == "array: 7 read, 7 accepted, 0 duplicates, 0 rejected"
    assert out[2] == "in all: 17 read, 17 accepted, 0 duplicates, 0 rejected"


def _in_order(bodies: Sequence[bytes]) -> list[bytes]:
    """Two are under way at a time, so neighbours may change places within a file."""
    return sorted(bodies[:3]) + sorted(bodies[3:])


def test_two_requests_at_a_time(ledger: Ledger) -> None:
    """Two bodies are under way at once, and not three."""
    under_way, most = set[int](), list[int]()
    both = threading.Barrier(2, timeout=5)

    def rule(asked: Asked) -> Answer:
        under_way.add(id(asked))
        most.append(len(under_way))
        both.wait()
        under_way.discard(id(asked))
        return judge(asked)

    ledger.rule = rule
    Path("in").write_bytes(ndjson(*map(event, range(8))))
    assert main(["import", "in", "--batch-size", "1", "--patience", "0"]) == 0
    assert max(most) == 2


# -- import: rejected records


def test_rejected_records_are_named(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A rejected record is named by its line and its number, across batches and blank lines."""
    good, bad = ndjson(event(1)), ndjson(event(2, bad=1))
    Path("in").write_bytes(
        b"\n" + good + b"\r\n" + bad + good + b"  \n\n" + good + bad + b"no json\n" + good + bad
    )
    assert main(["import", "in", "--batch-size", "3"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "in:4 (record 2): type: is bad",
        "in:9 (record 5): type: is bad",
        "in:10 (record 6): type: not JSON",
        "in:12 (record 8): type: is bad",
        "in: 8 read, 4 accepted, 0 duplicates, 4 rejected",
    ]


def test_rejected_records_of_an_array(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """In an array over several lines, a record's line is the one on which it begins."""
    text = '\n[\n {"a": 1,\n  "b": 2}, {"bad": 1},\n\n {"bad":\n 2}, 3, {"a": 1}\n]'
    Path("in").write_text(text)
    assert main(["import", "in", "--batch-size", "2", "--json"]) == 1
    found = summary(capsys)["errors"]
    assert [(one["line"], one["record"]) for one in found] == [(4, 2), (6, 3), (7, 4)]
    assert {"in"} == {one["file"] for one in found}


def test_a_first_record_that_is_bad(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken first line does not hide what the file is."""
    Path("in").write_bytes(b'{"type": "op\n' + ndjson(*MSYS))
    assert main(["import", "in"]) == 1
    assert [asked.path for asked in ledger.asked] == [SPARKPOST]
    assert capsys.readouterr().out.startswith("in:1 (record 1): type: not JSON\n")


def test_a_batch_without_json_behind_a_good_one(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a crash left at the end of a file is a bad record, also in a batch of its own."""
    Path("in").write_bytes(ndjson(event(1), event(2)) + b"\n" + b'{"type": "op\n\0\0\0')
    assert main(["import", "in", "--batch-size", "2"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "in:4 (record 3): is not JSON",
        "in:5 (record 4): is not JSON",
        "in: 4 read, 2 accepted, 0 duplicates, 2 rejected",
    ]


def test_one_record_that_is_not_json(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that is no JSON is one bad record."""
    Path("in").write_bytes(b"hello\n")
    assert main(["import", "in"]) == 1
    assert capsys.readouterr().out.startswith("in:1 (record 1): is not JSON\n")


def test_a_file_without_json(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is something else is not sent to its end."""
    Path("in.csv").write_bytes(b"type,timestamp\n" * 1000)
    assert main(["import", "in.csv", "--batch-size", "10"]) == 1
    assert capsys.readouterr().err == (
        "postledger: in.csv: the server cannot read this: no record of the body is JSON\n"
    )
    assert len(ledger.asked) <= 2


def test_more_than_the_server_lists(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a body the server lists 100 errors; the others are counted."""
    Path("in").write_bytes(ndjson(*(event(number, bad=1) for number in range(130))))
    assert main(["import", "in"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[99] == "in:100 (record 100): type: is bad"
    assert out[100:] == [
        "in: 30 more rejected",
        "in: 130 read, 0 accepted, 0 duplicates, 130 rejected",
    ]


def test_naming_has_a_ceiling() -> None:
    """Memory does not grow with the number of rejected records."""
    tally = Tally("in")
    errors = [Problem("is bad", index=at) for at in range(100)]
    batch = Batch("native", b"{}\n" * 100)
    for _ in range(MOST_NAMED // 100 + 2):
        tally.add(batch, Receipt(accepted=0, duplicates=0, rejected=100, errors=errors))
    assert len(tally.rejections) == MOST_NAMED
    assert tally.unnamed == 200


def test_several_errors_of_one_record_are_one_rejected_record() -> None:
    """A record with two bad fields counts once, and both are told."""
    tally = Tally("in")
    errors = [Problem("a", index=1, field="x"), Problem("b", index=1), Problem("of no record")]
    tally.add(Batch("native", b"{}\n{}\n{}\n"), Receipt(1, 0, 2, errors))
    assert list(map(str, tally.rejections)) == ["in:2 (record 2): x: a", "in:2 (record 2): b"]
    assert tally.unnamed == 1


def test_duplicates_are_no_failure(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Running an import again ends well, with duplicates."""
    ledger.script = [Answer(200, {"accepted": 1, "duplicates": 1, "rejected": 0, "errors": []})]
    Path("in").write_bytes(ndjson(event(1), event(2)))
    assert main(["import", "in", "--json"]) == 0
    assert {"read": 2, "accepted": 1, "duplicates": 1, "rejected": 0}.items() <= summary(
        capsys
    ).items()


# -- a server that is busy, away, or says no


def test_a_busy_server_is_asked_again(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A body that is put off, or whose answer is lost, is sent again, and counted once."""
    busy = {"title": "Busy", "detail": "too much at once"}
    ledger.script = [Answer(503, busy, {"Retry-After": "0"}), LOST]
    Path("in").write_bytes(ndjson(event(1)))
    assert main(["import", "in"]) == 0
    assert ledger.bodies == [ndjson(event(1))] * 3
    assert capsys.readouterr().out == "in: 1 read, 1 accepted, 0 duplicates, 0 rejected\n"


def test_patience_ends(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that stays busy longer than the patience is told, with its reason."""
    ledger.rule = lambda _: Answer(503, {"detail": "the disk is full"}, {"Retry-After": "30"})
    Path("in").write_bytes(ndjson(event(1)))
    assert main(["import", "in", "--patience", "2"]) == 1
    err = capsys.readouterr().err
    assert "503: the disk is full" in err
    assert "30 s more" in err
    assert "patience of 2 s" in err
    assert len(ledger.asked) == 1


class Clock:
    """Time that passes only when one waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def test_waiting(ledger: Ledger) -> None:
    """Waits grow to five seconds, in all no longer than the patience; a long one is told once."""
    ledger.rule = lambda _: Answer(503, b"")
    clock, notices = Clock(), list[str]()
    client = Client(
        os.environ["POSTLEDGER_URL"],
        patience=20,
        notice=notices.append,
        clock=clock,
        sleep=clock.sleep,
    )
    with pytest.raises(GaveUpError):
        client.store(NATIVE, b"{}")
    assert pytest.approx(clock.waits) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert len(notices) == 1
    assert "503: Service Unavailable" in notices[0]


def test_retry_after_a_date(ledger: Ledger) -> None:
    """`Retry-After` may be a date."""
    clock = Clock()
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    ledger.script = [Answer(429, b"", {"Retry-After": later})]
    Client(os.environ["POSTLEDGER_URL"], clock=clock, sleep=clock.sleep).store(NATIVE, b"{}")
    assert pytest.approx(clock.waits, abs=3) == [50]


def test_a_server_that_goes_away(ledger: Ledger) -> None:
    """After a first answer, a lost connection is worth the patience, and no longer."""
    ledger.script = [judge(Asked("POST", NATIVE, [], {}, b"{}")), *[LOST] * 30]
    clock = Clock()
    client = Client(os.environ["POSTLEDGER_URL"], patience=20, clock=clock, sleep=clock.sleep)
    client.store(NATIVE, b"{}")
    with pytest.raises(GaveUpError, match="does not answer"):
        client.store(NATIVE, b"{}")
    assert sum(clock.waits) <= 20


@pytest.mark.parametrize("line", ["search", "tail", "demo 10", "import in"])
def test_no_server(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing listens, one sentence says so, at once."""
    Path("in").write_bytes(ndjson(event(1)))
    url = free_url()
    assert main([*line.split(), "--url", url]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"postledger: no server at {url}; start one with `postledger serve`")


def test_a_name_that_does_not_exist() -> None:
    """What keeps the server from being reached is told, where it is not simply stopped."""
    with pytest.raises(NoServerError, match=r"no server at http://no\.invalid \(.+\); start one"):
        Client("http://no.invalid").get(NATIVE, [], dict)


@pytest.mark.parametrize(
    ("status", "key", "says"),
    [
        (401, "", "wants a key: make a key with `postledger keys create --workspace NAME"),
        (401, "k", "does not accept this key: make a key"),
        (403, "k", "lacks the scope events:read: make a key"),
        (404, "k", "does not answer like Postledger (404"),
        (500, "k", "does not answer like Postledger (500"),
    ],
)
def test_refusals(status: int, key: str, says: str, ledger: Ledger) -> None:
    """A refusal says what to do about it."""
    ledger.script = [Answer(status, b"<html>")]
    with pytest.raises(RefusedError, match=re.escape(says)):
        Client(os.environ["POSTLEDGER_URL"], key).get(NATIVE, [], dict)


@pytest.mark.parametrize("detail", ["from: is no time", "from is no time"])
def test_problem_documents_are_told(
    detail: str, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a problem document the detail is shown, and each error that it does not name."""
    errors = [
        {"parameter": "from", "message": "is no time"},
        {"index": 4, "field": "type", "message": "none"},
    ]
    ledger.script = [Answer(400, {"title": "T", "detail": detail, "errors": errors})]
    assert main(["search"]) == 1
    assert capsys.readouterr().err == (
        f"postledger: the server refuses this (400): {detail}; record 5: type: none\n"
    )


def test_a_body_that_is_too_large(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """413 names the option that makes bodies smaller."""
    ledger.script = [Answer(413, {"title": "Too large"})]
    Path("in").write_bytes(ndjson(event(1)))
    assert main(["import", "in"]) == 1
    assert "smaller --batch-size" in capsys.readouterr().err


def test_the_key_does_not_follow_redirects(ledger: Ledger) -> None:
    """A redirect is shown, not followed."""
    ledger.script = [Answer(302, b"", {"Location": "/elsewhere"})]
    with pytest.raises(RefusedError, match=r"302 Found, it points to /elsewhere"):
        Client(os.environ["POSTLEDGER_URL"], "key").get(NATIVE, [], dict)
    assert len(ledger.asked) == 1


def test_something_else_that_answers(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON of another shape is not taken for an answer."""
    ledger.rule = lambda _: Answer(200, {"hello": "world"})
    Path("in").write_bytes(ndjson(event(1)))
    assert main(["search"]) == 1
    assert main(["import", "in"]) == 1
    assert capsys.readouterr().err.count("does not answer like Postledger") == 2


# -- search


def pages(total: int) -> Callable[[Asked], Answer]:
    """`total` events; a cursor is the number of events before it."""

    def rule(asked: Asked) -> Answer:
        query = dict(asked.query)
        begin, size = int(query.get("cursor", 0)), int(query["limit"])
        if not size:
            return Answer(400, {"detail": "limit: from 1 to 10000"})
        end = min(begin + size, total)
        events = [event(number) for number in range(begin, end)]
        more = {"total": total} if query.get("total") == "true" else {}
        return Answer(200, {"events": events, "next": str(end) if end < total else None} | more)

    return rule


@pytest.mark.parametrize(
    ("limit", "found", "asked"),
    [
        ([], 100, ["100"]),
        (["--limit", "10"], 10, ["10"]),
        (["--limit", "10001"], 10_001, ["10000", "1"]),
        (["--limit", "0"], 12_345, ["10000", "10000"]),
    ],
)
def test_search_follows_pages(
    limit: list[str],
    found: int,
    asked: list[str],
    ledger: Ledger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`next` is followed to the limit, or to the end; a pipe gets whole events, a line each."""
    ledger.rule = pages(12_345)
    assert main(["search", *limit]) == 0
    out, err = capsys.readouterr()
    assert [event(number) for number in range(found)] == [json.loads(x) for x in out.splitlines()]
    assert asked == [dict(each.query)["limit"] for each in ledger.asked]
    assert err == ""


def test_search_sends_filters(ledger: Ledger) -> None:
    """Options become the parameters of the API, the same on every page."""
    ledger.rule = pages(20_000)
    line = "search --type bounce --type delay --recipient-domain a.example --tag x"
    options = ["--reason", "user unknown", "--from", "2026-11-01", "--to", "2026-11-02"]
    assert main([*line.split(), *options, "--order", "asc", "--limit", "0"]) == 0
    wanted = [
        ("order", "asc"),
        ("type", "bounce"),
        ("type", "delay"),
        ("recipient_domain", "a.example"),
        ("reason", "user unknown"),
        ("tag", "x"),
        ("from", "2026-11-01"),
        ("to", "2026-11-02"),
        ("limit", "10000"),
    ]
    assert [wanted, [*wanted, ("cursor", "10000")]] == [asked.query for asked in ledger.asked]


def test_search_total(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """`--total` goes to stderr, so that stdout stays NDJSON."""
    ledger.rule = pages(12_345)
    assert main(["search", "--total", "--limit", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err == "12,345 events match\n"


def test_search_gives_one_line_an_event(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """NDJSON stays NDJSON, also when the server's JSON is laid out over lines."""
    body = json.dumps({"events": [event(1), event(2)], "next": None}, indent=2)
    ledger.script = [Answer(200, body.encode())]
    main(["search"])
    assert [event(1), event(2)] == [
        json.loads(line) for line in capsys.readouterr().out.splitlines()
    ]


def test_search_on_a_terminal(ledger: Ledger) -> None:
    """On a terminal there is a table, and what came in cannot steer the terminal."""
    evil = event(1, rcpt_to="ann@a.example", subject="\x1b]0;x\x07[bold]hi\u202e", reason="550 no")
    ledger.script = [Answer(200, {"events": [evil], "next": None})]
    status, out = on_terminal("search")
    assert status == 0
    assert re.search(r"time +type +recipient +subject / campaign +reason", out)
    assert re.search(
        r"2026-11-20T09:30:00.000Z +open +ann@a.example +\]0;x \[bold\]hi +550 no", out
    )
    assert "\x1b]0" not in out


def test_printable() -> None:
    """Control characters and the like become spaces; letters of any script stay."""
    assert printable("Ż\u00a0\x9b\n日") == "Ż   日"


def test_import_on_a_terminal(ledger: Ledger) -> None:
    """On a terminal stderr shows a bar."""
    Path("in").write_bytes(ndjson(*map(event, range(100))))
    with (
        a_terminal() as (terminal, out),
        started("import", "in", stdout=subprocess.PIPE, stderr=terminal) as process,
    ):
        summary, _ = process.communicate()
    assert process.returncode == 0
    assert re.search(rb"100%|kB", out)
    assert b"events/s" in out
    assert summary == b"in: 100 read, 100 accepted, 0 duplicates, 0 rejected\n"


# -- tail


def feed(*answers: list[dict[str, Any]]) -> list[Answer]:
    pages = [Answer(200, {"events": each, "next": f"c{at}"}) for at, each in enumerate(answers)]
    return [*pages, Answer(401, b"")]


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ([], [("after", "end")]),
        (["--from-start"], []),
        (["--after", "c7"], [("after", "c7")]),
        (["--after", ""], [("after", "")]),
    ],
)
def test_tail(
    options: list[str],
    first: list[tuple[str, str]],
    ledger: Ledger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`tail` begins at the end, at the start or behind a cursor, and follows `next`."""
    ledger.script = feed([], [event(1), event(2)], [event(3)])
    assert main(["tail", "--interval", "0.01", *options]) == 1
    out = capsys.readouterr().out
    assert [event(1), event(2), event(3)] == [json.loads(line) for line in out.splitlines()]
    places = [[pair for pair in asked.query if pair[0] == "after"] for asked in ledger.asked]
    assert [first, [("after", "c0")], [("after", "c1")], [("after", "c2")]] == places


def test_tail_on_a_terminal(ledger: Ledger) -> None:
    """On a terminal an event is one line."""
    ledger.script = feed([event(1, rcpt_to="ann@a.example", campaign_id="sale\n2")])
    status, out = on_terminal("tail", "--interval", "0.01")
    assert status == 1
    assert out == "2026-11-20T09:30:00.000Z  open                  ann@a.example  sale 2\n"


def test_ctrl_c(ledger: Ledger) -> None:
    """Ctrl-C ends a command with status 130, and without a word."""
    ledger.rule = lambda _: Answer(200, {"events": [], "next": "c"})
    with started("tail", "--interval", "60", stderr=subprocess.PIPE) as process:
        ledger.wait_for(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert err == b""
    assert process.returncode == 130


def test_ctrl_c_does_not_wait_for_the_server(ledger: Ledger) -> None:
    """Ctrl-C ends an import also while the server keeps it waiting."""
    ledger.rule = lambda _: Answer(503, b"", {"Retry-After": "60"})
    Path("in").write_bytes(ndjson(event(1)))
    with started("import", "in", stderr=subprocess.PIPE) as process:
        ledger.wait_for(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_closed_pipe(ledger: Ledger) -> None:
    """When the reader of a pipe leaves, the command ends without a word."""
    ledger.rule = pages(100_000)
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started("search", "--limit", "0", **options) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert event(0) == json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


# -- demo


@pytest.mark.parametrize(
    ("name", "unpack"),
    [("out", bytes), ("out.gz", gzip.decompress), ("out.zst", zstd.decompress)],
)
def test_demo_into_a_file(
    name: str, unpack: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--out` writes NDJSON, by its name compressed, the same bytes each time."""
    line = ["demo", "50", "--end", "2026-11-20", "--seed", "7", "--out"]
    assert main([*line, name]) == 0
    assert main([*line, f"again-{name}"]) == 0
    assert Path(name).read_bytes() == Path(f"again-{name}").read_bytes()
    lines = unpack(Path(name).read_bytes()).splitlines()
    assert len(lines) == 50
    assert all(json.loads(line)["timestamp"] < "2026-11-20" for line in lines)
    assert capsys.readouterr().out == ""


def test_demo_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """`--out -` is stdout."""
    assert main(["demo", "3", "--out", "-"]) == 0
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 3


def test_demo_sends(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--out` the events go to the server, as an import's do."""
    assert main(["demo", "10010"]) == 0
    assert sorted(body.count(b"\n") + 1 for body in ledger.bodies) == [10, 10_000]
    assert (
        capsys.readouterr().out == "demo: 10,010 read, 10,010 accepted, 0 duplicates, 0 rejected\n"
    )


# -- keys and workspaces


def here() -> Settings:
    return load(overrides={"data_dir": "data"})


def keys(*words: str) -> int:
    return main(["keys", *words, "--data-dir", "data"])


def test_keys_create(capsys: pytest.CaptureFixture[str]) -> None:
    """The key alone is on stdout, and it opens the workspace, which is made."""
    scopes = ["--scope", "events:read", "--scope", "events:write"]
    assert keys("create", "--workspace", "shop", *scopes, "--name", "ci", "--expires", "30d") == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"pl_[0-9a-f]{12}_\S+\n", out)
    assert "made the workspace shop" in err
    assert out.strip() not in err
    with closing(open_keyring(here())) as ring:
        key = ring.authenticate(out.strip())
    assert (key.workspace, key.scopes, key.name) == ("shop", ("events:read", "events:write"), "ci")
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - datetime.now(UTC) <= timedelta(days=30)


def test_keys_list_and_revoke(capsys: pytest.CaptureFixture[str]) -> None:
    """A key is listed as JSON in a pipe, without its secret; revoked, it opens nothing."""
    keys("create", "--workspace", "shop", "--scope", "admin")
    keys("create", "--workspace", "other", "--scope", "events:read")
    text = capsys.readouterr().out.splitlines()[0]
    assert keys("list", "--workspace", "shop") == 0
    listed = json.loads(out := capsys.readouterr().out)
    assert {"workspace": "shop", "scopes": ["admin"], "state": "live"}.items() <= listed.items()
    assert text.split("_", 2)[2] not in out
    assert keys("revoke", listed["id"]) == 0
    with closing(open_keyring(here())) as ring, pytest.raises(Unauthenticated):
        ring.authenticate(text)
    capsys.readouterr()
    keys("list")
    states = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert states == ["revoked", "live"]


def test_keys_list_on_a_terminal() -> None:
    """On a terminal keys are a table."""
    keys("create", "--workspace", "shop", "--scope", "admin", "--name", "for ci")
    status, out = on_terminal("keys", "list", "--data-dir", "data")
    assert status == 0
    assert re.search(r"id +workspace +name +scopes +created +expires +state", out)
    assert re.search(r"shop +for ci +admin +20\d\d-\d\d-\d\d +live", out)


@pytest.mark.parametrize("width", ["80", "100"])
def test_keys_list_on_a_narrow_terminal(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids and states are whole, other columns are cut; with `--json` all is there."""
    monkeypatch.setenv("COLUMNS", width)
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    keys("create", "--workspace", "w" * 60, *scopes, "--name", "n" * 99, "--expires", "30d")
    status, out = on_terminal("keys", "list", "--data-dir", "data", "--json")
    assert status == 0
    key = json.loads(out)
    _, out = on_terminal("keys", "list", "--data-dir", "data")
    assert re.search(rf" {key['id']} +ww+… +nn+… +ev.*… .* {key['expires_at'][:10]} +live *\n", out)
    keys("revoke", key["id"])
    assert " revoked" in on_terminal("keys", "list", "--data-dir", "data")[1]
    assert "w" * 60 in on_terminal("workspaces", "list", "--data-dir", "data")[1]
    out = on_terminal("workspaces", "list", "--data-dir", "data", "--json")[1]
    assert json.loads(out)["name"] == "w" * 60


def test_workspaces(capsys: pytest.CaptureFixture[str]) -> None:
    """A workspace is made once, and listed."""
    line = ["shop", "--data-dir", "data"]
    assert main(["workspaces", "create", *line]) == 0
    assert main(["workspaces", "create", *line]) == 1
    assert "shop exists already" in capsys.readouterr().err
    assert main(["workspaces", "list", *line[1:]]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "shop"


def workspaces(line: str) -> int:
    return main(["workspaces", *line.split(), "--data-dir", "data"])


def test_options_of_a_workspace(capsys: pytest.CaptureFixture[str]) -> None:
    """What is set is shown beside the defaults, with the number of keys, as JSON in a pipe."""
    keys("create", "--workspace", "shop", "--scope", "admin")
    keys("create", "--workspace", "shop", "--scope", "admin", "--expires", "30d")
    keys("create", "--workspace", "other", "--scope", "admin")
    revoked = capsys.readouterr().out.split("_")[1]
    keys("revoke", revoked)
    capsys.readouterr()
    assert workspaces("set shop timezone Europe/Warsaw") == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "timezone of workspace shop is Europe/Warsaw\n")
    assert workspaces("show shop") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["keys"], shown["live_keys"]) == ("shop", 2, 1)
    assert shown["options"].pop("timezone") == {"value": "Europe/Warsaw", "default": False}
    defaults = {name: value for name, value in DEFAULTS.items() if name != "timezone"}
    assert shown["options"] == {
        name: {"value": value, "default": True} for name, value in defaults.items()
    }


def test_options_on_a_terminal() -> None:
    """On a terminal they are a sentence and a table, unless JSON is wanted."""
    keys("create", "--workspace", "shop", "--scope", "admin")
    workspaces("set shop smtpeter_rows flat")
    line = ["workspaces", "show", "shop", "--data-dir", "data"]
    status, out = on_terminal(*line)
    assert status == 0
    assert re.search(r"workspace shop, made 20\S+ \S+Z; keys: 1, 1 live", out)
    assert re.search(r"timezone +UTC +default", out)
    assert re.search(r"smtpeter_rows +flat *\n", out)
    assert json.loads(on_terminal(*line, "--json")[1])["name"] == "shop"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("set shop timezone Mars", "timezone: expected an IANA name such as Europe/Warsaw"),
        ("set shop smtpeter_rows all", "smtpeter_rows: expected nested or flat or both"),
        ("set mall timezone UTC", "there is no workspace mall"),
        ("show mall", "there is no workspace mall"),
    ],
)
def test_options_that_fail(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be set or shown is said in one sentence."""
    workspaces("create shop")
    capsys.readouterr()
    assert workspaces(line) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"postledger: {says}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("workspaces show shop", "name the server's directory with --data-dir"),
        ("workspaces set shop timezone UTC", "name the server's directory with --data-dir"),
        ("keys list", "name the server's directory with --data-dir"),
        ("keys revoke 123", "name the server's directory with --data-dir"),
        ("workspaces list", "name the server's directory with --data-dir"),
        ("workspaces create No/Name", "lower-case letters"),
        ("keys create --workspace a --scope admin --expires 2020-01-01", "in the future"),
        ("keys list --config missing.toml", "missing.toml cannot be read"),
    ],
)
def test_keys_that_fail(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be done with keys and workspaces is said in one sentence."""
    assert main(line.split()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert "Traceback" not in err


def test_an_unknown_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Revoking what is not there fails."""
    keys("create", "--workspace", "shop", "--scope", "admin")
    assert keys("revoke", "0123") == 1
    assert "there is no key 0123" in capsys.readouterr().err


def test_a_state_store_that_is_damaged(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no database is told, not a stack trace."""
    Path("data").mkdir()
    Path("data/state.sqlite3").write_bytes(b"no database" * 1000)
    assert keys("list") == 1
    assert "the state store cannot be opened" in capsys.readouterr().err


# -- doctor


def no_store(_: Settings) -> list[Finding]:
    return []


def examined(url: str, **findings: Any) -> dict[str, Finding]:
    found = examine(Place(data_dir="data"), url, **({"inspect": no_store} | findings))
    return {one.subject: one for one in found}


def test_doctor_finds_nothing(ledger: Ledger) -> None:
    """Where all is well, everything is `ok`."""
    Path("data").mkdir()
    ledger.rule = lambda _: Answer(200, {})
    found = examined(os.environ["POSTLEDGER_URL"])
    assert {"settings", "data directory", "disk", "keys", "server", "clock"} == set(found)
    assert {"ok"} == {one.level for one in found.values()}
    assert [asked.path for asked in ledger.asked] == ["/readyz"]


def test_doctor_before_the_first_start() -> None:
    """No directory and no server yet are warnings, with what to do."""
    found = examined(free_url())
    assert (found["data directory"].level, found["server"].level) == ("warning", "warning")
    assert "postledger serve" in found["data directory"].mend


def test_doctor_finds_a_full_disk_and_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is an error, and so is a directory that is a file."""
    monkeypatch.setenv("POSTLEDGER_MIN_FREE_BYTES", str(2**60))
    Path("data").mkdir()
    assert examined(free_url())["disk"].level == "error"
    Path("data").rmdir()
    Path("data").touch()
    assert examined(free_url())["data directory"].level == "error"


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, "ok"), (4, "ok"), (-60, "warning"), (60, "warning")]
)
def test_doctor_compares_clocks(seconds: int, level: str, ledger: Ledger) -> None:
    """Clocks that are more than five seconds apart are a warning."""
    ledger.date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    ledger.rule = lambda _: Answer(200, {})
    assert examined(os.environ["POSTLEDGER_URL"])["clock"].level == level


def test_doctor_finds_a_server_that_is_not_ready(ledger: Ledger) -> None:
    """A server that is not ready is an error, with its reason, and not waited for."""
    ledger.rule = lambda _: Answer(503, {"detail": "the disk is full"})
    found = examined(os.environ["POSTLEDGER_URL"])["server"]
    assert found.level == "error"
    assert "the disk is full" in found.message


def test_doctor_goes_on_behind_a_store_that_fails() -> None:
    """What keeps the store from being looked at is a finding, and the rest is still checked."""

    def inspect(_: Settings) -> list[Finding]:
        raise StartError("the store has a crack")

    found = examined(free_url(), inspect=inspect)
    assert (found["store"].level, found["store"].message) == ("error", "the store has a crack")
    assert "server" in found


def test_doctor_with_bad_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without settings nothing else can be checked."""
    monkeypatch.setenv("POSTLEDGER_PROT", "1")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("error    settings: POSTLEDGER_PROT is not a setting.")
    assert out.count("\n") == 1


def test_doctor_with_a_rate_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server does not start with is no setting that can be used."""
    monkeypatch.setenv("POSTLEDGER_KEY_RATE", "5/fortnight")
    found = examined(free_url())
    assert ["settings"] == list(found)
    assert ("error", "key_rate:") == (found["settings"].level, found["settings"].message[:9])


def test_doctor_looks_at_the_disk_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that lies elsewhere needs its own room."""
    elsewhere = Path("elsewhere").resolve()
    elsewhere.mkdir()
    monkeypatch.setenv("POSTLEDGER_STORE", f"chdb://{elsewhere}")
    monkeypatch.setenv("POSTLEDGER_MIN_FREE_BYTES", str(2**60))
    found = examined(free_url())["disk"]
    assert found.level == "error"
    assert f"in {elsewhere}," in found.message


def test_doctor_goes_on_behind_a_lock_that_cannot_be_opened() -> None:
    """A store that this user cannot write to is a finding, and the rest is still checked."""
    Path("data/events").mkdir(parents=True)
    (Path("data/events") / MARKER).touch()
    (Path("data/events") / LOCK).mkdir()
    found = examined(free_url(), inspect=inspect)
    assert found["store"].level == "error"
    assert f"{LOCK} cannot be opened" in found["store"].message
    assert "server" in found


def test_doctor_shows_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, with what to mend; the status is 1 if one is an error."""
    fine, odd = Found("ok", "a", "is fine"), Found("warning", "b", "is odd", "do this")
    assert show([fine, odd], json=False) == 0
    assert show([fine, Found("error", "c", "is bad", "do that")], json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok       a: is fine",
        "warning  b: is odd; do this",
        "ok       a: is fine",
        "error    c: is bad; do that",
    ]


def test_doctor_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` each finding is an object."""
    assert main(["doctor", "--json", "--url", free_url()]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[0] == {
        "level": "ok",
        "subject": "settings",
        "message": "they can be used",
        "mend": "",
    }
    assert found[-1]["subject"] == "server"


def test_a_fault_has_no_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody thought of is one sentence, too."""
    Path("postledger.toml").write_text("data_dir = 'x\0y'".replace("\0", "\\u0000"))
    assert main(["keys", "list"]) == 1
    assert "Traceback" not in capsys.readouterr().err
