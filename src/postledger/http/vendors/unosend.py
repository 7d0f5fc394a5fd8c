"""Routes of Unosend."""

import asyncio

from litestar.handlers import HTTPRouteHandler

from postledger.dialects import unosend
from postledger.dialects.wire import Call, Reply
from postledger.http.reads import Reads
from postledger.http.vendors.mount import Mount
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

    return mount.routes(unosend, dict.fromkeys(unosend.PATHS, list_events))
