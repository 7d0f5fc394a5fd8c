"""The application, put together on one screen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from postledger.errors import PostledgerError
from postledger.exports.asking import EVENTS, LOGS
from postledger.exports.contents import EventFile, Kind, LogFile
from postledger.exports.runner import Runner
from postledger.http import problems
from postledger.http.access import Access
from postledger.http.auth import Guard
from postledger.http.description import description_routes
from postledger.http.exports import export_routes, exporting
from postledger.http.figures import Figures
from postledger.http.ingest import ingest_routes
from postledger.http.lane import Lane
from postledger.http.ledger import Intake, intake_routes, reading_routes
from postledger.http.limits import Limits
from postledger.http.lookups import Lookups
from postledger.http.metrics import metrics_routes
from postledger.http.process import process_routes
from postledger.http.reads import Reads
from postledger.http.shortcut import Shortcut
from postledger.http.upkeep import upkeep
from postledger.http.vendors import refuse_http, vendor_routes
from postledger.http.vendors.mount import Mount
from postledger.settings import Settings
from postledger.state.exports import Jobs
from postledger.state.keys import Keyring
from postledger.store.engine import Engine
from postledger.store.export import Extractor
from postledger.store.reader import Reader
from postledger.store.rollups import Rollups
from postledger.store.writer import Writer


def application(settings: Settings, engine: Engine, writer: Writer, keyring: Keyring) -> ASGIApp:
    """The whole of it. It takes over the writer: closed with the application's lifespan."""
    figures = Figures()
    figures.watch_store(engine.size)
    rollups = Rollups(engine)
    writer.refuse_before(rollups.horizon)
    lane = Lane(writer, settings, figures)
    reads = Reads(lane, settings)
    intake = Intake(lane, figures, settings)
    limits = Limits(settings)
    lookups = Lookups()
    guard = Guard(keyring, lookups, limits)
    reader = Reader(engine, rollups, lambda: writer.given, lambda: writer.whole)
    kinds: dict[str, Kind] = {
        EVENTS: partial(EventFile, Extractor(engine)),
        LOGS: partial(LogFile, reader),
    }
    runner = Runner(settings, Jobs(keyring.store), kinds)
    mount = Mount(guard, limits, reads, lane)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        lane.start()
        async with upkeep(engine, rollups, lane, runner, figures), exporting(runner):
            yield
        await lane.close()
        reads.close()
        lookups.close()

    app = Litestar(
        route_handlers=[
            *intake_routes(intake),
            *ingest_routes(intake),
            *reading_routes(reader, reads),
            *metrics_routes(reader, reads),
            *export_routes(runner, reader, reads, lookups, lane),
            *vendor_routes(mount, reader, reads, lookups, runner),
            *process_routes(engine, keyring, reads, lookups, figures),
            *description_routes(),
        ],
        guards=[guard],
        exception_handlers={
            PostledgerError: problems.answer,
            HTTPException: refuse_http,
            Exception: problems.answer_unexpected,
        },
        lifespan=[lifespan],
        openapi_config=None,
        request_max_body_size=None,  # http.body counts, after decompression too
        logging_config=None,
    )
    return Access(Shortcut(app, guard, intake), figures)
