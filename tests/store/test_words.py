"""Words are found as `query.words` tells them apart, whatever stands beside them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import EPOCH, event, examples
from postledger.query import EventQuery, Filter, Match, words

_WORDS = st.sampled_from(["winter", "Winter", "coats", "żółć", "ŻÓŁĆ", "5", "価格"])
_BESIDE = st.sampled_from([" ", ", ", ".", "_", "—", "“", "”", "\u00a0", "\u0301", "²", "é", "a"])
"""What is between words, and what is a part of one, in ASCII and beyond it."""
_TEXTS = st.lists(_WORDS | _BESIDE, min_size=1, max_size=7).map("".join)
_PHRASES = st.lists(_WORDS, min_size=1, max_size=2).map(" ".join)


def has(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in `text` next to each other."""
    found, asked = words(text.lower()), words(phrase.lower())
    return any(asked == found[at : at + len(asked)] for at in range(len(found)))


@examples(25)
@given(texts=st.lists(_TEXTS, min_size=1, max_size=40), phrases=st.lists(_PHRASES, max_size=4))
def test_words(store: Store, texts: list[str], phrases: list[str]) -> None:
    """Any of several phrases; `subject` is kept once for each text, `reason` as it is."""
    workspace = store.add([event(n) | {"subject": t, "reason": t} for n, t in enumerate(texts)])
    expected = sum(any(has(text, phrase) for phrase in phrases) for text in texts)
    start = EPOCH + timedelta(days=20_000)
    for name in ("subject", "reason"):
        asked = Filter(name, Match.WORDS, tuple(phrases))
        query = EventQuery(workspace, start, start + timedelta(days=1), (asked,))
        assert expected == len(store.read("page", query).events)
        assert expected == store.read("count", query)
