"""Bodies of searches: results, count and links. Contract `bird-sparkpost.md`, sections 4 and 5."""

import msgspec
from msgspec import Raw

from postledger.dialects.sparkpost import paging
from postledger.dialects.sparkpost.search import Search, ingest_search
from postledger.dialects.wire import Call, Reply
from postledger.query import Place

_NO_LINKS: dict[str, str] = {}


def found(search: Search, rows: bytes, following: Place | None, total: int) -> Reply:
    """A page of `events/message`; `links` has `next`, a path, unless it is the last one."""
    links = _NO_LINKS if following is None else {"next": _next(search, following)}
    return _reply(rows, total, links)


def _next(search: Search, following: Place) -> str:
    marks = (
        ("per_page", str(search.query.limit)),
        ("cursor", paging.write(search.query, search.pairs, following)),
    )
    return paging.link(search.path, search.pairs, marks, bare=True)


def old_found(search: Search, rows: bytes, total: int) -> Reply:
    """A page of `message-events`; `links` is an array, empty when there is only one page."""
    last = -(-total // search.query.limit)
    pages = {"first": 1, "previous": search.page - 1, "next": search.page + 1, "last": last}
    links = [
        {"href": _numbered(search, page), "rel": rel}
        for rel, page in pages.items()
        if last > 1 and 1 <= page <= last
    ]
    return _reply(rows, total, links)


def _numbered(search: Search, page: int) -> str:
    marks = (("page", str(page)), ("per_page", str(search.query.limit)))
    return paging.link(search.path, search.pairs, marks)


def no_ingest_events(call: Call) -> Reply:
    """Nothing: ingest events are not kept. Raises BadInput for parameters that cannot be meant."""
    ingest_search(call)
    return _reply(b"[]", 0, _NO_LINKS)


def _reply(rows: bytes, total: int, links: object) -> Reply:
    body = {"results": Raw(rows), "total_count": total, "links": links}
    return Reply(msgspec.json.encode(body))
