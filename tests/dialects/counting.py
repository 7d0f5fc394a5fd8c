"""A count of the events of `cases/sparkpost/given/figures.ndjson` in Python: what figures SparkPost
would give of them, metric by metric and row by row."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from cases import HOME
from postledger.dialects.sparkpost.metrics import METRICS

Event = dict[str, Any]
Test = Callable[[Event], bool]

FILE = HOME / "sparkpost" / "given" / "figures.ndjson"
EVENTS: list[Event] = [json.loads(line) for line in FILE.read_text().splitlines()]
FIELDS = {
    "domains": "recipient_domain",
    "campaigns": "campaign_id",
    "subject_campaigns": "subject",
    "mailbox_providers": "mailbox_provider",
    "mailbox_provider_regions": "mailbox_provider_region",
    "templates": "template_id",
    "sending_ips": "sending_ip",
    "ip_pools": "ip_pool",
    "sending_domains": "sending_domain",
    "subaccounts": "subaccount_id",
}
for each in EVENTS:
    each["recipient_domain"] = each["rcpt_to"].partition("@")[2]
    each["sending_domain"] = each["friendly_from"].partition("@")[2]


# -- metrics


def at(event: Event) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def of(*types: str) -> Test:
    return lambda event: event["type"] in types


def first(event: Event) -> bool:
    return not event.get("num_retries")


def by_people(event: Event) -> bool:
    if "click" in event["type"]:
        return True
    told = event.get("user_agent_parsed", {}).get("is_prefetched")
    return not told if told is not None else event.get("user_agent") != "Mozilla/5.0"


BOUNCED, DELIVERED = of("bounce", "out_of_band"), of("delivery")
REJECTED = of("policy_rejection", "generation_failure", "generation_rejection")
OPENED, OPENED_FIRST, CLICKED = of("open"), of("initial_open"), of("click", "amp_click")
ENGAGED = of("open", "initial_open", "amp_open", "amp_initial_open", "click", "amp_click")
HARD, BLOCK, ADMIN = (10, 30, 90), (50, 51, 52, 53, 54), (25, 26, 80)
SOFT = (20, 21, 22, 23, 24, 40, 60, 70, 100)


def classed(*codes: int) -> Test:
    return lambda event: BOUNCED(event) and event.get("bounce_class") in codes


COUNTS: dict[str, Test] = {
    "count_injected": of("injection"),
    "count_targeted": lambda e: e["type"] == "injection" or REJECTED(e),
    "count_rejected": REJECTED,
    "count_policy_rejection": of("policy_rejection"),
    "count_generation_failed": of("generation_failure"),
    "count_generation_rejection": of("generation_rejection"),
    "count_delivered": DELIVERED,
    "count_delivered_first": lambda e: DELIVERED(e) and first(e),
    "count_delivered_subsequent": lambda e: DELIVERED(e) and not first(e),
    "count_sent": lambda e: DELIVERED(e) or BOUNCED(e),
    "count_bounce": BOUNCED,
    "count_inband_bounce": of("bounce"),
    "count_outofband_bounce": of("out_of_band"),
    "count_hard_bounce": classed(*HARD),
    "count_soft_bounce": classed(*SOFT),
    "count_block_bounce": classed(*BLOCK),
    "count_undetermined_bounce": lambda e: (
        BOUNCED(e) and e.get("bounce_class") not in HARD + SOFT + BLOCK + ADMIN
    ),
    "count_admin_bounce": lambda e: classed(*ADMIN)(e) or REJECTED(e),
    "count_delayed": of("delay"),
    "count_delayed_first": lambda e: e["type"] == "delay" and first(e),
    "count_rendered": OPENED,
    "count_initial_rendered": OPENED_FIRST,
    "count_nonprefetched_rendered": lambda e: OPENED(e) and by_people(e),
    "count_nonprefetched_initial_rendered": lambda e: OPENED_FIRST(e) and by_people(e),
    "count_clicked": CLICKED,
    "count_spam_complaint": of("spam_complaint"),
    "count_unsubscribe": of("list_unsubscribe", "link_unsubscribe"),
}
UNIQUES: dict[str, Test] = {
    "count_unique_rendered": OPENED,
    "count_unique_initial_rendered": OPENED_FIRST,
    "count_unique_confirmed_opened": ENGAGED,
    "count_nonprefetched_unique_rendered": lambda e: OPENED(e) and by_people(e),
    "count_nonprefetched_unique_initial_rendered": lambda e: OPENED_FIRST(e) and by_people(e),
    "count_nonprefetched_unique_confirmed_opened": lambda e: ENGAGED(e) and by_people(e),
    "count_unique_clicked": CLICKED,
    "count_raw_clicked": CLICKED,
}
TOTALS: dict[str, tuple[str, Test]] = {
    "total_msg_volume": ("msg_size", DELIVERED),
    "total_delivery_time_first": ("queue_time", lambda e: DELIVERED(e) and first(e)),
    "total_delivery_time_subsequent": ("queue_time", lambda e: DELIVERED(e) and not first(e)),
}
PAID = {
    "count_inbox_panel", "count_spam_panel", "count_inbox_seed", "count_spam_seed",
    "count_inbox_seed_private", "count_spam_seed_private", "count_inbox_seed_virtual",
    "count_spam_seed_virtual", "count_moved_to_inbox", "count_moved_to_spam",
}  # fmt: skip


def counted(name: str, events: Iterable[Event]) -> int:
    """A metric of these events."""
    events = list(events)
    if name in COUNTS:
        return sum(map(COUNTS[name], events))
    if name in UNIQUES:
        return len({(e["message_id"], e["rcpt_to"]) for e in events if UNIQUES[name](e)})
    if name in TOTALS:
        field, test = TOTALS[name]
        return sum(e[field] for e in events if test(e))
    if name == "count_accepted":
        return counted("count_delivered", events) - counted("count_outofband_bounce", events)
    assert name in PAID
    return 0


LOOKS: dict[str, Test] = {
    "count_accepted": of("delivery", "out_of_band"),
    "count_inband_bounce": COUNTS["count_inband_bounce"],
    "count_outofband_bounce": COUNTS["count_outofband_bounce"],
    "count_admin_bounce": lambda e: BOUNCED(e) or REJECTED(e),
    **{name: BOUNCED for name in COUNTS if name.split("_")[1] in {"hard", "soft", "block"}},
    "count_undetermined_bounce": BOUNCED,
    **{name: DELIVERED for name in (*TOTALS, *COUNTS) if "deliver" in name or "msg" in name},
    "count_delayed_first": COUNTS["count_delayed"],
}
"""Metrics that look at events which they do not count."""


def looked_at(name: str, event: Event) -> bool:
    """Whether a metric looks at an event: its group then has a row."""
    if name in PAID:
        return False
    whole = name.replace("nonprefetched_", "")
    return (LOOKS.get(whole) or COUNTS.get(whole) or UNIQUES[whole])(event)


def figure_row(metrics: Iterable[str], events: list[Event]) -> dict[str, int]:
    return {name: counted(name, events) for name in metrics}


# -- rows

CLASSES = {
    1: ("Undetermined", 0, "Undetermined"),
    7: ("Undetermined", 0, "Undetermined"),
    10: ("Invalid Recipient", 1, "Hard"),
    22: ("Mailbox Full", 2, "Soft"),
    25: ("Admin Failure", 4, "Admin"),
    51: ("Spam Block", 3, "Block"),
}


def classification(event: Event) -> dict[str, object]:
    code = event.get("bounce_class", 1)
    name, number, category = CLASSES[code]
    return {
        "bounce_class_name": name,
        "bounce_category_id": number,
        "bounce_category_name": category,
        "classification_id": code,
    }


REJECTIONS = {
    "policy_rejection": (1, "Policy Rejection"),
    "generation_failure": (2, "Generation Failure"),
    "generation_rejection": (2, "Generation Rejection"),
}


def rejection(event: Event) -> dict[str, object]:
    number, name = REJECTIONS[event["type"]]
    return {"rejection_category_id": number, "rejection_type": name}


def account(event: Event) -> dict[str, object]:
    text = event.get("subaccount_id", "0")
    return {"subaccount_id": int(text) if text.isdigit() else text}


def field(name: str, of_event: str = "") -> Callable[[Event], dict[str, object]]:
    return lambda event: {name: event.get(of_event or name, "")}


DOMAIN, REASON = field("domain", "recipient_domain"), field("reason")
BOUNCE_METRICS = [name for name in METRICS if name.endswith("_bounce")]
DELAY_METRICS = ["count_delayed", "count_delayed_first"]
GROUPS: dict[str, tuple[tuple[Callable[[Event], dict[str, object]], ...], list[str]]] = {
    "domain": ((DOMAIN,), list(METRICS)),
    "sending-ip": ((field("sending_ip"),), list(METRICS)),
    "ip-pool": ((field("ip_pool"),), list(METRICS)),
    "sending-domain": ((field("sending_domain"),), list(METRICS)),
    "watched-domain": ((field("watched_domain", "recipient_domain"),), list(METRICS)),
    "subaccount": ((account,), list(METRICS)),
    "campaign": ((field("campaign_id"),), list(METRICS)),
    "template": ((field("template_id"),), list(METRICS)),
    "subject-campaign": ((field("subject_campaign", "subject"),), list(METRICS)),
    "mailbox-provider": ((field("mailbox_provider"),), list(METRICS)),
    "mailbox-provider-region": ((field("mailbox_provider_region"),), list(METRICS)),
    "bounce-reason": ((REASON, classification), BOUNCE_METRICS),
    "bounce-reason/domain": ((REASON, DOMAIN, classification), BOUNCE_METRICS),
    "bounce-classification": ((classification,), BOUNCE_METRICS),
    "rejection-reason": ((REASON, rejection), ["count_rejected"]),
    "rejection-reason/domain": ((REASON, DOMAIN, rejection), ["count_rejected"]),
    "delay-reason": ((REASON,), DELAY_METRICS),
    "delay-reason/domain": ((REASON, DOMAIN), DELAY_METRICS),
    "link-name": (
        (lambda event: {"link_name": event.get("target_link_name", "Raw URL")},),
        ["count_clicked", "count_raw_clicked"],
    ),
    "attempt": (
        (lambda event: {"attempt": ["1", "2", "3+"][min(event.get("num_retries", 0), 2)]},),
        ["count_delivered"],
    ),
}
"""Sub-paths with groups: what an event has in the columns, and all metrics."""


def grouped(name: str, metrics: Iterable[str], events: Iterable[Event]) -> list[dict[str, Any]]:
    """The rows of a sub-path, in no order."""
    tellers, _ = GROUPS[name]
    found: dict[str, tuple[dict[str, object], list[Event]]] = {}
    for event in events:
        if any(looked_at(metric, event) for metric in metrics):
            if name.startswith("bounce") and not BOUNCED(event):
                continue
            row = {k: v for tell in tellers for k, v in tell(event).items()}
            found.setdefault(str(row), (row, []))[1].append(event)
    return [row | figure_row(metrics, events) for row, events in found.values()]


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without descriptions, in an order of their own."""
    left = [{k: v for k, v in row.items() if not k.endswith("_description")} for row in rows]
    return sorted(left, key=lambda row: str(sorted(row.items())))
