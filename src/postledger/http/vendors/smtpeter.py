"""Routes of SMTPeter."""

from datetime import datetime
from typing import Any

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from postledger.dialects import smtpeter
from postledger.dialects.wire import Call, Reply
from postledger.http.reads import Reads
from postledger.http.vendors.mount import Mount, Work
from postledger.store.reader import Reader


def routes(mount: Mount, reader: Reader, reads: Reads) -> list[HTTPRouteHandler]:
    """A route for each operation."""

    def events_by(kind: str) -> Work:
        async def list_events(call: Call) -> Reply:
            asked = smtpeter.parse(call, kind)
            began = None
            if asked.period is None:
                began = await reads.ask(reader.began, call.workspace, asked.value)
            query = smtpeter.query(asked, call, began)
            return smtpeter.render(reader.each(query) if query else [], call)

        return list_events

    work = {path: events_by(kind) for kind, path in smtpeter.PATHS.items()}
    return mount.routes(smtpeter, {**work, **_log_files(reader, reads)})


def _log_files(reader: Reader, reads: Reads) -> dict[str, Work]:
    """The days of the logs, the files of a day, and the files."""

    def all_days(call: Call) -> Reply:
        query = smtpeter.days_query(call, reader.page(smtpeter.first_query(call)))
        return smtpeter.days(reader.metrics(query) if query else [])

    def one_day(call: Call, day: datetime) -> Reply:
        known = smtpeter.days_query(call, reader.page(smtpeter.first_query(call)))
        there = known is not None and known.start <= day  # figures may outlive the events
        return smtpeter.names(day, reader.metrics(smtpeter.day_query(call, day)) if there else [])

    async def list_days(call: Call) -> Reply:
        return await reads.ask(all_days, call)

    def file_as(end: str) -> Work:
        async def give_file(call: Call) -> Reply:
            asked = smtpeter.parse_file(call, end)
            return smtpeter.file(asked, call, reader.each(smtpeter.file_query(asked, call)))

        return give_file

    async def list_files_or_give(call: Call) -> Reply | Response[Any]:
        day = smtpeter.parse_day(call)
        if day is None:
            return await file_as("")(call)
        return await reads.ask(one_day, call, day)

    files = {
        path: file_as(end) if end else list_files_or_give for path, end in smtpeter.NAMED.items()
    }
    return {smtpeter.LOGFILES: list_days, **files}
