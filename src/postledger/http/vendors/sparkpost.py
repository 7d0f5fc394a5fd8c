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
        found = reader.page(search.query)
        return sparkpost.old_rows(found.events, first_clicks=search.first_clicks)

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
        sparkpost.ROOT: _at_once(sparkpost.discovery),
        sparkpost.FILTERS_SCHEMA: _at_once(sparkpost.filters_schema),
        **_figures(reader, reads),
    }
    for path in (sparkpost.MESSAGE, sparkpost.BIRD):
        work[path] = messages
        work[f"{path}/documentation"] = _at_once(sparkpost.documentation)
        work[f"{path}/samples"] = _at_once(sparkpost.samples)
    return mount.routes(sparkpost, work)


def _figures(reader: Reader, reads: Reads) -> dict[str, Work]:
    """The sub-paths of `deliverability`, and the lists of values."""

    def figures(name: str) -> Work:
        def answer(asked: sparkpost.Figures) -> Reply:
            return sparkpost.told(asked, reader.metrics(asked.query))

        async def work(call: Call) -> Reply:
            return await reads.ask(answer, sparkpost.figures(name, call))

        return work

    def listing(name: str) -> Work:
        def answer(asked: sparkpost.Listing) -> Reply:
            return sparkpost.values_told(asked, reader.metrics(asked.query))

        async def work(call: Call) -> Reply:
            return await reads.ask(answer, sparkpost.listing(name, call))

        return work

    return {
        **{sparkpost.path_of(name): figures(name) for name in sparkpost.VIEWS},
        **{f"{sparkpost.ROOT}/{name}": listing(name) for name in sparkpost.LISTS},
    }


def _at_once(answer: Callable[[Call], Reply]) -> Work:
    """What needs no look into the store."""

    async def work(call: Call) -> Reply:
        return answer(call)

    return work
