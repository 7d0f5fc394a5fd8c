"""A place in a list as an opaque text: versioned, checked for damage, bound to its query.

The text is unpadded URL-safe base64 of: one byte of version, eight bytes of digest, a JSON array of
the place. The digest covers version, place and the query that the cursor belongs to, so that a
cursor of another query, another workspace or another list is refused like a damaged one. It guards
against mistakes, not against attack: a cursor gives no access to anything, the workspace always
comes from the key.
"""

import hashlib
import json
from base64 import b64decode, urlsafe_b64encode

from postledger.errors import BadCursor, Problem

VERSION = 1
_DIGEST = 8

Position = list[str | int]


def encode(query: object, place: Position) -> str:
    """The cursor for `place` in the list that `query` gives.

    `query` is anything whose JSON text says which list it is: the same for every page of a list,
    different for different lists.
    """
    body = json.dumps(place, separators=(",", ":")).encode()
    return _text(bytes([VERSION]) + _digest(query, body) + body)


def decode(query: object, text: str, *, parameter: str = "cursor") -> Position:
    """The place that `encode` was given.

    Raises BadCursor when the text is damaged, of another version, or of another query.
    """
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise _bad(parameter, "is damaged; send the text exactly as it was given") from error
    if text != _text(raw):  # base64 has spare bits, and padding
        raise _bad(parameter, "is damaged; send the text exactly as it was given")
    if not raw or raw[0] != VERSION:
        raise _bad(parameter, "is damaged, or of another version; start from the first page")
    body = raw[1 + _DIGEST :]
    if raw[1 : 1 + _DIGEST] != _digest(query, body):
        raise _bad(
            parameter,
            "is damaged, or belongs to another query; keep all other parameters the same from "
            "page to page, or start from the first page",
        )
    try:
        place: Position = json.loads(body)
        json.dumps(place, ensure_ascii=False).encode()  # half a surrogate pair cannot be asked for
    except (ValueError, RecursionError) as error:  # not one of ours: anyone can make up a digest
        raise _bad(parameter, "is damaged; send the text exactly as it was given") from error
    return place


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _digest(query: object, body: bytes) -> bytes:
    text = json.dumps([VERSION, query], sort_keys=True, default=str).encode()
    return hashlib.blake2b(text + b"\0" + body, digest_size=_DIGEST).digest()


def _bad(parameter: str, message: str) -> BadCursor:
    return BadCursor(f"{parameter} {message}", Problem(message, parameter=parameter))
