"""A file as a response, whole or one range of it (RFC 9110, sections 13 and 14)."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import IO, Any

from litestar import Response
from litestar.response import Stream

from postledger.http import problems

_PIECE = 256 * 1024
_MEDIA_TYPES = {
    ".csv": "text/csv",  # the framework adds the charset to texts
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
}


Refuse = Callable[[str], tuple[bytes, str]]
"""The body that tells of a failure, and its media type."""


def _problem(detail: str) -> tuple[bytes, str]:
    return problems.body(416, "Range Not Satisfiable", detail), problems.MEDIA_TYPE


def download(
    asked: Mapping[str, str], path: Path, name: str, digest: str, refuse: Refuse = _problem
) -> Response[Any]:
    """The file at `path`, to be saved as `name`. `digest` stands for its content. `asked`: headers
    of the request by lower-case names.

    One range is given as asked for; several, or none that can be read, are the whole file, as the
    RFC allows.
    """
    tag = f'"{digest}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    if _listed(asked.get("if-none-match", ""), tag):
        return Response(b"", status_code=304, headers=headers)
    size = path.stat().st_size
    wanted = _range(asked.get("range", ""), size)
    if asked.get("if-range", tag) != tag:
        wanted = None
    if wanted is not None and not wanted:
        return _unsatisfiable(headers, size, refuse)
    status = 200 if wanted is None else 206
    part = range(size) if wanted is None else wanted
    if wanted is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return Stream(
        _pieces(path.open("rb"), part),
        status_code=status,
        media_type=_MEDIA_TYPES[path.suffix],
        headers=headers | {"Content-Length": str(len(part))},
    )


def _listed(header: str, tag: str) -> bool:
    """Whether the tag is in an `If-None-Match`, which compares weakly."""
    tags = {each.strip().removeprefix("W/") for each in header.split(",")}
    return bool(tags & {tag, "*"})


_PLACE = re.compile(r"\d{0,18}", re.ASCII)


def _range(header: str, size: int) -> range | None:
    """The bytes of a `Range`; empty: the file has none of them. None: all."""
    unit, _, asked = header.partition("=")
    first, dash, last = (part.strip() for part in asked.partition("-"))
    if unit.lower() != "bytes" or not dash or not all(map(_PLACE.fullmatch, (first, last))):
        return None
    if not first:
        return range(max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _unsatisfiable(headers: dict[str, str], size: int, refuse: Refuse) -> Response[bytes]:
    detail = f"the file has {size} bytes, and none of those asked for; `Range` is not needed"
    body, media_type = refuse(detail)
    return Response(
        body,
        status_code=416,
        media_type=media_type,
        headers={"ETag": headers["ETag"], "Content-Range": f"bytes */{size}"},
    )


async def _pieces(file: IO[bytes], part: range) -> AsyncIterator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, part.start)
        left = len(part)
        while left and (piece := await asyncio.to_thread(file.read, min(left, _PIECE))):
            left -= len(piece)
            yield piece
