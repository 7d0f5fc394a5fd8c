"""Classes and categories of bounces. Contract `bird-sparkpost.md`, section 7."""

from postledger.metrics import BOUNCE_CATEGORIES, UNDETERMINED

CLASSES: dict[int, tuple[str, str]] = {
    1: ("Undetermined", "The response text was not recognised"),
    10: ("Invalid Recipient", "The address does not exist"),
    20: ("Soft Bounce", "It failed for now, without a closer reason"),
    21: ("DNS Failure", "The name could not be looked up"),
    22: ("Mailbox Full", "The mailbox is over its quota"),
    23: ("Too Large", "The message is larger than the receiver takes"),
    24: ("Timeout", "The server did not answer in time"),
    25: ("Admin Failure", "A configured policy let it fail"),
    26: ("Smart Send Suppression", "The sender's service held it back"),
    30: ("Generic Bounce: No RCPT", "The recipient could not be worked out"),
    40: ("Generic Bounce", "No reason was given"),
    50: ("Mail Block", "The receiver refused it"),
    51: ("Spam Block", "The sender is on a list of spammers"),
    52: ("Spam Content", "The content was taken for spam"),
    53: ("Prohibited Attachment", "An attachment was refused"),
    54: ("Relaying Denied", "The server does not relay"),
    60: ("Auto-Reply", "An automatic answer"),
    70: ("Transient Failure", "It was delayed"),
    80: ("Subscribe", "A request to be subscribed"),
    90: ("Unsubscribe", "A request to be unsubscribed"),
    100: ("Challenge-Response", "A challenge to the sender"),
}
"""Name and description of each class."""

CATEGORIES: tuple[str, ...] = (UNDETERMINED, "hard", "soft", "block", "admin")
"""Categories by their number; the first two are documented, the others are our reading."""

_CATEGORY = {code: name for name, codes in BOUNCE_CATEGORIES.items() for code in codes}


def class_of(code: int) -> dict[str, object]:
    """The columns of a class; what the table does not have is undetermined."""
    name, description = CLASSES.get(code, CLASSES[1])
    category = _CATEGORY.get(code, UNDETERMINED)
    return {
        "bounce_class_name": name,
        "bounce_class_description": description,
        "bounce_category_id": CATEGORIES.index(category),
        "bounce_category_name": category.title(),
        "classification_id": code,
    }
