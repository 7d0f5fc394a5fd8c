"""Unosend's events, logs, e-mails and figures: contract `unosend.md`; sections in brackets.

* Times are UTC, `YYYY-MM-DDTHH:MM:SS.mmmZ` [3].
* The window is `days` times 24 hours back from now; its start is inclusive [U-4, U-12]. Events and
  figures are in it by their own time, e-mails by the time when they were sent.
* Each parameter has one value; the first counts, a blank one counts as absent. What is out of range
  is moved to the nearest end, what is no number is the default [U-3].
* Paging by `limit` and `offset`, the newest first [2, 7]; of the list of e-mails by `per_page` and
  `page` too.
* An e-mail of a log is a message for one recipient: its state is one of `STATES`. Asked for by its
  id, it is the message with all of its recipients [7].
* The key travels in `Authorization: Bearer KEY` [1].
* Failures are JSON always, since its clients take anything else for a broken network, and try
  again [5].
"""

from collections.abc import Mapping

from postledger.dialects.unosend.emails import (
    AskedEmail,
    email,
    listed,
    page_of_emails,
    parse_email,
)
from postledger.dialects.unosend.errors import STATUS, EmailNotFound, key, refuse
from postledger.dialects.unosend.events import Event, messages, read, render, row
from postledger.dialects.unosend.figures import (
    clicks_query,
    links,
    links_query,
    metrics,
    series_query,
    summary_query,
    waiting_query,
)
from postledger.dialects.unosend.operations import (
    EMAIL,
    EMAILS,
    LINKS,
    LOGS,
    METRICS,
    OPERATIONS,
    PATHS,
)
from postledger.dialects.unosend.parse import (
    Asked,
    AskedFigures,
    AskedLinks,
    AskedLogs,
    parse,
    parse_emails,
    parse_figures,
    parse_links,
    parse_logs,
    query,
    query_logs,
)
from postledger.dialects.unosend.tables import METADATA, STAGES, STATES, TYPES

__all__ = ["EMAIL", "EMAILS", "LINKS", "LOGS", "LONGEST_URI", "METADATA", "METRICS", "NAME"]
__all__ += ["OPERATIONS", "PATHS", "PREFIXES", "SECURITY", "STAGES", "STATES", "STATUS", "TYPES"]
__all__ += ["Asked", "AskedEmail", "AskedFigures", "AskedLinks", "AskedLogs", "EmailNotFound"]
__all__ += ["Event", "clicks_query", "email", "key", "links", "links_query", "listed", "messages"]
__all__ += ["metrics", "page_of_emails", "parse", "parse_email", "parse_emails", "parse_figures"]
__all__ += ["parse_links", "parse_logs", "query", "query_logs", "read", "refuse", "render", "row"]
__all__ += ["series_query", "summary_query", "waiting_query"]

NAME = "unosend"
SECURITY: Mapping[str, Mapping[str, str]] = {"key": {"type": "http", "scheme": "bearer"}}
PREFIXES: tuple[str, ...] = (
    "/v1",
    *("/api/v1/events", "/api/v1/logs", "/api/v1/emails", "/api/v1/metrics/links"),
    *("/events", "/logs", "/emails", "/metrics/links"),
)
LONGEST_URI = 16384
