"""What figures there are: metrics, sub-paths of `deliverability` with their columns, lists.

Contract `bird-sparkpost.md`, section 9.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from postledger.dialects.sparkpost.classes import class_of
from postledger.dialects.sparkpost.rows import number_or_text
from postledger.dialects.sparkpost.schemas import Schema
from postledger.metrics import BOUNCES

Row = dict[str, object]

METRICS: tuple[str, ...] = (
    "count_injected",
    "count_targeted",
    "count_rejected",
    "count_policy_rejection",
    "count_generation_failed",
    "count_generation_rejection",
    "count_delivered",
    "count_delivered_first",
    "count_delivered_subsequent",
    "count_sent",
    "count_bounce",
    "count_inband_bounce",
    "count_outofband_bounce",
    "count_hard_bounce",
    "count_soft_bounce",
    "count_block_bounce",
    "count_undetermined_bounce",
    "count_admin_bounce",
    "count_accepted",
    "count_delayed",
    "count_delayed_first",
    "count_rendered",
    "count_unique_rendered",
    "count_initial_rendered",
    "count_unique_initial_rendered",
    "count_unique_confirmed_opened",
    "count_nonprefetched_rendered",
    "count_nonprefetched_unique_rendered",
    "count_nonprefetched_initial_rendered",
    "count_nonprefetched_unique_initial_rendered",
    "count_nonprefetched_unique_confirmed_opened",
    "count_clicked",
    "count_unique_clicked",
    "count_spam_complaint",
    "count_unsubscribe",
    "total_msg_volume",
    "total_delivery_time_first",
    "total_delivery_time_subsequent",
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
"""Their names are ours too."""
_ALL = {name: name for name in METRICS}


@dataclass(frozen=True, slots=True)
class Precision:
    """Our interval; the longest range that it may be asked for."""

    interval: str
    most: timedelta | None = None


PRECISIONS: dict[str, Precision] = {
    "1min": Precision("minute", timedelta(hours=24)),
    "5min": Precision("5 minutes", timedelta(hours=24)),
    "15min": Precision("15 minutes", timedelta(hours=48)),
    "hour": Precision("hour", timedelta(days=31)),
    "day": Precision("day"),
}
SERIES: dict[str, Precision] = PRECISIONS | {
    "12hr": Precision("half day"),
    "week": Precision("week"),
    "month": Precision("month"),
}
"""The precisions of time series."""


@dataclass(frozen=True, slots=True)
class Column:
    """A group of our figures as members of a row: their schemas, and how they are told."""

    group: str
    members: Mapping[str, Schema]
    tell: Callable[[str | int | None], Row]


_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}


def _text(group: str, name: str) -> Column:
    return Column(group, {name: _TEXT}, lambda value: {name: value})


def _account(value: str | int | None) -> Row:
    return {"subaccount_id": number_or_text(str(value))}


def _class(value: str | int | None) -> Row:
    return class_of(1 if value is None else int(value))


_REJECTIONS: dict[str, tuple[int, str]] = {
    "policy_rejection": (1, "Policy Rejection"),
    "generation_failure": (2, "Generation Failure"),
    "generation_rejection": (2, "Generation Rejection"),
}


def _rejection(value: str | int | None) -> Row:
    category, name = _REJECTIONS[str(value)]
    return {"rejection_category_id": category, "rejection_type": name}


_DOMAIN = _text("recipient_domain", "domain")
_REASON = _text("reason", "reason")
_CLASS = Column(
    "class",
    {name: _NUMBER if name.endswith("_id") else _TEXT for name in class_of(1)},
    _class,
)
_REJECTION = Column("type", {"rejection_category_id": _NUMBER, "rejection_type": _TEXT}, _rejection)


@dataclass(frozen=True, slots=True)
class View:
    """A sub-path of `deliverability`: its columns, and what it counts.

    `metrics`: those that it may be asked for, with ours. `fixed`: it always gives all of them.
    `types`: it looks at these events only. `ordered`: it takes `limit` and `order_by`.
    """

    meaning: str
    columns: tuple[Column, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=_ALL.copy)
    fixed: bool = False
    types: tuple[str, ...] = ()
    precisions: Mapping[str, Precision] = field(default_factory=PRECISIONS.copy)
    series: bool = False
    ordered: bool = True


_BOUNCES = {name: name for name in METRICS if name.endswith("_bounce")}
_REJECTED = {"count_rejected": "count_rejected"}
_DELAYED = {name: name for name in ("count_delayed", "count_delayed_first")}
_LINKS = {"count_clicked": "count_clicked", "count_raw_clicked": "count_unique_clicked"}
"""SparkPost's own pages take `count_raw_clicked` for the messages with such a click."""
_DELIVERED = {"count_delivered": "count_delivered"}


def _by(what: str, *columns: Column) -> View:
    return View(f"figures by {what}", columns)


def _bounces(what: str, *columns: Column) -> View:
    return View(f"bounces by {what}", columns, _BOUNCES, types=BOUNCES)


def _fixed(what: str, metrics: Mapping[str, str], *columns: Column) -> View:
    return View(what, columns, metrics, fixed=True)


VIEWS: dict[str, View] = {
    "": View("figures of a range of time", ordered=False),
    "domain": _by("recipient domain", _DOMAIN),
    "sending-ip": _by("sending address", _text("sending_ip", "sending_ip")),
    "ip-pool": _by("IP pool", _text("ip_pool", "ip_pool")),
    "sending-domain": _by("sending domain", _text("sending_domain", "sending_domain")),
    "watched-domain": _by("recipient domain", _text("recipient_domain", "watched_domain")),
    "subaccount": _by(
        "sub-account",
        Column("account", {"subaccount_id": {"type": ["integer", "string"]}}, _account),
    ),
    "campaign": _by("campaign", _text("campaign_id", "campaign_id")),
    "template": _by("template", _text("template_id", "template_id")),
    "subject-campaign": _by("subject", _text("subject", "subject_campaign")),
    "mailbox-provider": _by("mailbox provider", _text("mailbox_provider", "mailbox_provider")),
    "mailbox-provider-region": _by(
        "region of mailbox providers", _text("mailbox_provider_region", "mailbox_provider_region")
    ),
    "time-series": View(
        "figures in the course of time", precisions=SERIES, series=True, ordered=False
    ),
    "bounce-reason": _bounces("reason", _REASON, _CLASS),
    "bounce-reason/domain": _bounces("reason and recipient domain", _REASON, _DOMAIN, _CLASS),
    "bounce-classification": _bounces("class", _CLASS),
    "rejection-reason": _fixed("rejections by reason", _REJECTED, _REASON, _REJECTION),
    "rejection-reason/domain": _fixed(
        "rejections by reason and recipient domain", _REJECTED, _REASON, _DOMAIN, _REJECTION
    ),
    "delay-reason": _fixed("delays by reason", _DELAYED, _REASON),
    "delay-reason/domain": _fixed(
        "delays by reason and recipient domain", _DELAYED, _REASON, _DOMAIN
    ),
    "link-name": View("clicks by name of the link", (_text("link_name", "link_name"),), _LINKS),
    "attempt": View(
        "deliveries by attempt",
        (_text("attempt", "attempt"),),
        _DELIVERED,
        fixed=True,
        ordered=False,
    ),
}
"""The sub-paths of `deliverability`."""

LISTS: dict[str, str] = {
    "domains": "recipient_domain",
    "campaigns": "campaign_id",
    "templates": "template_id",
    "ip-pools": "ip_pool",
    "sending-ips": "sending_ip",
    "sending-domains": "sending_domain",
    "subject-campaigns": "subject",
    "mailbox-providers": "mailbox_provider",
    "mailbox-provider-regions": "mailbox_provider_region",
}
"""The lists of values that there are figures of, and the group of each."""

LISTED: tuple[str, ...] = (
    "count_targeted",
    "count_sent",
    "count_delayed",
    "count_rendered",
    "count_initial_rendered",
    "count_clicked",
    "count_spam_complaint",
    "count_unsubscribe",
)
"""A value is in a list when one of these counts an event that has it; by the first they come."""
