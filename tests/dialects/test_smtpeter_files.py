"""SMTPeter's log files: their names, each form read back by others' means, and files of a server.

What a request gets is in `cases/smtpeter/files.yaml`.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Client, Server, new_client
from making import event, iso
from postledger.dialects import smtpeter
from postledger.dialects.smtpeter.files import AskedFile
from postledger.dialects.smtpeter.parse import AT_ONCE
from postledger.dialects.smtpeter.tables import FORMS, LOGS, TYPES
from postledger.dialects.wire import Reply
from postledger.errors import NotFound
from postledger.events import EVENT_TYPES, FIELDS
from postledger.metrics import types_of
from test_smtpeter import NOW, call, day, get, line, plain

DOCUMENTED = ("abuses", "attempts", "bounces", "clicks", "deliveries", "failures", "opens",
              "responses")  # fmt: skip


def test_logs_are_those_of_the_events() -> None:
    """Each documented kind of file but `dmarc` is there; each event stands in one; and the figure
    that tells whether there is a file counts the events that are in it."""
    assert DOCUMENTED == tuple(LOGS)
    held = [kind for log in LOGS.values() for kind in log.types]
    assert len(held) == len(set(held))
    assert {"spam_complaint", *(kind for kind, theirs in TYPES.items() if theirs)} == set(held)
    for log in LOGS.values():
        assert sorted(log.types) == types_of([log.metric])


READERS: dict[str, Callable[[str], list[list[str]]]] = {
    "": lambda text: [*csv.reader(StringIO(text, newline=""))],
    "/header": lambda text: [*csv.reader(StringIO(text, newline=""))][1:],
    "/csv": lambda text: [*csv.reader(StringIO(text, newline=""))],
    "/csv/header": lambda text: [*csv.reader(StringIO(text, newline=""))][1:],
    "/json": lambda text: [list(row.values()) for row in json.loads(text)],
    "/xml": lambda text: [[cell.text or "" for cell in row] for row in ET.fromstring(text)],
}
"""The rows of a file, read by others' means."""


def asked_file(prefix: str, end: str = "") -> AskedFile:
    return AskedFile(prefix, day("2026-11-01"), FORMS[end])


def whole(reply: Reply) -> str:
    assert not isinstance(reply.body, bytes)
    return b"".join(reply.body).decode()


def test_forms_are_all_read() -> None:
    """The tests know each form."""
    assert list(FORMS) == list(READERS)


@pytest.mark.parametrize("end", FORMS)
@pytest.mark.parametrize("prefix", LOGS)
def test_rows_have_their_columns(prefix: str, end: str) -> None:
    """In each form each row has all columns of its log; their names are those of the contract."""
    log = LOGS[prefix]
    fields: dict[str, Any] = {field.name: field.sample for field in FIELDS}
    pages = [[line(**fields | {"type": kind, "timestamp": iso(NOW)}) for kind in log.types]]
    reply = smtpeter.file(asked_file(prefix, end), call(), pages)
    text = whole(reply)
    table = READERS[end](text)
    assert [len(log.columns)] * len(log.types) == [len(row) for row in table]
    assert {("2026-03-31 09:30:00",)} == {tuple(row[1:2]) for row in table}
    assert FORMS[end].media_type == reply.media_type
    if "header" in end:
        assert ",".join(log.columns) == text.split("\n")[0]
    if end == "/json":
        assert list(log.columns) == list(json.loads(text)[0])
    if end == "/xml":
        assert list(log.columns) == [cell.tag for cell in ET.fromstring(text)[0]]


def in_xml(text: str) -> str:
    """A text as XML can carry it."""
    allowed = "\t\n\r"
    return "".join(
        each if (each >= " " or each in allowed) and each not in "\ufffe\uffff" else "\ufffd"
        for each in text
    )


ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(
    "\x00\x01\x08\t\n\x0b\r\x1b\x7f\x85 \"',;<>&]\\a\u2028\ufffe\uffff\U0010ffff", max_size=12
)


@given(st.lists(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=3), min_size=1, max_size=3))
def test_texts_are_read_back(pages: list[list[tuple[str, str]]]) -> None:
    """Whatever texts hold, each form is whole, and its reader gives them back; but that XML has
    another character where it cannot have one."""
    made = [[line(type="bounce", message_id=a, raw_reason=b) for a, b in texts] for texts in pages]
    expected = [pair for texts in pages for pair in texts]
    where = [LOGS["failures"].columns.index(name) for name in ("id", "description")]
    for end, read in READERS.items():
        table = read(whole(smtpeter.file(asked_file("failures", end), call(), made)))
        found = [tuple(row[number] for number in where) for row in table]
        same = [(in_xml(a), in_xml(b)) for a, b in expected] if end == "/xml" else expected
        assert same == found, end


@pytest.mark.parametrize("end", FORMS)
def test_a_file_is_made_while_it_is_sent(end: str) -> None:
    """A page is read when the ones before have gone; pages without events change nothing."""
    read: list[int] = []

    def pages() -> Iterator[list[bytes]]:
        for number in range(4):
            read.append(number)
            yield [] if number == 1 else [line(message_id=f"m{number}")]

    body = smtpeter.file(asked_file("deliveries", end), call(), pages()).body
    assert isinstance(body, Iterator)
    assert [] == read
    first = next(body)
    assert b"m0" in first
    assert [0] == read
    assert b"m2" in next(body)
    assert [0, 1, 2] == read
    rest = b"".join(body)
    assert b"m3" in rest
    for number in (0, 2):
        assert f"m{number}".encode() not in rest


@pytest.mark.parametrize("end", FORMS)
@pytest.mark.parametrize("pages", [[], [[]]])
def test_a_file_of_nothing_is_not_there(pages: list[list[bytes]], end: str) -> None:
    """That is told before the first byte, so that it can be told as a failure."""
    body = smtpeter.file(asked_file("opens", end), call(), pages).body
    assert isinstance(body, Iterator)
    with pytest.raises(NotFound, match=r"opens\.2026-11-01\.log"):
        next(body)


NO_FILES = ["dmarc.2026-11-01.log", "clicks", "clicks.2026-11-01", "clicks.2026-11-31.log", "",
            "Clicks.2026-11-01.log", "clicks.2026-11-01.log ", ".2026-11-01.log", "click.log",
            "clicks.2026-11-01.logx", "2026-11-01.clicks.log", "x.log.log"]  # fmt: skip


@pytest.mark.parametrize("name", NO_FILES)
def test_names_of_no_files(name: str) -> None:
    """What is no name of a file is not there, whatever form is asked for."""
    for end in FORMS:
        with pytest.raises(NotFound):
            smtpeter.parse_file(call(values={"name": name}), end)


def test_names_of_files() -> None:
    """A name that is listed is one that can be asked for."""
    for prefix in LOGS:
        for end in FORMS:
            asked = asked_file(prefix, end)
            assert asked == smtpeter.parse_file(call(values={"name": asked.name}), end)
            assert smtpeter.parse_day(call(values={"name": asked.name})) is None


@pytest.mark.parametrize("text", ["0001-01-01", "1970-01-01", "2026-02-28", "9999-12-31"])
def test_days_of_the_calendar(text: str) -> None:
    """Each day of the calendar has its files, or none; its end is no mistake."""
    found = smtpeter.parse_day(call(values={"name": text}))
    assert found is not None
    query = smtpeter.day_query(call(), found)
    assert (text, True) == (str(query.start.date()), query.start < query.end)
    asked = smtpeter.parse_file(call(values={"name": f"opens.{text}.log"}), "")
    assert query.end == smtpeter.file_query(asked, call()).end


# -- over a real server


def test_a_file_of_more_than_is_read_at_once(client: Client) -> None:
    """A large file is whole and in order, in each form; the next day has its own."""
    number = AT_ONCE + 1_501
    start = datetime(2026, 5, 4, tzinfo=UTC)
    times = [iso(start + timedelta(seconds=7 * n)) for n in range(number - 1)]
    times.append(iso(start + timedelta(days=1)))
    client.store(*(event(n, timestamp=times[n], message_id=f"m{n:06}") for n in range(number)))
    expected = [(f"m{n:06}", f"{times[n][:10]} {times[n][11:19]}") for n in range(number)]
    for end, read in READERS.items():
        answer = get(client, f"/v1/logfiles/deliveries.2026-05-04.log{end}")
        assert 200 == answer.status
        assert expected[:-1] == [(row[0], row[1]) for row in read(answer.body.decode())], end
    answer = get(client, "/v1/logfiles/deliveries.2026-05-05.log")
    assert expected[-1:] == [(row[0], row[1]) for row in READERS[""](answer.body.decode())]


def test_files_are_those_that_have_events(server: Server, client: Client) -> None:
    """The lists of days and of files are what is counted here, in Python; each file that is listed
    has as many rows as there are events, and no other is there."""
    chance = random.Random(9)
    start = datetime(2026, 2, 20, tzinfo=UTC)
    made = [
        event(
            n,
            type=chance.choice(list(EVENT_TYPES)),
            timestamp=iso(start + timedelta(days=chance.choice([0, 1, 2, 9, 10, 40]), seconds=n)),
        )
        for n in range(70)
    ]
    client.store(*made)
    in_file: dict[tuple[str, str], int] = {}
    prefix_of = {kind: prefix for prefix, log in LOGS.items() for kind in log.types}
    for each in made:
        if each["type"] in prefix_of:
            which = each["timestamp"][:10], prefix_of[each["type"]]
            in_file[which] = in_file.get(which, 0) + 1
    days = sorted({when for when, _ in in_file})
    assert days == get(client, "/v1/logfiles").json()
    for when in [*days, "2026-02-23"]:
        wanted = [f"{prefix}.{when}.log" for prefix in LOGS if (when, prefix) in in_file]
        assert wanted == get(client, f"/v1/logfiles/{when}").json()
    for when in days[:2]:
        for prefix in LOGS:
            answer = get(client, f"/v1/logfiles/{prefix}.{when}.log/json")
            rows_of = len(answer.json()) if answer.status == 200 else 0
            assert in_file.get((when, prefix), 0) == rows_of
    other = new_client(server)
    assert [] == get(other, "/v1/logfiles").json()
    assert [] == get(other, f"/v1/logfiles/{days[0]}").json()
    plain(get(other, f"/v1/logfiles/{wanted_of(days[0], in_file)}"), 404)


def wanted_of(when: str, files: dict[tuple[str, str], int]) -> str:
    """The name of a file of a day."""
    return next(f"{prefix}.{day}.log" for day, prefix in files if day == when)


def test_files_of_today(client: Client) -> None:
    """What has just happened is in a file of today; what is to come is not listed."""
    now = datetime.now(UTC)
    client.store(
        event(1, timestamp=iso(now), message_id="m"),
        event(2, timestamp=iso(now + timedelta(days=3)), message_id="n"),
    )
    listed = get(client, "/v1/logfiles").json()
    assert [iso(now)[:10]] == listed
    (name,) = get(client, f"/v1/logfiles/{listed[0]}").json()
    assert get(client, f"/v1/logfiles/{name}").body.startswith(b"m,")
