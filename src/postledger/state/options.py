"""What can be set for one workspace: how the dialects answer it."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import available_timezones

from postledger.errors import BadInput


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a workspace; `expected` says what `accepts` takes."""

    name: str
    default: str
    meaning: str
    expected: str
    accepts: Callable[[str], bool]


def _one_of(*choices: str) -> tuple[str, Callable[[str], bool]]:
    return " or ".join(choices), frozenset(choices).__contains__


def _is_zone(text: str) -> bool:
    return text in available_timezones()


OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option(
            "timezone",
            "UTC",
            "Time zone of the account, in which Netcore's API reads and writes days and times",
            "an IANA name such as Europe/Warsaw",
            _is_zone,
        ),
        Option(
            "unosend_envelope",
            "wrapped",
            "Body of Unosend's API: `wrapped` in `success` and `data`, as documented, or "
            "`unwrapped`, as the types of its clients say",
            *_one_of("wrapped", "unwrapped"),
        ),
        Option(
            "smtpeter_rows",
            "nested",
            "Events of SMTPeter's API: columns `nested` in `data`, as documented, `flat` beside "
            "`event`, as its PHP client reads them, or `both`",
            *_one_of("nested", "flat", "both"),
        ),
        Option(
            "smtpeter_numbers",
            "strings",
            "Numbers in SMTPeter's API as JSON `strings` or `numbers`",
            *_one_of("strings", "numbers"),
        ),
    )
}

DEFAULTS: dict[str, str] = {name: option.default for name, option in OPTIONS.items()}


def check(name: str, value: str) -> None:
    """Raises BadInput that names what was expected."""
    if name not in OPTIONS:
        raise BadInput.parameter("option", f"{name} is none of {', '.join(OPTIONS)}")
    if not OPTIONS[name].accepts(value):
        raise BadInput.parameter(name, f"expected {OPTIONS[name].expected}")
