"""Questions as values."""

import pytest

from postledger.events import FIELD
from postledger.query import FILTERS, words
from postledger.store.columns import NOT_ASKED


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" - ", []),
        ("User unknown", ["User", "unknown"]),
        ("550 5.1.1 <a@b>", ["550", "5", "1", "1", "a", "b"]),
        ("żółw_Größe-2", ["żółw", "Größe", "2"]),
        ("ご注文の確認", ["ご注文の確認"]),
    ],
)
def test_words_are_runs_of_letters_and_digits(text: str, found: list[str]) -> None:
    """Of any script; everything else stands between words."""
    assert found == words(text)


def test_each_filter_asks_for_a_field_that_has_a_column() -> None:
    """No parameter asks the engine for what it would have to dig out of a text."""
    assert not [name for name, (field, _) in FILTERS.items() if field in NOT_ASKED]
    assert set(FIELD) >= {field for field, _ in FILTERS.values()}
