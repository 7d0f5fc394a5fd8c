"""Routes of SparkPost and Bird."""

import asyncio
from collections.abc import Callable

from litestar.handlers import HTTPRouteHandler

from postledger.dialects import sparkpost
from postledger.dialects.wire import Call, Reply
from postledger.http.reads import Reads
from postledger.http.vendors.mount import Mount, Work
from postledger.query import Place
from postledger.store.reader import Reader


def routes(mount: Mount, reader: Reader, reads: Reads) -> list[HTTPRouteHandler]:
    """A route for each operation."""

    def page(search: sparkpost.Search) -> tuple[bytes, Place | None]:
        found = reader.page(search.query)
        return sparkpost.rows(found.events, first_clicks=search.first_clicks), found.next

    def old_page(search: sparkpost.Search) -> bytes:
        return sparkpost.old_rows(reader.page(search.query).events)

    async def messages(call: Call) -> Reply:
        search = sparkpost.search(call)
        (rows, following), total = await asyncio.gather(
            reads.ask(page, search), reads.ask(reader.count, search.query)
        )
        return sparkpost.found(search, rows, following, total)

    async def old_messages(call: Call) -> Reply:
        search = sparkpost.old_search(call)
        rows, total = await asyncio.gather(
            reads.ask(old_page, search), reads.ask(reader.count, search.query)
        )
        return sparkpost.old_found(search, rows, total)

    work: dict[str, Work] = {
        sparkpost.INGEST_PATH: _at_once(sparkpost.no_ingest_events),
        f"{sparkpost.WEBHOOK}/documentation": _at_once(sparkpost.webhook_documentation),
        f"{sparkpost.WEBHOOK}/samples": _at_once(sparkpost.webhook_samples),
        sparkpost.OLD: old_messages,
        f"{sparkpost.OLD}/events/samples": _at_once(sparkpost.old_samples),
    }
    for path in (sparkpost.MESSAGE, sparkpost.BIRD):
        work[path] = messages
        work[f"{path}/documentation"] = _at_once(sparkpost.documentation)
        work[f"{path}/samples"] = _at_once(sparkpost.samples)
    return mount.routes(sparkpost, work)


def _at_once(answer: Callable[[Call], Reply]) -> Work:
    """What needs no look into the store."""

    async def work(call: Call) -> Reply:
        return answer(call)

    return work
