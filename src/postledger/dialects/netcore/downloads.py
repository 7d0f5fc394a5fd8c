"""Download Logs: a file of what all pages of logs have [6]. Paths and replies are our own design.

The order for a file is kept as the call that it came with, so it asks what the pages would.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from postledger.dialects.netcore.errors import refusal
from postledger.dialects.netcore.given import collect
from postledger.dialects.netcore.parse import Asked, logs
from postledger.dialects.netcore.render import row
from postledger.dialects.netcore.tables import COLUMNS, DOWNLOADS, MOST_ROWS, NAMES
from postledger.dialects.wire import JSON, Call, Reply
from postledger.errors import BadInput, Unreadable
from postledger.query import MessagePage

_PAGING = ("limit", "offset", "scrollid")


def order(call: Call) -> dict[str, Any]:
    """What a file is ordered with, as JSON values for `ordered`. Raises BadInput."""
    pairs = (*call.pairs, *_members(call.body))
    given = collect(replace(call, pairs=pairs))
    for name in _PAGING:
        if name in given:
            raise BadInput.parameter(given[name][0][0], "is for pages; a file has all rows")
    terms = {
        "path": call.path,
        "now": call.now.astimezone(UTC).isoformat(),
        "timezone": call.options.get("timezone", "UTC"),
        "pairs": [list(pair) for pair in pairs],
    }
    ordered(terms, call.workspace)
    return terms


def ordered(terms: Mapping[str, Any], workspace: str) -> Asked:
    """The question for the first page of a file; later ones only add the place."""
    call = Call(
        terms["path"],
        datetime.fromisoformat(terms["now"]),
        tuple((name, value) for name, value in terms["pairs"]),
        workspace=workspace,
        options={"timezone": terms["timezone"]},
    )
    asked = logs(call, DOWNLOADS[call.path])
    return replace(asked, query=replace(asked.query, limit=MOST_ROWS))


def _members(body: bytes) -> Iterator[tuple[str, str]]:
    """The members of a body as parameters of a query would give them; no body has none."""
    try:
        found = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable("the body is not a JSON object")
    for name, values in found.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
                yield name, str(value)
            elif value is not None and name.lower().replace("_", "") in NAMES:
                raise BadInput.parameter(name, "expected a text, or a list of texts")


# -- what is answered


class _Place(msgspec.Struct):
    download_id: str
    download_url: str


class _Accepted(msgspec.Struct):
    status: str
    message: str
    data: _Place


def accepted(call: Call, download_id: str) -> Reply:
    """The reply to an order that was taken."""
    place = _Place(download_id, f"{call.path}/{download_id}")
    said = "the file is being written; fetch download_url until it answers 200"
    return Reply(msgspec.json.encode(_Accepted("success", said, place)), 202)


def unfinished(rows: int, total: int | None) -> Reply:
    """The reply for a file that is still to come."""
    far = "" if total is None else f"; {rows} of {total} rows are written"
    said = f"the file is not ready{far}; ask again in a moment"
    return Reply(
        refusal(HTTPStatus.CONFLICT, said), HTTPStatus.CONFLICT, headers={"Retry-After": "1"}
    )


def given_up(why: str) -> Reply:
    """The reply for a file that will never be there."""
    return Reply(refusal(HTTPStatus.GONE, f"there is no file: {why}"), HTTPStatus.GONE)


def unsatisfiable(detail: str) -> tuple[bytes, str]:
    """The body for a range of bytes that the file does not have, and its media type."""
    return refusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, detail), JSON


# -- the file


def _csv(rows: list[list[object]]) -> bytes:
    """RFC 4180, in UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


HEAD = _csv([list(COLUMNS)])


def lines(page: MessagePage, asked: Asked) -> bytes:
    """The lines of a page's messages."""
    rows = (row(each, asked.zone, trails=False) for each in page.messages)
    return _csv([[getattr(each, name) for name in COLUMNS] for each in rows])
