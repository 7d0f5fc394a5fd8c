"""What an event is there: fields with their JSON forms, types with their groups and fields.

Contract `bird-sparkpost.md`, sections 4.1, 5 and 6. The fields stand in the order in which stored
events have them, which makes decoding faster.
"""

from dataclasses import dataclass
from enum import Enum


class Form(Enum):
    """The JSON type of a field in an answer (section 4.1)."""

    TEXT = "string"
    NUMBER = "number as a string"
    FLAG = "boolean"
    FLAG_TEXT = '"1" or "0"'
    ID = "integer when it is one of 32 bits, else a string"
    TIME = "time"
    TEXTS = "array of strings"
    OBJECT = "object"
    PLACE = "object whose coordinates are numbers"
    KEPT = "as it came in; our registry does not have it"
    KEPT_TEXT = "as KEPT, a number as a string"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event; `sample` is as in answers of `samples`, all numbers strings (U-1)."""

    form: Form
    meaning: str
    sample: object


_T, _N, _K = Form.TEXT, Form.NUMBER, Form.KEPT
_TIME = "2026-11-20T09:30:00.000Z"

FIELDS: dict[str, Field] = {
    "event_id": Field(_T, "Names the event", "92356927693813856"),
    "timestamp": Field(Form.TIME, "When it happened", "2026-11-20T09:30:01.000Z"),
    "message_id": Field(_T, "Names the message", "000443ee14578172be22"),
    "transmission_id": Field(_T, "Names the sending call", "65832150921904138"),
    "injection_time": Field(Form.TIME, "When the message was accepted", _TIME),
    "rcpt_to": Field(_T, "Recipient of the envelope, in lower case", "ann@mail.example"),
    "raw_rcpt_to": Field(_T, "Recipient of the envelope, as sent", "Ann@mail.example"),
    "recipient_domain": Field(_T, "Domain of the recipient", "mail.example"),
    "sending_domain": Field(_T, "Domain of the sender", "shop.example"),
    "scheduled_time": Field(Form.TIME, "When the message was to be sent", _TIME),
    "rcpt_tags": Field(Form.TEXTS, "Tags of the message", ["winter", "vip"]),
    "rcpt_meta": Field(
        Form.OBJECT, "The sender's own data", {"order": "1234", "sizes": ["S", "M"]}
    ),
    "geo_ip": Field(
        Form.PLACE,
        "Where the request for the pixel or the link came from",
        {
            "country": "PL",
            "region": "22",
            "city": "Gdańsk",
            "latitude": "54.352",
            "longitude": "18.6466",
            "zip": "80",
            "postal_code": "80-001",
        },
    ),
    "device_token": Field(_K, "Device that a push message was for", "45c19189783f867973f6e6a5"),
    "outbound_tls": Field(Form.KEPT_TEXT, "Whether the delivery was encrypted", "1"),
    "user_agent_parsed": Field(
        _K,
        "What the user agent says",
        {"agent_family": "Chrome", "os_family": "Linux", "is_mobile": False, "is_proxy": False},
    ),
    "rcpt_subs": Field(_K, "Substitution data of the recipient", {"country": "PL"}),
    "user_str": Field(_K, "More about a feedback report", "reported in the app"),
    "sms_coding": Field(_K, "SMS: encoding", "ASCII"),
    "sms_dst": Field(_K, "SMS: number of the recipient", "48585550100"),
    "sms_dst_npi": Field(_K, "SMS: numbering plan of the recipient", "E164"),
    "sms_dst_ton": Field(_K, "SMS: type of the recipient's number", "International"),
    "sms_src": Field(_K, "SMS: number of the sender", "1234"),
    "sms_src_npi": Field(_K, "SMS: numbering plan of the sender", "E164"),
    "sms_src_ton": Field(_K, "SMS: type of the sender's number", "Unknown"),
    "sms_text": Field(_K, "SMS: text", "Your parcel has arrived"),
    "sms_segments": Field(_K, "SMS: number of parts", "1"),
    "sms_remoteids": Field(_K, "SMS: ids that the carrier gave", ["0000", "0001"]),
    "campaign_id": Field(_T, "Names the campaign", "black-friday-2026"),
    "template_id": Field(_T, "Names the template", "offer-3"),
    "template_version": Field(_T, "Version of the template", "2"),
    "subject": Field(_T, "Subject of the message", "Winter coats: 40 % off"),
    "friendly_from": Field(_T, "Address in the From header", "news@shop.example"),
    "msg_from": Field(_T, "Sender of the envelope", "bounces@mail.shop.example"),
    "rcpt_type": Field(_T, "`cc`, `bcc` or `archive`", "cc"),
    "rcpt_hash": Field(_T, "Hashed address of the recipient", "5f7a3c1d9e"),
    "sending_ip": Field(_T, "Address that the message went out from", "192.0.2.10"),
    "ip_pool": Field(_T, "Pool of that address", "marketing"),
    "subaccount_id": Field(Form.ID, "Sub-account", "101"),
    "customer_id": Field(Form.ID, "Account", "4711"),
    "mailbox_provider": Field(_T, "Who runs the recipient's mailbox", "Gmail"),
    "mailbox_provider_region": Field(_T, "Region of that provider", "Global"),
    "routing_domain": Field(_T, "Domain that the message was routed to", "mail.example"),
    "ip_address": Field(_T, "The remote server, or whoever opened or clicked", "203.0.113.9"),
    "user_agent": Field(_T, "Program that opened or clicked", "Mozilla/5.0 (X11; Linux x86_64)"),
    "target_link_url": Field(_T, "Link that was followed", "https://shop.example/coats"),
    "target_link_name": Field(_T, "Name of that link", "hero"),
    "reason": Field(_T, "Why it failed, made uniform", "550 5.1.1 User unknown"),
    "raw_reason": Field(_T, "Why it failed, in the server's words", "550 5.1.1 <ann>: unknown"),
    "error_code": Field(_T, "Reply code of the remote server", "550"),
    "delv_method": Field(_T, "Protocol of the delivery", "esmtp"),
    "recv_method": Field(_T, "Protocol by which the message was handed in", "rest"),
    "fbtype": Field(_T, "Type of the feedback report", "abuse"),
    "report_by": Field(_T, "Who reported", "fbl.mail.example"),
    "report_to": Field(_T, "Whom it was reported to", "abuse.shop.example"),
    "remote_addr": Field(_T, "Address that handed the message in", "198.51.100.4"),
    "mailfrom": Field(_T, "Sender of the unsubscribe message", "ann@mail.example"),
    "ab_test_id": Field(_T, "A/B test", "subject-length"),
    "bounce_class": Field(_N, "Class of the bounce", "10"),
    "msg_size": Field(_N, "Size of the message in bytes", "48211"),
    "queue_time": Field(_N, "Milliseconds in the queue", "1204"),
    "num_retries": Field(_N, "Attempts before", "0"),
    "ab_test_version": Field(_N, "Version in the A/B test", "1"),
    "transactional": Field(Form.FLAG_TEXT, "`1`: a transactional message", "1"),
    "amp_enabled": Field(Form.FLAG, "It has an AMP part", True),
    "click_tracking": Field(Form.FLAG, "Clicks are tracked", True),
    "open_tracking": Field(Form.FLAG, "Openings are tracked", True),
    "initial_pixel": Field(Form.FLAG, "It has a pixel at the top", True),
}
"""Every field that an event of the Events API may have, beside `type`."""

WEBHOOK_FIELDS: dict[str, Field] = {
    "relay_id": Field(_T, "Names the relayed message", "65832150921904139"),
    "origination": Field(_T, "Where a relayed message came from", "198.51.100.7"),
    "stat_type": Field(_T, "SMS: kind of the status", "SMSC Delivery"),
    "stat_state": Field(_T, "SMS: the status", "Delivered"),
    "dr_latency": Field(_T, "SMS: seconds until the receipt", "0.02"),
    "batch_id": Field(_T, "Names the batch of events handed in", "2a9e9f3e-7d2a-4f6c-9a0c"),
    "expiration_timestamp": Field(Form.TIME, "Until when it may be asked for", _TIME),
    "number_succeeded": Field(_N, "Events taken", "120"),
    "number_failed": Field(_N, "Events refused", "3"),
    "number_duplicates": Field(_N, "Events that were there already", "1"),
    "error_type": Field(_T, "Why events were refused", "validation"),
    "retryable": Field(Form.FLAG, "It may be handed in again", False),
    "href": Field(_T, "Where the refused events are", "https://mail.example/refused"),
}
"""Fields of events that only webhooks carry."""

UNSAID: dict[str, str] = {
    "received_at": "SparkPost has no such field",
    "source": "SparkPost is the only source",
    "correlation_id": "the sender's own reference travels in rcpt_meta there",
    "smtp_response": "a delivery has no text of the remote server there",
}
"""Fields of ours that this API cannot say, and why."""

_CORE = (
    "timestamp event_id customer_id subaccount_id transmission_id campaign_id template_id "
    "template_version transactional friendly_from ip_pool sending_ip rcpt_to raw_rcpt_to rcpt_hash "
    "rcpt_meta rcpt_tags recipient_domain sending_domain mailbox_provider mailbox_provider_region"
)
_LETTERS: dict[str, str] = {
    "M": "message_id msg_from injection_time",
    "S": "msg_size",
    "R": "rcpt_type",
    "J": "subject",
    "Q": "routing_domain scheduled_time",
    "V": "recv_method",
    "T": "amp_enabled click_tracking open_tracking initial_pixel",
    "A": "ab_test_id ab_test_version",
    "D": "delv_method ip_address num_retries",
    "U": "queue_time",
    "E": "error_code raw_reason reason",
    "B": "bounce_class",
    "K": "device_token",
    "L": "outbound_tls",
    "G": "geo_ip user_agent user_agent_parsed",
    "X": "sms_coding sms_dst sms_dst_npi sms_dst_ton sms_src sms_src_npi sms_src_ton",
}
"""Groups of fields, by the letters of section 6."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type of event: its group in webhooks, and its fields beside `type`."""

    group: str
    title: str
    meaning: str
    fields: tuple[str, ...]


def _type(group: str, title: str, meaning: str, letters: str, more: str = "") -> Type:
    named = " ".join([_CORE, *(_LETTERS[letter] for letter in letters), more]).split()
    return Type(group, title, meaning, tuple(dict.fromkeys(named)))


_MESSAGE, _TRACK, _GEN = "message_event", "track_event", "gen_event"
_UNSUBSCRIBE = "unsubscribe_event"
_OPENED, _LINK = "MSRJQTADUG", "target_link_name target_link_url"

EVENTS: dict[str, Type] = {
    "injection": _type(
        _MESSAGE, "Injection", "It was accepted", "MSRJQVTAX", "sms_segments sms_text"
    ),
    "delivery": _type(
        _MESSAGE,
        "Delivery",
        "The remote server took it",
        "MSRJQVTADUKLX",
        "sms_remoteids sms_segments",
    ),
    "delay": _type(_MESSAGE, "Delay", "An attempt failed for now", "MSRJQVTDUEBKLX"),
    "bounce": _type(_MESSAGE, "Bounce", "The remote server refused it", "MSRJQVTDEBKX"),
    "out_of_band": _type(
        _MESSAGE, "Out of Band", "A bounce came after the delivery", "MSJQVADUEBK"
    ),
    "spam_complaint": _type(
        _MESSAGE,
        "Spam Complaint",
        "The recipient called it spam",
        "MSRJQADU",
        "fbtype report_by report_to user_str",
    ),
    "policy_rejection": _type(
        _MESSAGE, "Policy Rejection", "Policy refused it", "MRVAEB", "remote_addr"
    ),
    "generation_failure": _type(
        _GEN, "Generation Failure", "It could not be made", "QVAE", "rcpt_subs"
    ),
    "generation_rejection": _type(
        _GEN, "Generation Rejection", "Policy kept it from being made", "JQVAEB", "rcpt_subs"
    ),
    "open": _type(_TRACK, "Open", "The pixel at the bottom was loaded", _OPENED),
    "initial_open": _type(_TRACK, "Initial Open", "The pixel at the top was loaded", _OPENED),
    "click": _type(_TRACK, "Click", "A link was followed", _OPENED, _LINK),
    "amp_open": _type(_TRACK, "AMP Open", "The AMP part's bottom pixel was loaded", _OPENED),
    "amp_initial_open": _type(
        _TRACK, "AMP Initial Open", "The AMP part's top pixel was loaded", _OPENED
    ),
    "amp_click": _type(_TRACK, "AMP Click", "A link of the AMP part was followed", _OPENED, _LINK),
    "list_unsubscribe": _type(
        _UNSUBSCRIBE,
        "List Unsubscribe",
        "The List-Unsubscribe header was used",
        "MSRJQVTAU",
        "ip_address num_retries mailfrom",
    ),
    "link_unsubscribe": _type(
        _UNSUBSCRIBE,
        "Link Unsubscribe",
        "An unsubscribe link was followed",
        "MSRJQVTADU",
        f"mailfrom {_LINK} user_agent",
    ),
}
"""The types that a search gives unless it names others (section 6)."""

NAMED_ONLY: dict[str, Type] = {
    "initial_click": _type(
        _TRACK, "Initial Click", "The first link of a message was followed", _OPENED, _LINK
    )
}
"""Types that a search gives when it names them (U-3)."""

_RELAY = (
    "timestamp event_id customer_id subaccount_id message_id relay_id origination msg_from rcpt_to "
    "raw_rcpt_to rcpt_hash recv_method injection_time"
)
_RELAYED = "delv_method num_retries queue_time ip_pool routing_domain sending_ip"
_REFUSED = "error_code raw_reason reason"
_INGEST = (
    "timestamp event_id customer_id subaccount_id batch_id expiration_timestamp number_succeeded "
    "number_duplicates"
)


def _other(group: str, title: str, meaning: str, fields: str) -> Type:
    return Type(group, title, meaning, tuple(fields.split()))


INGEST_EVENTS: dict[str, Type] = {
    "success": _other("ingest_event", "Ingest Success", "A batch was taken", _INGEST),
    "error": _other(
        "ingest_event",
        "Ingest Error",
        "A batch was refused, or a part of it",
        f"{_INGEST} number_failed error_type retryable href",
    ),
}
"""The types of `events/ingest` (section 5.1)."""

WEBHOOK_EVENTS: dict[str, Type] = {
    "sms_status": _other(
        _MESSAGE,
        "SMS Status",
        "The carrier told what became of an SMS",
        f"timestamp event_id customer_id subaccount_id ip_address {_LETTERS['X']} sms_remoteids "
        "sms_text stat_type stat_state dr_latency reason raw_reason",
    ),
    "relay_injection": _other(
        "relay_event",
        "Relay Injection",
        "An incoming message was accepted",
        f"{_RELAY} msg_size ip_pool routing_domain sending_ip",
    ),
    "relay_rejection": _other(
        "relay_event",
        "Relay Rejection",
        "An incoming message was refused",
        f"{_RELAY} bounce_class {_REFUSED} remote_addr",
    ),
    "relay_delivery": _other(
        "relay_event", "Relay Delivery", "An incoming message was passed on", f"{_RELAY} {_RELAYED}"
    ),
    "relay_tempfail": _other(
        "relay_event",
        "Relay Temporary Failure",
        "An incoming message could not be passed on yet",
        f"{_RELAY} {_RELAYED} {_REFUSED}",
    ),
    "relay_permfail": _other(
        "relay_event",
        "Relay Permanent Failure",
        "An incoming message could not be passed on",
        f"{_RELAY} {_RELAYED} {_REFUSED} outbound_tls",
    ),
} | INGEST_EVENTS
"""Types that only webhooks carry; the A/B test types are left out, their fields are unknown."""

GROUPS: dict[str, tuple[str, str]] = {
    _MESSAGE: ("Message Events", "What became of a message on its way"),
    _TRACK: ("Engagement Events", "What recipients did"),
    _GEN: ("Generation Events", "Messages that were not made"),
    _UNSUBSCRIBE: ("Unsubscribe Events", "Recipients who want no more"),
    "relay_event": ("Relay Events", "Incoming messages"),
    "ingest_event": ("Ingest Events", "Batches of events that were handed in"),
}

SERVED: dict[str, Type] = EVENTS | NAMED_ONLY
"""Every type that a search may name."""

TYPES: dict[str, str | None] = {
    "injection": "injection",
    "delivery": "delivery",
    "delay": "delay",
    "bounce": "bounce",
    "out_of_band": "out_of_band",
    "spam_complaint": "spam_complaint",
    "policy_rejection": "policy_rejection",
    "generation_failure": "generation_failure",
    "generation_rejection": "generation_rejection",
    "open": "open",
    "initial_open": "initial_open",
    "click": "click",
    "initial_click": "initial_click",
    "amp_open": "amp_open",
    "amp_initial_open": "amp_initial_open",
    "amp_click": "amp_click",
    "list_unsubscribe": "list_unsubscribe",
    "link_unsubscribe": "link_unsubscribe",
    "response": None,
    "scheduled": None,
    "cancelled": None,
    "unknown": None,
}
"""Our types by their names there; None: this API cannot say it."""
