"""What tells of the process itself: is it alive, is it ready, its figures, its description."""

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from postledger.http import problems
from postledger.http.figures import Figures
from postledger.http.lookups import Lookups
from postledger.http.reads import Reads
from postledger.state.keys import Keyring
from postledger.store.engine import Engine


def process_routes(
    engine: Engine, keyring: Keyring, reads: Reads, lookups: Lookups, figures: Figures
) -> list[HTTPRouteHandler]:
    """Routes that need no key."""

    @get("/healthz")
    async def alive() -> Response[bytes]:
        """200 while the process lives."""
        return _ok()

    @get("/readyz")
    async def ready() -> Response[bytes]:
        """200 once events can be stored and read."""
        await reads.ask(engine.size)
        await lookups.ask(keyring.check)
        free, least = engine.free_bytes(), engine.settings.min_free_bytes
        if free is not None and free < least:
            detail = f"the disk has {free} bytes left, min_free_bytes is {least}"
            return Response(
                problems.body(503, "Not ready", detail),
                status_code=503,
                media_type=problems.MEDIA_TYPE,
                headers={"Retry-After": "30"},
            )
        return _ok()

    @get("/metrics")
    async def metrics() -> Response[bytes]:
        """Figures of the process in Prometheus' text format."""
        return Response(await reads.ask(figures.text), media_type="text/plain; version=0.0.4")

    return [alive, ready, metrics]


def _ok() -> Response[bytes]:
    return Response(b'{"status":"ok"}', media_type=MediaType.JSON)
