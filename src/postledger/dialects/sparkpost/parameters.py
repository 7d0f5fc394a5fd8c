"""How parameters of a request are read; the same for searches and for figures.

Contract `bird-sparkpost.md`, section 2: unknown names are ignored. A blank value is none.
"""

import re
from collections.abc import Mapping

from postledger.errors import BadInput

Given = Mapping[str, list[str]]
Values = tuple[str | int, ...]

LARGEST = 2**31 - 1
_DIGITS = re.compile(r"-?[0-9]{1,10}")


def integer(name: str, text: str, least: int, most: int) -> int:
    if not _DIGITS.fullmatch(text.strip()) or not least <= int(text) <= most:
        raise BadInput.parameter(name, f"expected an integer from {least} to {most}")
    return int(text)


def subaccount(name: str, text: str) -> Values:
    """0 is the primary account, whose events may say so or name none."""
    number = integer(name, text, 0, LARGEST)
    return (str(number),) if number else ("0", "")


def given_of(pairs: tuple[tuple[str, str], ...], known: frozenset[str]) -> Given:
    """The parameters that are known and not blank."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in known and (value.strip() or (name == "delimiter" and value)):
            given.setdefault(name, []).append(value)
    return given


def one(given: Given, name: str, default: str) -> str:
    """The value of what is no list. Raises BadInput when there are two."""
    values = set(given.get(name, [default]))
    if len(values) > 1:
        raise BadInput.parameter(name, "is given twice")
    return values.pop()


def listed(given: Given, name: str) -> list[str]:
    """The values of a list, which may be given in parts."""
    delimiter = one(given, "delimiter", ",")
    parts = (part.strip() for text in given.get(name, ()) for part in text.split(delimiter))
    return [part for part in parts if part]
