"""Log files: which there are, and one of them in each of its forms (section 5).

A file is made of the events of a day while it is sent, page by page.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from postledger.dialects.smtpeter.parse import AHEAD, AT_ONCE, midnight
from postledger.dialects.smtpeter.render import Event, read, typed
from postledger.dialects.smtpeter.tables import FORMS, LOGS, MEMBERS, XML, Form
from postledger.dialects.wire import JSON, Call, Reply
from postledger.errors import BadInput, NotFound
from postledger.query import EventQuery, Filter, Match, MetricsQuery, MetricsRow, Page

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS = tuple(log.metric for log in LOGS.values())
_ALL = tuple(kind for log in LOGS.values() for kind in log.types)

_Table = list[list[str]]


@dataclass(frozen=True, slots=True)
class AskedFile:
    """Which file, and in what form."""

    prefix: str
    day: datetime
    form: Form

    @property
    def name(self) -> str:
        return f"{self.prefix}.{self.day.date()}.log"


# -- questions


def parse_day(call: Call) -> datetime | None:
    """The day whose files a call asks for; None: it asks for a file. Raises BadInput: a day that is
    none."""
    text = call.values["name"]
    found = midnight(text)
    if found is None and not text.strip("0123456789-"):
        raise BadInput.parameter("date", "expected a day such as 2026-11-20 (yyyy-mm-dd)")
    return found


def parse_file(call: Call, end: str) -> AskedFile:
    """The file that a call asks for. Raises NotFound: there cannot be one of this name."""
    name = call.values["name"]
    prefix, _, rest = name.partition(".")
    day = midnight(rest.removesuffix(".log"))
    if prefix not in LOGS or day is None or not rest.endswith(".log"):
        raise NotFound(f"there is no log file {name}; /v1/logfiles/DATE lists those of a day")
    return AskedFile(prefix, day, FORMS[end])


def first_query(call: Call) -> EventQuery:
    """The event with which the logs begin."""
    types = Filter("type", Match.EQUAL, _ALL)
    return EventQuery(call.workspace, _FIRST, call.now + AHEAD, (types,), descending=False, limit=1)


def days_query(call: Call, first: Page) -> MetricsQuery | None:
    """How many events each log has on each day from the first on; None: on none."""
    if not first.events:
        return None
    start = midnight(read(first.events)[0].timestamp[:10])
    if start is None:
        return None
    return MetricsQuery(call.workspace, start, call.now + AHEAD, _COUNTS, interval="day")


def day_query(call: Call, day: datetime) -> MetricsQuery:
    """How many events each log has on a day."""
    return MetricsQuery(call.workspace, day, _after(day), _COUNTS)


def file_query(asked: AskedFile, call: Call) -> EventQuery:
    """The events of a file, in their order."""
    types = Filter("type", Match.EQUAL, LOGS[asked.prefix].types)
    end = _after(asked.day)
    return EventQuery(call.workspace, asked.day, end, (types,), descending=False, limit=AT_ONCE)


def _after(day: datetime) -> datetime:
    """The day after."""
    return day + timedelta(days=1) if day.date() < date.max else datetime.max.replace(tzinfo=UTC)


# -- answers


def days(rows: Iterable[MetricsRow]) -> Reply:
    """The days on which any log has events."""
    found = [str(row.time.date()) for row in rows if row.time and any(row.values)]
    return Reply(msgspec.json.encode(found))


def names(day: datetime, rows: Sequence[MetricsRow]) -> Reply:
    """The names of the files of a day."""
    counts = rows[0].values if rows else (0,) * len(LOGS)
    told = zip(LOGS, counts, strict=True)
    found = [f"{prefix}.{day.date()}.log" for prefix, count in told if count]
    return Reply(msgspec.json.encode(found))


def file(asked: AskedFile, call: Call, pages: Iterable[list[bytes]]) -> Reply:
    """A file, made page by page while it is sent; a file without events is not there."""
    tables, columns = _tables(asked, pages), LOGS[asked.prefix].columns
    kind = asked.form.media_type
    if kind == JSON:
        return Reply(_json(tables, columns, call.options))
    body = _xml(tables, columns) if kind == XML else _csv(tables, columns, asked.form)
    return Reply(body, media_type=kind)


def _tables(asked: AskedFile, pages: Iterable[list[bytes]]) -> Iterator[_Table]:
    """The rows of each page."""
    values = [_value(column) for column in LOGS[asked.prefix].columns]
    empty = True
    for page in pages:
        if page:
            empty = False
            yield [[value(event) for value in values] for event in read(page)]
    if empty:
        raise NotFound(f"there is no log file {asked.name}: nothing happened that it would tell")


def _value(column: str) -> Callable[[Event], str]:
    value: Callable[[Event], str] = attrgetter(MEMBERS[column])
    return value


def _csv(tables: Iterable[_Table], columns: Sequence[str], form: Form) -> Iterator[bytes]:
    """Quotes as in RFC 4180, lines end with LF (U-12)."""
    head: _Table = [list(columns)] if form.header else []
    for table in tables:
        lines = _Lines()
        csv.writer(lines).writerows(head + table)
        head = []
        yield "".join(lines).encode()


class _Lines(list[str]):
    """Lines of CSV. The writer ends them with CR LF: told to use LF, it would leave a CR in a value
    without quotes (Python 3.11)."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def _json(
    tables: Iterable[_Table], columns: Sequence[str], options: Mapping[str, str]
) -> Iterator[bytes]:
    before = b"["
    for table in tables:
        rows: list[Any] = [typed(dict(zip(columns, row, strict=True)), options) for row in table]
        yield before + msgspec.json.encode(rows)[1:-1]
        before = b","
    yield b"]"


def _xml(tables: Iterable[_Table], columns: Sequence[str]) -> Iterator[bytes]:
    cells = "".join(f"<{name}>%s</{name}>" for name in columns)
    record, before = f"<record>{cells}</record>", "<records>"
    for table in tables:
        yield (before + "".join(record % tuple(map(_text, row)) for row in table)).encode()
        before = ""
    yield b"</records>"


_RETURN = {"\r": "&#13;"}
"""A reader would take one for a line feed (XML 1.0, section 2.11)."""
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What a document cannot have, as text or as a reference (XML 1.0, section 2.2)."""


def _text(text: str) -> str:
    return text and escape(_NOT_IN_XML.sub("\ufffd", text), _RETURN)
