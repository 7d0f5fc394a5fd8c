"""SparkPost's Events and Metrics APIs; Bird's Events API is the same under another path.

Contract `bird-sparkpost.md`; the section of each in brackets.

* Times are UTC (3); `timezone` is for those that name no zone. In answers: milliseconds and `Z`
  (4.1, U-2).
* `from` is inclusive, `to` exclusive; by default from 24 hours ago to one minute ago (3).
* Lists are separated by commas, or by what `delimiter` says (3).
* Keyword search is by whole tokens, between spaces, dashes and underscores; for the two filters of
  domains between periods too (3.1).
* Pages go by `cursor`, newest first, then by event id descending (U-9); by `page` too (3, 4).
* The key travels in `Authorization`, bare, as Basic user, as `AccessKey` or as `Bearer` (1). A
  workspace in the path says nothing: that is the key's.
* Paths with and without a slash at the end are the same; names of parameters that are not known
  are ignored (2).
* Ingest events are not kept, so there are none to be found (5.1).
* Figures: `from` and `to` are times of `timezone`, in which intervals start too (9).
"""

from postledger.dialects.sparkpost.answers import found, no_ingest_events, old_found
from postledger.dialects.sparkpost.documents import (
    documentation,
    old_samples,
    samples,
    webhook_documentation,
    webhook_samples,
)
from postledger.dialects.sparkpost.errors import STATUS, Missing, key, refuse
from postledger.dialects.sparkpost.figures import (
    FILTERS_SCHEMA,
    ROOT,
    Figures,
    Listing,
    discovery,
    figures,
    filters_schema,
    listing,
    told,
    values_told,
)
from postledger.dialects.sparkpost.metrics import LISTS, VIEWS
from postledger.dialects.sparkpost.metrics_operations import path_of
from postledger.dialects.sparkpost.operations import (
    BIRD,
    INGEST_PATH,
    MESSAGE,
    OLD,
    OPERATIONS,
    WEBHOOK,
)
from postledger.dialects.sparkpost.paging import LONGEST_URI
from postledger.dialects.sparkpost.rows import old_rows, rows
from postledger.dialects.sparkpost.search import Search, old_search, search
from postledger.dialects.sparkpost.tables import EVENTS, FIELDS, NAMED_ONLY, TYPES, UNSAID

NAME = "sparkpost"
SECURITY = {"sparkpost": {"type": "apiKey", "in": "header", "name": "Authorization"}}
PREFIXES = ("/api/v1", "/api/v1/events/", "/api/workspaces")

__all__ = [
    "BIRD",
    "EVENTS",
    "FIELDS",
    "FILTERS_SCHEMA",
    "INGEST_PATH",
    "LISTS",
    "LONGEST_URI",
    "MESSAGE",
    "NAME",
    "NAMED_ONLY",
    "OLD",
    "OPERATIONS",
    "PREFIXES",
    "ROOT",
    "SECURITY",
    "STATUS",
    "TYPES",
    "UNSAID",
    "VIEWS",
    "WEBHOOK",
    "Figures",
    "Listing",
    "Missing",
    "Search",
    "discovery",
    "documentation",
    "figures",
    "filters_schema",
    "found",
    "key",
    "listing",
    "no_ingest_events",
    "old_found",
    "old_rows",
    "old_samples",
    "old_search",
    "path_of",
    "refuse",
    "rows",
    "samples",
    "search",
    "told",
    "values_told",
    "webhook_documentation",
    "webhook_samples",
]
