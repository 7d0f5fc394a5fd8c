"""What an event is: its fields, its types, the state that a message's events add up to.

`FIELDS` is the one table of the event's fields. Validation (`intake`), the columns (`store`), the
OpenAPI schema (`http`) and the reference page (`docs/events.md`) are made from it. Names follow the
SparkPost event vocabulary, where it has one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a field holds, and so what is accepted for it and how it is given back."""

    TEXT = "string"
    CODE = "string, or an integer, which is kept as its digits"
    INTEGER = "integer of 64 bits, signed, or a string of up to 18 digits"
    BOOLEAN = "boolean, or 0, 1, '0' or '1'"
    TIME = "RFC 3339 time with zone; also unix seconds or milliseconds"
    TEXTS = "array of strings"
    OBJECT = "object; its values may be of any JSON type and are kept as sent"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event.

    `few` says that values repeat from event to event (a campaign, a domain), in contrast to values
    that are nearly all different (an id, an address). The store picks the encoding by it.
    """

    name: str
    kind: Kind
    meaning: str
    sample: object
    few: bool = False


EVENT_TYPES: dict[str, str] = {
    "injection": "The message was accepted for sending.",
    "delivery": "The remote server took the message.",
    "delay": "A delivery attempt failed for now; the message will be tried again.",
    "bounce": "The remote server refused the message for good, in the SMTP session.",
    "out_of_band": "A bounce message came back after the delivery.",
    "spam_complaint": "The recipient marked the message as spam (feedback loop).",
    "policy_rejection": "Refused by the sending system's policy before any attempt.",
    "generation_failure": "The message could not be made, for a technical reason.",
    "generation_rejection": "The message was not made, by policy.",
    "open": "The tracking pixel at the bottom was loaded.",
    "initial_open": "The tracking pixel at the top was loaded.",
    "click": "A tracked link was followed.",
    "initial_click": "The first tracked link of the message was followed.",
    "amp_open": "The bottom pixel of the AMP part was loaded.",
    "amp_initial_open": "The top pixel of the AMP part was loaded.",
    "amp_click": "A tracked link of the AMP part was followed.",
    "list_unsubscribe": "The List-Unsubscribe header was used (RFC 2369, RFC 8058).",
    "link_unsubscribe": "An unsubscribe link in the message was followed.",
    "response": "A reply or an automatic reply came in.",
    "scheduled": "The message waits for its time.",
    "cancelled": "A scheduled message was withdrawn.",
    "unknown": "The source reported a type that has no equivalent here.",
}


def _f(name: str, kind: Kind, meaning: str, sample: object, *, few: bool = False) -> Field:
    return Field(name, kind, meaning, sample, few)


_TEXT, _CODE, _INT, _BOOL = Kind.TEXT, Kind.CODE, Kind.INTEGER, Kind.BOOLEAN

FIELDS: tuple[Field, ...] = (
    _f(
        "event_id",
        _CODE,
        "With `timestamp` the event's identity in its workspace; derived from the content when "
        "absent",
        "92356927693813856",
    ),
    _f("type", _TEXT, "One of the event types", "bounce", few=True),
    _f("timestamp", Kind.TIME, "When it happened; milliseconds, UTC", "2026-11-20T09:30:01.250Z"),
    _f("received_at", Kind.TIME, "When it came in; set here", "2026-11-20T09:30:02.007Z"),
    _f("message_id", _CODE, "The message, as the sender's system names it", "000443ee14578172be22"),
    _f(
        "transmission_id",
        _CODE,
        "The sending call that the message is part of",
        "65832150921904138",
    ),
    _f("campaign_id", _CODE, "Campaign", "black-friday-2026", few=True),
    _f("template_id", _CODE, "Template that the message was made from", "offer-3", few=True),
    _f("template_version", _CODE, "Version of that template", "2", few=True),
    _f("subject", _TEXT, "Subject of the message", "Winter coats: 40 % off", few=True),
    _f("friendly_from", _TEXT, "Address in the From header", "news@shop.example", few=True),
    _f("msg_from", _TEXT, "Envelope sender (RFC 5321 MAIL FROM)", "b@mail.shop.example", few=True),
    _f(
        "sending_domain",
        _TEXT,
        "Domain of the sender; from `friendly_from` or `msg_from` when absent",
        "shop.example",
        few=True,
    ),
    _f("rcpt_to", _TEXT, "Recipient (RFC 5321 RCPT TO), in lower case", "ann@mail.example"),
    _f("raw_rcpt_to", _TEXT, "Recipient as it was sent", "Ann@mail.example"),
    _f(
        "recipient_domain",
        _TEXT,
        "Domain of the recipient; from `rcpt_to` when absent",
        "mail.example",
        few=True,
    ),
    _f(
        "rcpt_type",
        _TEXT,
        "`cc`, `bcc` or `archive`; absent: an ordinary recipient",
        "cc",
        few=True,
    ),
    _f("rcpt_hash", _CODE, "Hashed recipient address", "5f7a3c1d9e"),
    _f("sending_ip", _TEXT, "Address that the message was sent from", "192.0.2.10", few=True),
    _f("ip_pool", _TEXT, "Pool of that address", "marketing", few=True),
    _f("subaccount_id", _CODE, "Sub-account of the sender", "101", few=True),
    _f("customer_id", _CODE, "Customer of the sending system", "4711", few=True),
    _f("mailbox_provider", _TEXT, "Who runs the recipient's mailbox", "Gmail", few=True),
    _f("mailbox_provider_region", _TEXT, "Region of that provider", "Global", few=True),
    _f("routing_domain", _TEXT, "Domain that the message was routed to", "mail.example", few=True),
    _f(
        "ip_address",
        _TEXT,
        "The other side: remote server, or whoever opened or clicked",
        "203.0.113.9",
    ),
    _f("user_agent", _TEXT, "User agent of an opening or a click", "Mozilla/5.0 (X11)"),
    _f("target_link_url", _TEXT, "Link that was followed", "https://shop.example/coats"),
    _f("target_link_name", _TEXT, "Name of that link", "hero", few=True),
    _f("reason", _TEXT, "Why it failed, made uniform", "550 5.1.1 User unknown"),
    _f(
        "raw_reason",
        _TEXT,
        "Why it failed, as the remote server put it",
        "550 5.1.1 <a@b>: unknown",
    ),
    _f("error_code", _CODE, "SMTP reply code (RFC 5321)", "550", few=True),
    _f("delv_method", _TEXT, "How it was delivered", "esmtp", few=True),
    _f("recv_method", _TEXT, "How it was handed in", "rest", few=True),
    _f("fbtype", _TEXT, "Type of the feedback report (RFC 5965)", "abuse", few=True),
    _f("report_by", _TEXT, "Who sent the feedback report", "fbl.mail.example", few=True),
    _f("report_to", _TEXT, "Whom it was sent to", "abuse.shop.example", few=True),
    _f("remote_addr", _TEXT, "Address of the client that handed the message in", "198.51.100.4"),
    _f("mailfrom", _TEXT, "Envelope sender of an unsubscribe message", "ann@mail.example"),
    _f("ab_test_id", _CODE, "A/B test", "subject-length", few=True),
    _f("source", _TEXT, "Which system reported the event", "mta-1", few=True),
    _f("bounce_class", _INT, "Class of the bounce", 10, few=True),
    _f("msg_size", _INT, "Size of the message, bytes", 48211),
    _f("queue_time", _INT, "Time from acceptance to this event, milliseconds", 1204),
    _f("num_retries", _INT, "Attempts before this one", 0, few=True),
    _f("ab_test_version", _INT, "Variant of the A/B test", 1, few=True),
    _f("injection_time", Kind.TIME, "When the message was accepted", "2026-11-20T09:30:00.000Z"),
    _f("scheduled_time", Kind.TIME, "When the message is to be sent", "2026-11-20T09:30:00.000Z"),
    _f("rcpt_tags", Kind.TEXTS, "The sender's tags", ["winter", "vip"]),
    _f("rcpt_meta", Kind.OBJECT, "The sender's own data", {"order": 1234}),
    _f(
        "geo_ip",
        Kind.OBJECT,
        "Where an opening or a click came from: `country`, `region`, `city`, `latitude`, "
        "`longitude`, `zip`, `postal_code`",
        {"country": "PL", "city": "Gdańsk"},
    ),
    _f("correlation_id", _CODE, "The sender's own reference", "order-1234"),
    _f("smtp_response", _TEXT, "The remote server's answer on delivery", "250 2.0.0 OK"),
    _f("transactional", _BOOL, "The message is transactional", False),
    _f("amp_enabled", _BOOL, "The message has an AMP part", False),
    _f("click_tracking", _BOOL, "Clicks are tracked", True),
    _f("open_tracking", _BOOL, "Openings are tracked", True),
    _f("initial_pixel", _BOOL, "The message has a pixel at the top", True),
)

FIELD: dict[str, Field] = {field.name: field for field in FIELDS}

STATES: tuple[str, ...] = (
    "unknown",
    "scheduled",
    "injected",
    "cancelled",
    "delayed",
    "delivered",
    "rejected",
    "bounced",
    "opened",
    "clicked",
    "responded",
    "unsubscribed",
    "complained",
)
"""What became of a message for one recipient, the weakest first. The strongest of its events
counts, whenever it came: a late delivery does not undo a complaint."""

STATE_OF_TYPE: dict[str, str] = {
    "injection": "injected",
    "delivery": "delivered",
    "delay": "delayed",
    "bounce": "bounced",
    "out_of_band": "bounced",
    "spam_complaint": "complained",
    "policy_rejection": "rejected",
    "generation_failure": "rejected",
    "generation_rejection": "rejected",
    "open": "opened",
    "initial_open": "opened",
    "click": "clicked",
    "initial_click": "clicked",
    "amp_open": "opened",
    "amp_initial_open": "opened",
    "amp_click": "clicked",
    "list_unsubscribe": "unsubscribed",
    "link_unsubscribe": "unsubscribed",
    "response": "responded",
    "scheduled": "scheduled",
    "cancelled": "cancelled",
    "unknown": "unknown",
}


def state_of(types: Iterable[str]) -> str:
    """The state that events of these types add up to; their order does not matter."""
    return max((STATE_OF_TYPE[kind] for kind in types), key=STATES.index, default="unknown")
