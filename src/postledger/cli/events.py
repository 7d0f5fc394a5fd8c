"""An event for people: a row of a table, or a line."""

import msgspec

from postledger.cli.output import Column, printable

COLUMNS = (
    Column("time"),
    Column("type"),
    Column("recipient", 3),
    Column("subject / campaign", 3),
    Column("reason", 3),
)


class _Shown(msgspec.Struct):
    timestamp: str = ""
    type: str = ""
    rcpt_to: str = ""
    subject: str = ""
    campaign_id: str = ""
    reason: str = ""
    raw_reason: str = ""


def row(event: msgspec.Raw) -> tuple[str, ...]:
    """Return the cells for `COLUMNS`."""
    shown = msgspec.json.decode(event, type=_Shown)
    about = shown.subject or shown.campaign_id
    return shown.timestamp, shown.type, shown.rcpt_to, about, shown.reason or shown.raw_reason


def line(event: msgspec.Raw) -> str:
    """Return the same on one line."""
    time, kind, *others = row(event)
    return printable("  ".join([time, f"{kind:<20}", *filter(None, others)]))
