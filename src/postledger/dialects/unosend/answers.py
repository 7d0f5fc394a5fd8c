"""What all answers have in common: the envelope, pages, times [3, 7]."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from postledger.dialects.unosend.errors import rates
from postledger.dialects.wire import Call, Reply


def answer(body: dict[str, Any], call: Call) -> Reply:
    """A reply in the envelope of the workspace [3.1, U-1]."""
    if call.options.get("unosend_envelope") != "unwrapped":
        body = {"success": True, "data": body}
    return bare(body, call)


def bare(body: dict[str, Any], call: Call) -> Reply:
    """A reply without an envelope."""
    return Reply(msgspec.json.encode(body), headers=rates(call.allowance))


def pagination(total: int, limit: int, offset: int) -> dict[str, Any]:
    """Where in the list a page is [3]."""
    return {"total": total, "limit": limit, "offset": offset, "has_more": offset + limit < total}


def shown(time: datetime) -> str:
    """A time as it is written."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
