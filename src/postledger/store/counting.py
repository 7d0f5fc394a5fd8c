"""Which events a metric counts, as conditions on a row of the events table."""

from collections.abc import Iterable

from postledger.metrics import BOUNCE_CATEGORIES, OPENINGS, UNDETERMINED, Attempt, Events


def condition(events: Events) -> str:
    """The condition of the events that a metric counts."""
    tests = [f"type IN {listed(events.types)}"]
    if events.category:
        tests.append(_of_category(events.category))
    if events.attempt:
        tests.append(f"{_RETRIES} {'<=' if events.attempt is Attempt.FIRST else '>'} 0")
    if not events.prefetched:
        tests.append(f"NOT (type IN {listed(OPENINGS)} AND {PREFETCHED})")
    return " AND ".join(tests)


def listed(names: Iterable[str]) -> str:
    """Names of our own as a list for IN; of none, one that nothing has."""
    return f"({', '.join(map(repr, names)) or repr('')})"


def _of_category(category: str) -> str:
    if category != UNDETERMINED:
        return f"ifNull(bounce_class IN {_codes(BOUNCE_CATEGORIES[category])}, 0)"
    known = [code for codes in BOUNCE_CATEGORIES.values() for code in codes]
    return f"NOT ifNull(bounce_class IN {_codes(known)}, 0)"


def _codes(codes: Iterable[int]) -> str:
    return f"({', '.join(map(str, codes))})"


_RETRIES = "ifNull(num_retries, 0)"
_REST = "concat('{', substring(rest, 2))"
PREFETCHED = (
    f"if(JSONHas({_REST}, 'user_agent_parsed', 'is_prefetched'), "
    f"JSONExtractBool({_REST}, 'user_agent_parsed', 'is_prefetched'), "
    f"JSONExtractString({_REST}, 'user_agent') = 'Mozilla/5.0')"
)
"""Whether a privacy proxy loaded the pixel, not a person: as the source says, in the member that
SparkPost's events have for it; else by the user agent with which Apple's proxy does."""

CATEGORY = "multiIf({}, '{}')".format(
    ", ".join(f"{_of_category(name)}, '{name}'" for name in BOUNCE_CATEGORIES), UNDETERMINED
)
ATTEMPT = f"if({_RETRIES} <= 0, '{Attempt.FIRST.name}', '{Attempt.LATER.name}')"
