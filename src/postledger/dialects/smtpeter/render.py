"""From events, or a failure, to a reply."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from postledger.dialects.smtpeter.tables import COLUMNS, MEMBERS, NUMBERS, STATUS, TYPES
from postledger.dialects.wire import Call, Reply
from postledger.errors import PostledgerError

TEXT = "text/plain"


class Event(msgspec.Struct, gc=False):
    """What is read of an event."""

    type: str
    timestamp: str
    message_id: str = ""
    msg_from: str = ""
    rcpt_to: str = ""
    raw_rcpt_to: str = ""
    template_id: str = ""
    sending_ip: str = ""
    ip_address: str = ""
    user_agent: str = ""
    target_link_url: str = ""
    reason: str = ""
    raw_reason: str = ""
    error_code: str = ""
    num_retries: int = 0
    open_tracking: bool = False
    click_tracking: bool = False
    rcpt_tags: list[str] = []
    geo_ip: dict[str, Any] = {}

    nothing = ""
    result = "failure"
    """Column `type` of a failure, of which its values are not known. Not empty, since a reader of
    flat rows takes it for the type of the event (section 3)."""

    @property
    def time(self) -> str:
        return f"{self.timestamp[:10]} {self.timestamp[11:19]}"

    @property
    def recipient(self) -> str:
        return self.raw_rcpt_to or self.rcpt_to

    @property
    def properties(self) -> str:
        tracked = {"trackopens": self.open_tracking, "trackclicks": self.click_tracking}
        return ";".join(name for name, is_on in tracked.items() if is_on)

    @property
    def tags(self) -> str:
        return ";".join(self.rcpt_tags)

    @property
    def template(self) -> str:
        return self.template_id or "0"

    @property
    def attempt(self) -> str:
        return str(self.num_retries)

    @property
    def headers(self) -> str:
        return self.user_agent and f"User-Agent: {self.user_agent}"

    @property
    def status(self) -> str:
        found = _ENHANCED.search(self.reason) or _ENHANCED.search(self.raw_reason)
        return found[0] if found else ""

    @property
    def description(self) -> str:
        return self.raw_reason or self.reason

    @property
    def city(self) -> str:
        return self._place("city")

    @property
    def region(self) -> str:
        return self._place("region")

    @property
    def country_code(self) -> str:
        country = self._place("country")
        return country if len(country) == _ALPHA_2 else ""

    @property
    def country_name(self) -> str:
        country = self._place("country")
        return country if len(country) != _ALPHA_2 else ""

    def _place(self, name: str) -> str:
        """A part of `geo_ip`, which may hold anything."""
        found = self.geo_ip.get(name)
        return found if isinstance(found, str) else ""


_ALPHA_2 = 2
_ENHANCED = re.compile(r"(?<![\w.])[245]\.[0-9]{1,3}\.[0-9]{1,3}(?!\.?[0-9])")  # RFC 3463
_EVENTS = msgspec.json.Decoder(list[Event])
_GETTERS: dict[str, tuple[tuple[str, Callable[[Event], Any]], ...]] = {
    name: tuple((column, attrgetter(MEMBERS[column])) for column in columns)
    for name, columns in COLUMNS.items()
}


def read(page: list[bytes]) -> list[Event]:
    """The events of a page."""
    return _EVENTS.decode(b"[" + b",".join(page) + b"]")


def render(pages: Iterable[list[bytes]], call: Call) -> Reply:
    """The answer to a call, made page by page while it is sent."""
    return Reply(_array(pages, call.options))


def _array(pages: Iterable[list[bytes]], options: Mapping[str, str]) -> Iterator[bytes]:
    before = b"["
    for page in pages:
        if page:
            rows = msgspec.json.encode([row(event, options) for event in read(page)])
            yield before + rows[1:-1]
            before = b","
    yield b"[]" if before == b"[" else b"]"


def row(event: Event, options: Mapping[str, str]) -> dict[str, Any]:
    """An event as it is shown: columns nested in `data`, flat beside `event`, or both (U-1)."""
    name = TYPES[event.type] or ""
    data: dict[str, str | int] = {column: value(event) for column, value in _GETTERS[name]}
    data = typed(data, options)
    form = options.get("smtpeter_rows")
    nested = {} if form == "flat" else {"data": data}
    flat = data if form in {"flat", "both"} else {}
    return {"event": name, **nested, **flat}


def typed(data: dict[str, str | int], options: Mapping[str, str]) -> dict[str, str | int]:
    """Columns with numbers as such, where a workspace wants that (U-2)."""
    if options.get("smtpeter_numbers") != "numbers":
        return data
    return data | {column: _number(data[column]) for column in NUMBERS & data.keys()}


_CANONICAL = re.compile(r"0|[1-9][0-9]{0,14}")


def _number(value: str | int) -> str | int:
    """A number, where it says the same as the text."""
    return int(value) if _CANONICAL.fullmatch(str(value)) else value


def refuse(error: PostledgerError, call: Call) -> Reply:  # noqa: ARG001 -- as of all dialects
    """The reply for a failure: a sentence (section 7)."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    retry_after = getattr(error, "retry_after", None)
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Reply((str(error) or error.title).encode(), status, TEXT, headers)
