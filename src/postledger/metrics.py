"""What each metric is: which events it counts, of what it is a part.

`METRICS` is the one table. The statements (`store/metrics.py`), the OpenAPI description and the
guide's table of formulas are made from it. Contracts: `bird-sparkpost.md` section 9 for the counts,
`native.md` section 6 for the rates and times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from postledger.events import EVENT_TYPES

BOUNCE_CATEGORIES: dict[str, tuple[int, ...]] = {
    "hard": (10, 30, 90),
    "soft": (20, 21, 22, 23, 24, 40, 60, 70, 100),
    "block": (50, 51, 52, 53, 54),
    "admin": (25, 26, 80),
}
"""Bounce classes by category. Class 1, no class, and one that is not here: `UNDETERMINED`."""
UNDETERMINED = "undetermined"

OPENINGS = ("open", "initial_open", "amp_open", "amp_initial_open")
CLICKS = ("click", "amp_click")
BOUNCES = ("bounce", "out_of_band")
REJECTIONS = ("policy_rejection", "generation_failure", "generation_rejection")


class Attempt(Enum):
    """Of which attempt an event tells; one that does not say it is of the first."""

    FIRST = "on the first attempt"
    LATER = "on a later attempt"


@dataclass(frozen=True, slots=True)
class Events:
    """Which events: of any of `types`, of bounces those of `category`, of openings only those by
    people unless `prefetched`."""

    types: tuple[str, ...]
    category: str | None = None
    attempt: Attempt | None = None
    prefetched: bool = True


@dataclass(frozen=True, slots=True)
class Count:
    """How many events."""

    events: Events


@dataclass(frozen=True, slots=True)
class Unique:
    """How many messages have at least one: pairs of message and recipient; exact."""

    events: Events


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of a field."""

    field: str
    events: Events


@dataclass(frozen=True, slots=True)
class Combined:
    """Some metrics together, less others."""

    plus: tuple[str, ...]
    less: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """`part` divided by `whole`; 0 when the whole is 0."""

    part: str
    whole: str


@dataclass(frozen=True, slots=True)
class Percentile:
    """Of n values in ascending order the one with the number floor(n * `level`), from 0; 0 of none.

    Events without the field do not count.
    """

    level: float
    field: str
    events: Events


@dataclass(frozen=True, slots=True)
class Nothing:
    """Always 0."""


Figure = Count | Unique | Total | Combined | Rate | Percentile | Nothing


@dataclass(frozen=True, slots=True)
class Metric:
    meaning: str
    figure: Figure


def _count(meaning: str, *types: str, attempt: Attempt | None = None) -> Metric:
    return Metric(meaning, Count(Events(types, attempt=attempt)))


def _bounces(meaning: str, category: str) -> Metric:
    return Metric(meaning, Count(Events(BOUNCES, category)))


def _openings(*, prefetched: bool, of: str, by: str) -> dict[str, Metric]:
    """The metrics of openings, of all of them or of those by people; parts of their names."""

    def events(*types: str) -> Events:
        return Events(types, prefetched=prefetched)

    people = "" if prefetched else "; without prefetches"
    return {
        f"count_{by}rendered": Metric(f"Renderings{people}", Count(events("open"))),
        f"count_{of}rendered": Metric(f"Messages rendered{people}", Unique(events("open"))),
        f"count_{by}initial_rendered": Metric(
            f"Initial renderings{people}", Count(events("initial_open"))
        ),
        f"count_{of}initial_rendered": Metric(
            f"Messages with an initial rendering{people}", Unique(events("initial_open"))
        ),
        f"count_{of}confirmed_opened": Metric(
            f"Messages opened or clicked{people}",
            Unique(events(*OPENINGS, "initial_click", *CLICKS)),
        ),
    }


_DELIVERY = Events(("delivery",))
_TARGETED = Combined(("count_injected", "count_rejected"))
_PAID = "Of a paid add-on of others; always 0"
_PANELS = (
    "count_inbox_panel",
    "count_spam_panel",
    "count_inbox_seed",
    "count_spam_seed",
    "count_inbox_seed_private",
    "count_spam_seed_private",
    "count_inbox_seed_virtual",
    "count_spam_seed_virtual",
    "count_moved_to_inbox",
    "count_moved_to_spam",
)

METRICS: dict[str, Metric] = {
    "count_injected": _count("Messages accepted for sending", "injection"),
    "count_targeted": Metric("Messages accepted or rejected", _TARGETED),
    "count_rejected": _count("Messages rejected before any attempt", *REJECTIONS),
    "count_policy_rejection": _count("Rejected by policy", "policy_rejection"),
    "count_generation_failed": _count("Could not be made", "generation_failure"),
    "count_generation_rejection": _count("Not made, by policy", "generation_rejection"),
    "count_delivered": _count("Deliveries", "delivery"),
    "count_delivered_first": _count(
        "Deliveries on the first attempt", "delivery", attempt=Attempt.FIRST
    ),
    "count_delivered_subsequent": _count(
        "Deliveries on a later attempt", "delivery", attempt=Attempt.LATER
    ),
    "count_sent": Metric("Deliveries and bounces", Combined(("count_delivered", "count_bounce"))),
    "count_bounce": _count("Bounces, in-band and out-of-band", *BOUNCES),
    "count_inband_bounce": _count("Bounces in the SMTP session", "bounce"),
    "count_outofband_bounce": _count("Bounces after the delivery", "out_of_band"),
    "count_hard_bounce": _bounces("Bounces of a hard class", "hard"),
    "count_soft_bounce": _bounces("Bounces of a soft class", "soft"),
    "count_block_bounce": _bounces("Bounces of a block class", "block"),
    "count_undetermined_bounce": _bounces("Bounces of no class that is known", UNDETERMINED),
    "count_admin_bounce": Metric(
        "Bounces of an admin class, and rejections",
        Combined(("_admin_class_bounce", "count_rejected")),
    ),
    "count_accepted": Metric(
        "Deliveries that did not come back",
        Combined(("count_delivered",), ("count_outofband_bounce",)),
    ),
    "count_delayed": _count("Temporary failures", "delay"),
    "count_delayed_first": _count(
        "Temporary failures on the first attempt", "delay", attempt=Attempt.FIRST
    ),
    **_openings(prefetched=True, of="unique_", by=""),
    **_openings(prefetched=False, of="nonprefetched_unique_", by="nonprefetched_"),
    "count_clicked": _count("Clicks", *CLICKS),
    "count_unique_clicked": Metric("Messages clicked", Unique(Events(CLICKS))),
    "count_spam_complaint": _count("Complaints", "spam_complaint"),
    "count_unsubscribe": _count(
        "Unsubscribes, by list header and by link", "list_unsubscribe", "link_unsubscribe"
    ),
    "total_msg_volume": Metric("Bytes delivered", Total("msg_size", _DELIVERY)),
    "total_delivery_time_first": Metric(
        "Milliseconds to all deliveries on the first attempt",
        Total("queue_time", Events(("delivery",), attempt=Attempt.FIRST)),
    ),
    "total_delivery_time_subsequent": Metric(
        "Milliseconds to all deliveries on a later attempt",
        Total("queue_time", Events(("delivery",), attempt=Attempt.LATER)),
    ),
    **{name: Metric(_PAID, Nothing()) for name in _PANELS},
    "delivery_rate": Metric("Part of what was sent", Rate("count_delivered", "count_sent")),
    "bounce_rate": Metric("Part of what was sent", Rate("count_bounce", "count_sent")),
    "open_rate": Metric(
        "Messages opened or clicked, part of deliveries",
        Rate("count_unique_confirmed_opened", "count_delivered"),
    ),
    "click_rate": Metric(
        "Messages clicked, part of deliveries", Rate("count_unique_clicked", "count_delivered")
    ),
    "complaint_rate": Metric("Part of deliveries", Rate("count_spam_complaint", "count_delivered")),
    "unsubscribe_rate": Metric("Part of deliveries", Rate("count_unsubscribe", "count_delivered")),
    **{
        f"delivery_time_p{level}": Metric(
            f"Milliseconds within which {level} of 100 deliveries were made",
            Percentile(level / 100, "queue_time", _DELIVERY),
        )
        for level in (50, 95, 99)
    },
}
"""Metrics by name, in the order of the guide."""

_CLICKS_OF_ALL_KINDS = ("initial_click", *CLICKS)
_UNSENT = ("policy_rejection", "generation_failure")

EVERY = "_every"
"""All events of whatever type, which totals of pages count; not one of the metrics."""
_PARTS: dict[str, Figure] = {
    EVERY: Count(Events(tuple(EVENT_TYPES))),
    "_admin_class_bounce": Count(Events(BOUNCES, "admin")),
    "_opening": Count(Events(OPENINGS)),
    "_unique_opening": Unique(Events(OPENINGS)),
    "_click": Count(Events(_CLICKS_OF_ALL_KINDS)),
    "_unique_click": Unique(Events(_CLICKS_OF_ALL_KINDS)),
    "_other_bounce": Combined(("count_bounce",), ("count_hard_bounce",)),
    "_hard_unsent": Count(Events(_UNSENT, "hard")),
    "_invalid": Combined(("count_generation_rejection", "_hard_unsent")),
    "_dropped": Combined(("count_policy_rejection", "count_generation_failed"), ("_hard_unsent",)),
    "_response": Count(Events(("response",))),
    "_scheduled": Count(Events(("scheduled",))),
}
"""Figures that are part of others, or told by the APIs of others only."""

DEFAULT: tuple[str, ...] = (
    "count_injected",
    "count_delivered",
    "count_bounce",
    "count_unique_rendered",
    "count_unique_clicked",
    "count_spam_complaint",
    "count_unsubscribe",
)
"""The metrics of a question that names none."""

GROUPS: dict[str, str] = {
    **{
        name: name
        for name in (
            "type",
            "recipient_domain",
            "sending_domain",
            "campaign_id",
            "template_id",
            "sending_ip",
            "ip_pool",
            "subaccount_id",
            "mailbox_provider",
            "bounce_class",
            "reason",
            "target_link_url",
        )
    },
    "tag": "rcpt_tags",
}
"""By what figures can be grouped, and the field of the event."""

VENDOR_GROUPS: dict[str, str] = {
    "mailbox_provider_region": "mailbox_provider_region",
    "subject": "subject",
    "account": "subaccount_id",
    "attempt": "num_retries",
    "class": "bounce_class",
    "link_name": "target_link_name",
}
"""Groups of wire APIs only. `account`: the sub-account, `0` for the primary one, whose events may
name none. `attempt`: `1`, `2` or `3+`. `class`: of a bounce, 1 when it has none. `link_name`: `Raw
URL` for links without a name."""


def figure(name: str) -> Figure:
    """The definition of a metric, or of a part of one."""
    return _PARTS[name] if name in _PARTS else METRICS[name].figure


def types_of(names: Iterable[str]) -> Sequence[str]:
    """The types of all events that these metrics look at, sorted."""
    return sorted({kind for name in names for kind in _types(figure(name))})


def _types(found: Figure) -> Iterable[str]:
    match found:
        case Combined(plus, less):
            return types_of(plus + less)
        case Rate(part, whole):
            return types_of((part, whole))
        case Nothing():
            return ()
        case _:
            return found.events.types


def formula(name: str) -> str:
    """How a metric is computed, in words, for the documents."""
    match figure(name):
        case Count(events):
            said = _said(events)
        case Unique(events):
            said = f"messages with {_said(events)}"
        case Total(field, events):
            said = f"sum of `{field}` of {_said(events)}"
        case Combined(plus, less):
            said = " - ".join([" + ".join(map(_named, plus)), *map(_named, less)])
        case Rate(part, whole):
            said = f"`{part}` / `{whole}`"
        case Percentile(level, field, events):
            said = f"{level:g} quantile of `{field}` of {_said(events)}"
        case Nothing():
            said = "0"
    return said


def _named(name: str) -> str:
    return formula(name) if name in _PARTS else f"`{name}`"


def _said(events: Events) -> str:
    parts = [", ".join(f"`{kind}`" for kind in events.types)]
    if events.category:
        parts.append(f"of a class that is {events.category}")
    if events.attempt:
        parts.append(events.attempt.value)
    if not events.prefetched:
        parts.append("not prefetched")
    return " ".join(parts)
