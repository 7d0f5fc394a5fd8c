"""Our own API: storing (contract `native.md`, section 4) and reading events (section 5)."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from postledger.errors import Problem
from postledger.events import state_of
from postledger.http import body, parameters, problems
from postledger.http.auth import SCOPE, workspace_of
from postledger.http.figures import Figures
from postledger.http.lane import Lane
from postledger.http.reads import Reads
from postledger.intake import native, sparkpost
from postledger.intake.batch import Batch
from postledger.settings import KIB, Settings
from postledger.store.reader import Reader
from postledger.store.writer import Arrival, Outcome

EVENTS_PATH = "/ledger/v1/events"
MOST_ERRORS_LISTED = 100
_AT_ONCE = 64 * KIB
"""Bodies up to this size are checked in the event loop; a thread would cost more than it saves."""

AnyRequest = Request[Any, Any, Any]


class ReadBody(Protocol):
    def __call__(self, body: bytes, media_type: str, *, largest: int) -> Batch: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the records of a body; `bad` has them all, in order."""

    accepted: int
    duplicates: int
    bad: list[Problem]

    @property
    def pinged(self) -> bool:
        """Whether all that is bad are tests of a webhook, which must be answered with 200."""
        return _only_pings(self.bad)

    @property
    def nothing_usable(self) -> bool:
        return not (self.accepted or self.duplicates)


def _only_pings(bad: Sequence[Problem]) -> bool:
    return all(problem.message == sparkpost.PING for problem in bad)


class Intake:
    """From a request to what became of its records; the same for every source."""

    def __init__(self, lane: Lane, figures: Figures, settings: Settings) -> None:
        self._lane = lane
        self._figures = figures
        self._settings = settings

    async def store(
        self,
        workspace: str,
        headers: Mapping[str, str],
        chunks: AsyncIterator[bytes],
        source: str,
        read: ReadBody,
        *,
        atomic: bool = False,
    ) -> Stored:
        """Read the body with `read`, and store what is good in it, or with `atomic` all or none."""
        data, counted = await body.receive(chunks, self._lane, self._settings.max_body_bytes)
        try:
            batch = await self._check(headers, data, read)
            unpacked = max(0, len(batch.lines) - counted)
            self._lane.reserve(unpacked)
            counted += unpacked
            outcome = Outcome(0)
            if batch.count and not (atomic and not _only_pings(batch.problems)):
                arrival = Arrival(
                    workspace, batch.lines, batch.count, source, batch.unknown_fields, atomic
                )
                outcome = await self._lane.store(arrival)
        finally:
            self._lane.release(counted)
        found = [replace(p, index=batch.index(p.index or 0)) for p in outcome.problems]
        bad = sorted(batch.problems + found, key=lambda problem: problem.index or 0)
        self._figures.rejected(len(bad))
        return Stored(outcome.accepted, outcome.duplicates, bad)

    async def _check(self, headers: Mapping[str, str], data: bytes, read: ReadBody) -> Batch:
        encoding = headers.get("content-encoding", "").strip().lower()
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        most = self._settings.max_body_bytes

        def check() -> Batch:
            plain = body.decompress(data, encoding, most)
            return read(plain, media_type, largest=self._settings.max_event_bytes)

        small = not encoding and len(data) <= _AT_ONCE
        return check() if small else await asyncio.to_thread(check)


def intake_routes(intake: Intake) -> list[HTTPRouteHandler]:
    """The routes that store events."""

    @post(EVENTS_PATH, status_code=200, opt={SCOPE: "events:write"})
    async def store_events(request: AnyRequest) -> Response[bytes]:
        """Store events: one, an array, or newline-delimited. See `http.shortcut`."""
        atomic = parameters.flag(request.query_params.multi_items(), "atomic")
        stored = await intake.store(*_incoming(request), "native", native.read, atomic=atomic)
        return answer(stored, atomic=atomic)

    @post("/ledger/v1/intake/sparkpost", status_code=200, opt={SCOPE: "events:write"})
    async def store_sparkpost(request: AnyRequest) -> Response[bytes]:
        """Store a webhook batch or ingest lines of SparkPost."""
        atomic = parameters.flag(request.query_params.multi_items(), "atomic")
        stored = await intake.store(*_incoming(request), "sparkpost", sparkpost.read, atomic=atomic)
        if stored.pinged:
            return _counts(stored)
        return answer(stored, atomic=atomic)

    return [store_events, store_sparkpost]


def reading_routes(reader: Reader, reads: Reads) -> list[HTTPRouteHandler]:
    """The routes that give events back."""

    @get(EVENTS_PATH, opt={SCOPE: "events:read"})
    async def list_events(request: AnyRequest) -> Response[bytes]:
        """A page of events, newest first unless asked otherwise."""
        pairs = request.query_params.multi_items()
        asked = parameters.events(pairs, workspace_of(request), datetime.now(UTC))
        page = await reads.ask(reader.page, asked.query)
        following = page.next and parameters.events_cursor(asked, page.next)
        members: dict[str, Any] = {"next": following}
        if asked.with_total:
            everything = replace(asked.query, after=None)
            members["total"] = await reads.ask(reader.count, everything)
        return _events(page.events, members)

    @get("/ledger/v1/events/{event_id:path}", opt={SCOPE: "events:read"})
    async def show_event(request: AnyRequest, event_id: Path) -> Response[bytes]:
        """One event; if several have this id at different times, the newest."""
        parameters.none(request.query_params.multi_items())
        return _json(await reads.ask(reader.event, workspace_of(request), _id(event_id)))

    @get("/ledger/v1/messages/{message_id:path}", opt={SCOPE: "events:read"})
    async def show_message(request: AnyRequest, message_id: Path) -> Response[bytes]:
        """The events of a message for each recipient, oldest first, and what became of it."""
        parameters.none(request.query_params.multi_items())
        wanted = _id(message_id)
        events = await reads.ask(reader.message, workspace_of(request), wanted)
        return _json(_timeline(wanted, events))

    @get("/ledger/v1/feed", opt={SCOPE: "events:read"})
    async def follow(request: AnyRequest) -> Response[bytes]:
        """Events in the order in which they were stored."""
        workspace = workspace_of(request)
        query, at_end = parameters.feed(request.query_params.multi_items(), workspace)
        if at_end:
            last = await reads.ask(reader.last, workspace)
            return _events([], {"next": parameters.feed_cursor(workspace, last)})
        page = await reads.ask(reader.feed, query)
        return _events(page.events, {"next": parameters.feed_cursor(workspace, page.next)})

    return [list_events, show_event, show_message, follow]


# -- storing


def _incoming(request: AnyRequest) -> tuple[str, Mapping[str, str], AsyncIterator[bytes]]:
    return workspace_of(request), request.headers, request.stream()


def answer(stored: Stored, *, atomic: bool) -> Response[bytes]:
    """What the client is told."""
    if not stored.bad or not (atomic or stored.nothing_usable):
        return _counts(stored)
    first = stored.bad[0]
    place = f"record {first.index}" + (f", {first.field}" if first.field else "")
    why = "one bad record refuses the whole body" if atomic else "no record is good"
    detail = f"{why}; {place}: {first.message}"
    return Response(
        problems.body(422, "Nothing was stored", detail, **_members(stored)),
        status_code=422,
        media_type=problems.MEDIA_TYPE,
    )


def _counts(stored: Stored) -> Response[bytes]:
    return _json(msgspec.json.encode(_members(stored)))


def _members(stored: Stored) -> dict[str, Any]:
    return {
        "accepted": stored.accepted,
        "duplicates": stored.duplicates,
        "rejected": len(stored.bad),
        "errors": [problems.shown(problem) for problem in stored.bad[:MOST_ERRORS_LISTED]],
    }


# -- reading


def _id(path: Path) -> str:
    """An id in a path; it may have slashes, as Message-IDs of RFC 5322 do."""
    return str(path).removeprefix("/")


class _Seen(msgspec.Struct):
    type: str
    rcpt_to: str = ""


_SEEN = msgspec.json.Decoder(_Seen)


def _timeline(message_id: str, events: list[bytes]) -> bytes:
    of: dict[str, list[tuple[str, bytes]]] = {}
    for event in events:
        seen = _SEEN.decode(event)
        of.setdefault(seen.rcpt_to, []).append((seen.type, event))
    recipients = [
        {
            "rcpt_to": recipient,
            "state": state_of(kind for kind, _ in those),
            "events": [msgspec.Raw(event) for _, event in those],
        }
        for recipient, those in of.items()
    ]
    return msgspec.json.encode({"message_id": message_id, "recipients": recipients})


def _events(events: list[bytes], members: dict[str, Any]) -> Response[bytes]:
    rest = msgspec.json.encode(members)
    return _json(b'{"events":[' + b",".join(events) + b"]," + rest[1:])


def _json(content: bytes) -> Response[bytes]:
    return Response(content, media_type=MediaType.JSON.value)
