"""How many events a question may find, guessed; and what a page makes of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import EPOCH, Event, event, examples, iso
from postledger.query import EventQuery, Filter, Match
from postledger.store.engine import Engine
from postledger.store.guesses import Guesses, Known

DAY = timedelta(days=1)
START = EPOCH + 20_000 * DAY


def equal(field: str, *values: str) -> Filter:
    return Filter(field, Match.EQUAL, values)


def over(workspace: str, *filters: Filter, days: int = 30, limit: int = 1) -> EventQuery:
    return EventQuery(workspace, START, START + days * DAY, filters, limit=limit)


def folded(store: Store, events: list[Event]) -> str:
    workspace = store.add(events)
    store.fold_all()
    return workspace


KINDS = ["delivery", "open", "bounce"]
DOMAINS = ["shop.example", "Mail.example", "few.example", "none.example"]
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(KINDS),
        "rcpt_to": st.sampled_from(DOMAINS[:3]).map("ann@{}".format),
        "timestamp": st.integers(0, 29).map(lambda day: iso(START + day * DAY)),
    },
    optional={"rcpt_tags": st.lists(st.sampled_from("ab"), unique=True)},
)


@examples(15)
@given(
    events=st.lists(EVENTS, min_size=1, max_size=40),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
    domain=st.sampled_from(DOMAINS).map(str.lower),
)
def test_one_filter_beside_types(
    store: Store, events: list[Event], kinds: list[str], domain: str
) -> None:
    """Of the days that are known it is the number itself; of two filters the lower number."""
    workspace = folded(store, events)
    types, domains = equal("type", *kinds), equal("recipient_domain", domain)
    tags = Filter("rcpt_tags", Match.MEMBER, ("a",))
    for filters in ((), (types,), (domains,), (types, domains), (tags, types)):
        asked = over(workspace, *filters)
        assert store.read("count", asked) == store.guess(asked), filters
    both = min(store.read("count", over(workspace, each)) for each in (tags, domains))
    assert both == store.guess(over(workspace, tags, domains))
    assert both == store.guess(replace(over(workspace, domains), of_messages=(tags,)))


def test_other_ranges_are_taken_to_be_like_the_last_days(store: Store) -> None:
    """Ten days have a third of thirty; a day of before as many as its number of events tells."""
    days = [*range(-60, -50), *range(30)]
    workspace = folded(
        store, [event(timestamp=iso(START + day * DAY), rcpt_to="ann@shop.example") for day in days]
    )
    asked = over(workspace, equal("recipient_domain", "shop.example"))
    assert 30 == store.guess(asked)
    assert 11 == store.guess(replace(asked, end=START + 10 * DAY))  # the day at the end is whole
    assert 10 == store.guess(replace(asked, start=START - 60 * DAY, end=START - 40 * DAY))
    assert 0 == store.guess(replace(asked, start=START - 40 * DAY, end=START - 30 * DAY))


def test_what_is_not_known(store: Store) -> None:
    """A workspace without figures; a filter that is no dimension, or negated, says nothing."""
    assert store.guess(over("nobody")) is None
    workspace = folded(store, [event(n, subject=f"About {n}") for n in range(7)])
    subject = Filter("subject", Match.WORDS, ("2",))
    not_open = replace(equal("type", "delivery"), negated=True)
    assert 7 == store.guess(over(workspace, subject, not_open))


def test_words_are_of_all_values_that_have_them(store: Store) -> None:
    reasons = ["mailbox full", "Mailbox unknown", "greylisted"]
    workspace = folded(store, [event(n, type="bounce", reason=reasons[n % 3]) for n in range(9)])
    for text, found in (("mailbox", 6), ("FULL", 3), ("greylisted", 3), ("nothing", 0)):
        assert found == store.guess(over(workspace, Filter("reason", Match.WORDS, (text,))))


def test_what_is_not_common_has_fewer_events_than_what_is() -> None:
    """Of a dimension with more values than are kept."""
    of = {f"{number}.example": 1000 - number for number in range(200)}
    counts: Mapping[tuple[str, str], Mapping[str, int]] = {
        ("all", "open"): {"": 400_000},
        ("recipient_domain", "open"): of,
        ("sending_domain", "open"): {"shop.example": 399_999},
    }
    known = Known({hours(START): 400_000}, counts, 400_000, 20)
    for filters, found in (
        ((), 400_000),
        ((equal("recipient_domain", "199.example"),), 801),
        ((equal("recipient_domain", "rare.example"),), 801),
        ((equal("recipient_domain", "rare.example", "1.example"),), 1800),
        ((equal("sending_domain", "rare.example"),), 20),
        ((equal("type", "bounce"),), 0),
    ):
        assert found == known.matching(over("w", *filters))


def hours(time: datetime) -> int:
    return (time - EPOCH) // timedelta(hours=1)


def test_few_are_looked_at_at_once(store: Store) -> None:
    """A page that is a good part of what matches, or of events that lie together, does not look
    for its buckets first; one of many matches does."""
    workspace = folded(
        store,
        [
            event(n, campaign_id="winter" if n % 2 else "spring", rcpt_to=f"ann@{n % 7}.example")
            for n in range(210)
        ],
    )
    asked = over(workspace, equal("recipient_domain", "3.example"), limit=6)
    assert store.read("_are_few", asked) is None, "nobody has learnt"
    assert 30 == store.guess(asked)
    assert store.read("_are_few", asked) is True
    assert store.read("_are_few", replace(asked, limit=5)) is False
    assert store.read("_are_few", replace(asked, limit=5, offset=1)) is True
    of_campaign = over(workspace, equal("campaign_id", "winter"), limit=2)
    assert store.read("_are_few", of_campaign) is True
    assert store.read("_are_few", replace(of_campaign, limit=1)) is False


class Counted(Guesses):
    """Knows how often it has looked, and nothing else."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(cast("Engine", SimpleNamespace(database="db")), lambda: self.now)
        self.looks = 0

    def _look(self, _: str) -> Known:
        self.looks += 1
        return Known({hours(START): self.looks}, {}, self.looks, 0)


def test_it_is_learnt_anew() -> None:
    """Ten minutes later; a workspace for which nobody has asked for an hour is forgotten."""
    guesses, asked = Counted(), over("w")
    guesses.learn()
    assert 0 == guesses.looks, "nobody has asked"
    for minutes, looks in ((0, 1), (5, 1), (11, 2), (12, 2), (70, 3)):
        guesses.now = minutes * 60.0
        guesses.matching(asked)
        guesses.learn()
        assert looks == guesses.looks, minutes
    guesses.now += 3601
    guesses.learn()
    assert guesses.matching(asked) is None
    assert 3 == guesses.looks


def test_it_does_not_learn_of_everybody() -> None:
    """Of the hundred workspaces that asked first, and of others when those are forgotten."""
    guesses = Counted()
    for minutes, first, learnt in ((0, 0, 100), (61, 50, 50), (62, 50, 100)):
        guesses.now = minutes * 60.0
        for number in range(first, 150):
            guesses.matching(over(f"w{number}"))
        guesses.learn()
        assert learnt == len(guesses._learnt), minutes
