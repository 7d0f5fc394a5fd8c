"""The routes of the dialects: thin, one module each. `mount.py` has what they share."""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from postledger.dialects import DIALECTS
from postledger.exports.runner import Runner
from postledger.http import problems
from postledger.http.lookups import Lookups
from postledger.http.reads import Reads
from postledger.http.vendors import netcore, smtpeter, sparkpost, unosend
from postledger.http.vendors.mount import Mount, refusal
from postledger.store.reader import Reader


def vendor_routes(
    mount: Mount, reader: Reader, reads: Reads, lookups: Lookups, runner: Runner
) -> list[HTTPRouteHandler]:
    """All routes of all dialects."""
    return [
        *netcore.routes(mount, reader, reads, lookups, runner),
        *smtpeter.routes(mount, reader, reads),
        *sparkpost.routes(mount, reader, reads),
        *unosend.routes(mount, reader, reads),
    ]


def refuse_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """The answer for what the framework refuses: an unknown path, a wrong method; in the shape of
    the dialect that the path belongs to, else in ours."""
    return refusal(DIALECTS, request, error) or problems.answer_http(request, error)
