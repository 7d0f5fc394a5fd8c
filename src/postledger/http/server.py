"""The process: opens what is needed, says how to use it, serves, and stops cleanly."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import structlog
import uvicorn
import uvloop
from litestar.types import ASGIApp

from postledger import demo
from postledger.errors import StartError
from postledger.http.app import application
from postledger.http.protocol import Protocol
from postledger.http.traces import listen_to_others, without_messages
from postledger.intake import native, sparkpost
from postledger.settings import Settings
from postledger.state.keys import DEFAULT_WORKSPACE, SCOPES, Keyring, open_keyring
from postledger.store.engine import Engine, keep_private
from postledger.store.writer import Arrival, Writer

_LOG = structlog.get_logger()
_STOP_SECONDS = 30
_BACKLOG = 2048

VOCABULARIES = {"sparkpost": sparkpost.TYPES}


def serve(settings: Settings, demo: int = 0) -> int:
    """Serve until SIGTERM or SIGINT; the exit status. On an empty store first load `demo` events.

    Raises StartError when the process cannot start.
    """
    configure_logs(settings)
    keep_private()
    listener = _listen(settings)
    engine = Engine(settings)
    try:
        if broken := engine.set_aside():
            _LOG.error("parts_set_aside", parts=broken)
        with closing(open_keyring(settings)) as keyring:
            writer = Writer(engine, VOCABULARIES)
            key = _first_key(keyring, settings)
            if demo and not engine.size().events:
                load_demo(writer, demo)
            app = application(settings, engine, writer, keyring)
            uvloop.run(_run(app, listener, settings, key))
    finally:
        engine.close()
    return 0


def load_demo(writer: Writer, count: int) -> None:
    """Store `count` made-up events of the last days in the default workspace."""
    for lines in demo.batches(count, end=datetime.now(UTC), days=7):
        batch = native.read(lines, "application/x-ndjson", largest=len(lines))
        writer.store(writer.prepare(Arrival(DEFAULT_WORKSPACE, batch.lines, batch.count)))
    _LOG.info("demo_loaded", events=count)


async def _run(app: ASGIApp, listener: socket.socket, settings: Settings, key: str | None) -> None:
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    announce = loop.create_task(_announce(server, settings, listener, key))
    await server.serve(sockets=[listener])
    announce.cancel()


class _Server(uvicorn.Server):
    """Uvicorn that ends with status 0 on a signal, instead of raising the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """A second signal changes nothing: what was taken in is stored first."""
        self.should_exit = True


def _listen(settings: Settings) -> socket.socket:
    """The socket, before anything else is opened, so that a port in use is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (settings.host, settings.port), family=family, backlog=_BACKLOG
        )
        # else an answer in two packets waits 40 ms for the acknowledgement of the first
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise StartError(
            f"{address(settings.host, settings.port)} cannot be listened on ({error.strerror}); "
            "choose another --port or --host"
        ) from error
    return listener


def address(host: str, port: int) -> str:
    """Host and port as they stand in a URL."""
    return f"{f'[{host}]' if ':' in host else host}:{port}"


async def _announce(
    server: uvicorn.Server, settings: Settings, listener: socket.socket, key: str | None
) -> None:
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = listener.getsockname()[1]
    where = f"http://{address(settings.host, port)}"
    _LOG.info("listening", address=where)
    if key is not None:
        sys.stdout.write(_WELCOME.format(address=where, key=key, workspace=DEFAULT_WORKSPACE))
        sys.stdout.flush()


_WELCOME = """
Postledger listens on {address}
Key of workspace {workspace} (shown once; keep it):

    export POSTLEDGER_API_KEY={key}

Try it:

    curl -H "Authorization: Bearer {key}" "{address}/ledger/v1/events?limit=3"

"""


def _first_key(keyring: Keyring, settings: Settings) -> str | None:
    """A key for a store that has none."""
    keyring.ensure_workspace(DEFAULT_WORKSPACE)
    if settings.api_key or keyring.keys():
        return None
    text, _ = keyring.create_key(DEFAULT_WORKSPACE, SCOPES, name="first key")
    return text


def configure_logs(settings: Settings) -> None:
    """One line an event: for people on a terminal, else JSON; to standard error."""
    pretty = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    render = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if pretty
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_messages,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    listen_to_others(max(level, logging.WARNING))
