"""How the table lies on the disk, by the engine's own account of it."""

from datetime import timedelta
from pathlib import Path

from asking import opened
from making import EPOCH, Event, iso
from postledger.store.columns import HEAD

WHOLE = [*(name for name in HEAD if name != "timestamp"), "age", "rest"]
"""What is read of a granule of which a page needs an event."""
LARGE = "ALTER TABLE postledger.events MODIFY SETTING min_bytes_for_wide_part = 0"
"""Lays parts out as large ones are, a file for each column."""


def test_a_granule_is_unpacked_without_its_neighbours(tmp_path: Path) -> None:
    """Each begins with a block of its own, so no block has two of them."""
    start = EPOCH + timedelta(days=20_000)
    events: list[Event] = [
        {
            "event_id": f"{number:04}",
            "type": "open",
            "timestamp": iso(start + timedelta(seconds=number)),
            "injection_time": iso(start),
            "message_id": f"message {number}",
            "transmission_id": f"transmission {number}",
            "rcpt_to": f"someone{number}@example.com",
            "subject": f"About {number}",
        }
        for number in range(4000)
    ]
    with opened(str(tmp_path)) as store:
        assert store.send("w", events) == len(events)
        store.run(LARGE)
        store.run("OPTIMIZE TABLE postledger.events FINAL")
        begins = ", ".join(f"`{name}.mark`.2" for name in WHOLE)  # where, in its block
        found = store.run(
            f"SELECT {begins} FROM mergeTreeIndex('postledger', 'events', with_marks = true) "
            "WHERE rows_in_granule > 1000"
        )
    assert isinstance(found, list)
    assert len(found) >= 3
    assert {offset for granule in found for offset in granule} == {0}, "within a block"
