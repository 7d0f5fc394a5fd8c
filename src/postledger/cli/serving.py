"""`postledger serve`: the server, in this process."""

from typing import Annotated

from cyclopts import Parameter, validators

from postledger.cli.options import HERE, Place

Host = Annotated[
    str | None, Parameter(metavar="ADDRESS", help="Address to listen on; 127.0.0.1 unless set.")
]
Port = Annotated[
    int | None,
    Parameter(
        validator=validators.Number(gte=0, lte=65535),
        metavar="PORT",
        help="Port to listen on; 8025 unless set, 0: any free one.",
    ),
]
Store = Annotated[
    str | None,
    Parameter(
        metavar="DSN",
        help="Event store: chdb:///absolute/dir, "
        "clickhouse://user:password@host:8123/database, or clickhouses://... for TLS; "
        "the data directory unless set.",
    ),
]
State = Annotated[
    str | None,
    Parameter(
        metavar="URL", help="SQLAlchemy URL of workspaces and keys; the data directory unless set."
    ),
]
Demo = Annotated[
    int,
    Parameter(
        validator=validators.Number(gte=0), metavar="N", help="Put so many made-up events in."
    ),
]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    store: Store = None,
    state: State = None,
    demo: Demo = 0,
    place: Place = HERE,
) -> int:
    """Run the server until SIGTERM or Ctrl-C.

    Options win over `POSTLEDGER_*` in the environment, and these over the settings file.
    """
    settings = place.settings(host=host, port=port, store=store, state=state)
    from postledger.http import server  # noqa: PLC0415 -- slow, and for this command only

    return server.serve(settings, demo=demo)
