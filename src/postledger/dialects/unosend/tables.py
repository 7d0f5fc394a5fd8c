"""What the API can say, as tables: types of events, states of e-mails, figures."""

from postledger.query import Stage

TYPES: dict[str, str | None] = {
    "injection": "sent",
    "delivery": "delivered",
    "delay": None,  # it may be delivered yet; a client takes `bounced` for an end
    "bounce": "bounced",
    "out_of_band": "bounced",
    "spam_complaint": "complained",
    "policy_rejection": None,  # `failed` is a status of messages, not a type of events [4]
    "generation_failure": None,
    "generation_rejection": None,
    "open": "opened",
    "initial_open": "opened",
    "click": "clicked",
    "initial_click": "clicked",
    "amp_open": "opened",
    "amp_initial_open": "opened",
    "amp_click": "clicked",
    "list_unsubscribe": "unsubscribed",
    "link_unsubscribe": "unsubscribed",
    "response": None,
    "scheduled": None,
    "cancelled": None,
    "unknown": None,
}
"""Our type of event -> `type`; None: it cannot say it, and does not count it."""

METADATA: dict[str, dict[str, str]] = {
    "sent": {"message_id": "message_id"},
    "delivered": {"smtp_response": "smtp_response"},
    "opened": {"user_agent": "user_agent", "ip_address": "ip_address", "ip": "ip_address"},
    "clicked": {
        "url": "target_link_url",
        "user_agent": "user_agent",
        "ip_address": "ip_address",
        "ip": "ip_address",
        "link": "target_link_url",
    },
    "bounced": {"bounce_type": "bounce_type", "reason": "why", "bounce_reason": "why"},
    "complained": {"complaint_type": "fbtype"},
    "unsubscribed": {},
}
"""`type` -> key of `metadata` -> member of `Event`. Beside the documented keys the other spellings
that its clients and webhooks have [4, U-7]. Null: the event does not tell."""

HARD_CLASSES = frozenset({10, 30, 90})
"""Classes of bounces (contract `bird-sparkpost.md`, section 7) that are of no use to try again."""

STATE_OF: dict[str, str | None] = {
    "injection": "sent",
    "delivery": "delivered",
    "delay": "queued",
    "bounce": "bounced",
    "out_of_band": "bounced",
    "spam_complaint": "delivered",  # openings, clicks and complaints are figures, not states [7]
    "policy_rejection": "failed",
    "generation_failure": "failed",
    "generation_rejection": "failed",
    "open": "delivered",
    "initial_open": "delivered",
    "click": "delivered",
    "initial_click": "delivered",
    "amp_open": "delivered",
    "amp_initial_open": "delivered",
    "amp_click": "delivered",
    "list_unsubscribe": "delivered",
    "link_unsubscribe": "delivered",
    "response": "delivered",
    "scheduled": "scheduled",
    "cancelled": "cancelled",
    "unknown": None,
}
"""Our type of event -> the `status` to which it brings an e-mail; None: to none."""

STATES = ("scheduled", "cancelled", "sent", "queued", "failed", "delivered", "bounced")
"""Values of `status`; the last of them that an event of an e-mail brings it to is its own."""

STAGES: tuple[Stage, ...] = tuple(
    Stage(state, tuple(kind for kind, theirs in STATE_OF.items() if theirs == state))
    for state in STATES
)

FIGURES: dict[str, str] = {
    "total": "count_targeted",
    "sent": "count_injected",
    "delivered": "count_delivered",
    "bounced": "count_bounce",
    "failed": "count_rejected",
    "opens": "_opening",
    "unique_opens": "_unique_opening",
    "clicks": "_click",
    "unique_clicks": "_unique_click",
    "refused": "count_inband_bounce",
    "were_scheduled": "_scheduled",
}
"""What the summary is made of -> metric. The events list, asked for a type, has as many events as
the member for it says."""

SUMMARY = (
    *("total", "sent", "delivered", "bounced", "failed", "queued", "scheduled"),
    *("opens", "unique_opens", "clicks", "unique_clicks"),
)
"""Members of `summary` [7]. Queued is what was sent and has neither arrived nor been refused;
scheduled is what still waits for its time."""

BY_STATUS = ("sent", "delivered", "bounced", "failed", "queued", "scheduled")
"""Members of `summary` of which `group_by=status` makes its series."""

RATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "delivery_rate": ("delivered", ("delivered", "bounced")),
    "bounce_rate": ("bounced", ("delivered", "bounced")),
    "open_rate": ("unique_opens", ("delivered",)),
    "click_rate": ("unique_clicks", ("delivered",)),
}
"""Rate, in per cent with one decimal -> members of `summary`: the part, and what makes the whole;
[7] does not say of what they are parts."""
