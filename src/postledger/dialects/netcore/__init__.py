"""Netcore Email API, formerly Pepipost: logs and statistics. Contract `netcore.md`, whose
sections stand in brackets.

* Four generations of one API: `/v2/logs`, `/v5/events`, `/v5.1/events`, `/v6/events` [1]. They
  differ in how many rows a page has and which way it runs, unless asked otherwise.
* A row is a message for one recipient and the one state that it is in, not an event [3.1, 3.3].
* Key: header `api_key`, or `Authorization: Bearer KEY`, or `Authorization: x-api-key KEY` [2].
* Days and times are read and written in the time zone of the account, the workspace's option
  `timezone`. `enddate` is a whole day, and included; it defaults to today [3].
* Lists: `events=sent,open`, `events[0]=sent`, `events[]=sent`, and `events=` again [3.2]. Empty
  means absent. Parameters that are not known are ignored.
* Paging: `offset` up to 1000, or `scrollid` with the token of the page before [3.4].
* Every failure has the body of section 7, and no answer is empty: the official client for Node
  would crash.
* Statistics are counts of events by days, weeks or months, `/tags/stats` of each tag [5].
* A file of logs is ordered, and fetched when it is written; paths of our own choice [6].
"""

from postledger.dialects.netcore.downloads import (
    HEAD,
    accepted,
    given_up,
    lines,
    order,
    ordered,
    unfinished,
    unsatisfiable,
)
from postledger.dialects.netcore.errors import SECURITY, STATUS, key, refuse
from postledger.dialects.netcore.operations import OPERATIONS
from postledger.dialects.netcore.parse import Asked, logs
from postledger.dialects.netcore.render import shown
from postledger.dialects.netcore.stats import Summary, stats, summed
from postledger.dialects.netcore.tables import TYPES

__all__ = [
    "HEAD",
    "LONGEST_URI",
    "NAME",
    "OPERATIONS",
    "PREFIXES",
    "SECURITY",
    "STATUS",
    "TYPES",
    "Asked",
    "Summary",
    "accepted",
    "given_up",
    "key",
    "lines",
    "logs",
    "order",
    "ordered",
    "refuse",
    "shown",
    "stats",
    "summed",
    "unfinished",
    "unsatisfiable",
]

NAME = "netcore"
PREFIXES: tuple[str, ...] = ("/v2", "/v5", "/v5.1", "/v6")
LONGEST_URI = 16384
