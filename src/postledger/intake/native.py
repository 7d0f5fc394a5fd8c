"""Our own form: events as in section 3 of the native contract (`native.md`).

A body is newline-delimited JSON (`application/x-ndjson`), a JSON array of events, or one event.
"""

import msgspec

from postledger.errors import Unreadable, Unsupported
from postledger.intake.batch import Batch, check_lines, check_records, one_line, refuse_more
from postledger.intake.record import NATIVE

LINES_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
JSON_TYPES = frozenset({"", "application/json", "text/json"})

_RECORDS = msgspec.json.Decoder(list[msgspec.Raw])


def read(body: bytes, media_type: str, *, largest: int) -> Batch:
    """The events of a body. Raises Unreadable when it is not what `media_type` says,
    Unsupported when that is neither."""
    if media_type in LINES_TYPES:
        return check_lines(body, NATIVE, largest=largest)
    if media_type not in JSON_TYPES:
        raise Unsupported(
            f"the content type is {media_type}; send application/json or application/x-ndjson"
        )
    return check_document(body, largest=largest)


def check_document(body: bytes, *, largest: int) -> Batch:
    """A JSON array of events, or one event."""
    records = split_array(body) if body.lstrip()[:1] == b"[" else [_one(body)]
    return check_records(records, NATIVE, largest=largest)


def split_array(body: bytes) -> list[bytes]:
    """The elements of a JSON array as they stand, each on one line. Raises Unreadable, TooLarge."""
    try:
        records = _RECORDS.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON: {error}") from error
    refuse_more(len(records))
    return [one_line(bytes(record)) for record in records]


def _one(body: bytes) -> bytes:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(
            f"the body is not JSON: {error}; newline-delimited events need the content type "
            "application/x-ndjson"
        ) from error
    return one_line(body).strip()
