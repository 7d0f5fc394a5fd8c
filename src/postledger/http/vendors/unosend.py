"""Routes of Unosend."""

import asyncio

from litestar.handlers import HTTPRouteHandler

from postledger.dialects import unosend
from postledger.dialects.wire import Call, Reply
from postledger.errors import NotFound
from postledger.http.reads import Reads
from postledger.http.vendors.mount import Mount, Work
from postledger.query import MessagePage
from postledger.store.reader import Reader


def routes(mount: Mount, reader: Reader, reads: Reads) -> list[HTTPRouteHandler]:
    """A route for each operation."""

    async def list_events(call: Call) -> Reply:
        asked = unosend.parse(call)
        query = unosend.query(asked, call)
        page, total = await asyncio.gather(
            reads.ask(reader.page, query), reads.ask(reader.count, query)
        )
        events = unosend.read(page)
        messages = unosend.messages(events)
        envelopes = await reads.ask(reader.envelopes, call.workspace, messages)
        return unosend.render(asked, call, events, total, envelopes)

    async def emails(asked: unosend.AskedLogs, call: Call) -> MessagePage:
        query = unosend.query_logs(asked, call)
        return await reads.ask(reader.messages, query) if query else MessagePage([], 0)

    async def list_logs(call: Call) -> Reply:
        asked = unosend.parse_logs(call)
        return unosend.listed(asked, call, await emails(asked, call))

    async def list_emails(call: Call) -> Reply:
        asked = unosend.parse_emails(call)
        return unosend.page_of_emails(asked, call, await emails(asked, call))

    async def show_email(call: Call) -> Reply:
        asked = unosend.parse_email(call)
        try:
            lines = await reads.ask(reader.message, call.workspace, asked.email_id)
        except NotFound:
            lines = []
        return unosend.email(asked, call, lines)

    def figures(asked: unosend.AskedFigures, call: Call) -> Reply:
        rows = reader.metrics(unosend.summary_query(asked, call))
        in_time = unosend.series_query(asked, call)
        series = reader.metrics(in_time) if in_time else []
        waiting = unosend.waiting_query(asked, call, rows)
        total = reader.messages(waiting).total if waiting else 0
        return unosend.metrics(asked, call, rows, series, total)

    async def show_figures(call: Call) -> Reply:
        return await reads.ask(figures, unosend.parse_figures(call), call)

    async def list_links(call: Call) -> Reply:
        asked = unosend.parse_links(call)
        rows, clicks = await asyncio.gather(
            reads.ask(reader.metrics, unosend.links_query(asked, call)),
            reads.ask(reader.metrics, unosend.clicks_query(asked, call)),
        )
        return unosend.links(asked, call, rows, clicks)

    work: dict[str, Work] = {
        **dict.fromkeys(unosend.PATHS, list_events),
        **dict.fromkeys(unosend.LOGS, list_logs),
        **dict.fromkeys(unosend.EMAILS, list_emails),
        **dict.fromkeys(unosend.EMAIL, show_email),
        **dict.fromkeys(unosend.METRICS, show_figures),
        **dict.fromkeys(unosend.LINKS, list_links),
    }
    return mount.routes(unosend, work)
