"""The words of Netcore's API: states, the values of `events`, filters, generations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from postledger.query import Match, Stage

TYPES: dict[str, str | None] = {
    "injection": "processed",
    "delivery": "sent",
    "delay": "processed",
    "bounce": "softbounce",
    "out_of_band": "softbounce",
    "spam_complaint": "spam",
    "policy_rejection": "dropped",
    "generation_failure": "dropped",
    "generation_rejection": "invalid",
    "open": "open",
    "initial_open": "open",
    "click": "click",
    "initial_click": "click",
    "amp_open": "open",
    "amp_initial_open": "open",
    "amp_click": "click",
    "list_unsubscribe": "unsubscribe",
    "link_unsubscribe": "unsubscribe",
    "response": None,
    "scheduled": "scheduled",
    "cancelled": "cancelled",
    "unknown": None,
}
"""The state to which an event brings its message, unless its bounce class says more; None: this
API cannot say it. `generation_rejection` is what a suppressed recipient gets [8]."""

HARD = (10, 30, 90)
"""Bounce classes that are about the address: invalid recipient, no recipient, unsubscribed."""

BY_CLASS: dict[str, tuple[str, ...]] = {
    "hardbounce": ("bounce", "out_of_band"),
    "invalid": ("policy_rejection", "generation_failure"),
}
"""States to which events of these types bring a message when their class is one of `HARD`."""

STATES: tuple[str, ...] = (
    "scheduled",
    "processed",
    "cancelled",
    "dropped",
    "invalid",
    "softbounce",
    "hardbounce",
    "sent",
    "open",
    "click",
    "spam",
    "unsubscribe",
)
"""The strongest of its events says what a message's state is; the weakest first [8]."""


def _stages() -> Iterator[Stage]:
    for state in STATES:
        types = tuple(ours for ours, theirs in TYPES.items() if theirs == state)
        if types:
            yield Stage(state, types)
        if state in BY_CLASS:
            yield Stage(state, BY_CLASS[state], HARD)


STAGES: tuple[Stage, ...] = tuple(_stages())

EVENTS: Mapping[str, tuple[str, ...]] = {state: (state,) for state in STATES} | {
    "bounce": ("softbounce", "hardbounce")
}
"""Values of `events` that may stand together, and the states that they name [3.1, U-10]."""

AGGREGATES: dict[str, tuple[str, ...]] = {
    "total_requested": STATES,
    "total_delivered": ("sent", "open", "click", "unsubscribe", "spam"),
    "total_opened": ("open", "click", "unsubscribe", "spam"),
    "total_clicked": ("click", "unsubscribe"),
}
"""Values of `events` that stand alone [3.1]."""

OPENS: tuple[str, ...] = tuple(ours for ours, theirs in TYPES.items() if theirs == "open")
CLICKS: tuple[str, ...] = tuple(ours for ours, theirs in TYPES.items() if theirs == "click")


@dataclass(frozen=True, slots=True)
class Matching:
    """What a filter looks at. `folded`: in any case of letters; `several`: commas separate."""

    field: str
    match: Match = Match.EQUAL
    folded: bool = False
    several: bool = False


FILTERS: dict[str, Matching] = {
    "email": Matching("rcpt_to", folded=True, several=True),
    "fromaddress": Matching("friendly_from", Match.ADDRESS, folded=True, several=True),
    "subject": Matching("subject", Match.CONTAINS),
    "xapiheader": Matching("correlation_id"),
    "messageid": Matching("message_id"),
    "tags": Matching("rcpt_tags", Match.MEMBER, several=True),
    "senderdomain": Matching("sending_domain", folded=True, several=True),
    "recipientdomain": Matching("recipient_domain", folded=True, several=True),
}

NAMES: dict[str, str] = {
    "startdatetime": "starttime",
    "enddatetime": "endtime",
    "recipientemail": "email",
    "senderemail": "fromaddress",
    "customargs": "xapiheader",
    "tag": "tags",
    "aggregatedby": "aggregatedby",
    **{
        name: name
        for name in ("startdate", "enddate", "events", "sort", "limit", "offset", "scrollid")
    },
    **{name: name for name in FILTERS},
}
"""Names of parameters, in lower case and without underscores, for all generations [3, 4]."""


@dataclass(frozen=True, slots=True)
class Generation:
    """In what the generations differ. `trails`: rows without opens and clicks say so too."""

    limit: int
    descending: bool
    trails: bool = False


GENERATIONS: dict[str, Generation] = {
    "/v2/logs": Generation(50, descending=True, trails=True),
    "/v5/events": Generation(10, descending=True),
    "/v5.1/events": Generation(10, descending=True),
    "/v6/events": Generation(50, descending=False),
}
"""By path [1, U-2]."""

DOWNLOADS: dict[str, Generation] = {
    f"{path}/download": GENERATIONS[path] for path in ("/v5.1/events", "/v6/events")
}
"""Paths of our own choice [6]."""

COLUMNS: tuple[str, ...] = (
    "trid",
    "rcptEmail",
    "fromaddress",
    "requestedTime",
    "deliveryTime",
    "modifiedTime",
    "status",
    "size",
    "remarks",
    "subject",
    "xapiheader",
    "tags",
)
"""Of a downloaded file [6]."""

STATS: tuple[str, ...] = ("/v2/stats", "/v5/stats", "/v5.1/stats", "/v6/stats")
TAGGED = "/v2/tags/stats"

COUNTERS: dict[str, str] = {
    "sent": "count_delivered",
    "bounce": "count_bounce",
    "open": "_opening",
    "click": "_click",
    "spam": "count_spam_complaint",
    "invalid": "_invalid",
    "unsub": "count_unsubscribe",
    "dropped": "_dropped",
    "soft_bounce": "_other_bounce",
    "hard_bounce": "count_hard_bounce",
    "unique_open": "_unique_opening",
    "unique_click": "_unique_click",
}
"""Counters of statistics [5], and the figure that each is. They agree with `TYPES` and `BY_CLASS`:
`sent` is what others call delivered, and each bounce is soft or hard."""

LONGEST_PERIODS: dict[str, timedelta] = {
    "day": timedelta(hours=26),
    "week": timedelta(days=8),
    "month": timedelta(days=32),
}
"""Values of `aggregated_by`, and more than such a period has when the clock is changed."""

MOST_PERIODS = 100
MOST_TAGS = 999
MOST_NAMED = 20

MOST_ROWS = 5000
MOST_OFFSET = 1000
LONGEST_TEXT = 255
