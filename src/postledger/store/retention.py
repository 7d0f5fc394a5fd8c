"""Removes what is older than it is to be kept: events, and later their roll-ups.

Events go by whole days, UTC. Their figures stay in the roll-ups, so before events of a day may go,
all are folded, and no more of that day are taken in: a repeat of what is gone could not be told.
The *horizon*, the first day that is kept whole, stands in the table of roll-ups.
"""

from datetime import UTC, datetime, timedelta

from postledger.store.engine import Engine, translated
from postledger.store.staging import text_of

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def first_day(now: datetime, days: int) -> datetime:
    """The first of the days that are kept, when `days` are; 0: for ever."""
    if not days:
        return _EPOCH
    return _EPOCH + ((now - _EPOCH) // _DAY - days) * _DAY


class Retention:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = engine.client({})
        self._database = engine.database
        self._events = f"{engine.database}.events"

    def forget_events(self, before: datetime) -> None:
        """Remove the events before a time. They have been folded, and no more will come."""
        with translated():
            for month in self._months(before):
                self._client.command(f"ALTER TABLE {self._events} DROP PARTITION ID '{month}'")
            old = {"before": text_of(before)}
            condition = "timestamp < {before:DateTime64(3, 'UTC')}"
            look = f"SELECT 1 FROM {self._events} WHERE {condition} LIMIT 1"
            if self._client.query(look, old).result_rows:
                self._client.command(f"DELETE FROM {self._events} WHERE {condition}", old)
            self._engine.sure_of_all()

    def _months(self, before: datetime) -> list[str]:
        """Partitions that are older as a whole."""
        found = self._client.query(
            "SELECT DISTINCT partition_id FROM system.parts WHERE active "
            "AND database = {database:String} AND table = 'events' "
            "AND toUInt32OrZero(partition_id) < {month:UInt32}",
            {"database": self._database, "month": before.year * 100 + before.month},
        )
        return [partition for (partition,) in found.result_rows]
