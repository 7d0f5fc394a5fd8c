"""Merges parts of the tables while nothing comes in, so that look-ups meet few of them.

The engine is told to merge late (`schema/events.sql`), which is cheap while events pour in, and
leaves many parts behind a load. One process owns the embedded store, so it can tell when there is
time; a server does this on its own.
"""

from postledger.settings import MIB
from postledger.store.engine import Engine, translated

FEW_PARTS = 3
_LARGEST = 4096 * MIB
"""Partitions beyond this are left to the engine: to write them anew takes minutes."""


class Tidy:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._database = engine.database
        self._client = engine.client({})
        self._stop = engine.client({})

    def once(self) -> bool:
        """Merge the partition that has the most parts; whether there may be more to do.

        Raises StoreUnavailable when there is no room, or when it is stopped: parts stay as they
        are.
        """
        with translated():
            found = self._client.query(
                "SELECT table, partition_id FROM system.parts WHERE active "
                "AND database = {database:String} AND table IN ('events', 'rollups') "
                "GROUP BY table, partition_id "
                "HAVING count() > {few:UInt32} AND sum(bytes_on_disk) < {largest:UInt64} "
                "ORDER BY count() DESC LIMIT 1",
                {"database": self._database, "few": FEW_PARTS, "largest": _LARGEST},
            ).result_rows
            for table, partition in found:
                where = f"{self._database}.{table} PARTITION ID '{partition}'"
                self._client.command(f"OPTIMIZE TABLE {where}")
                with self._engine.sure(table):  # not around it: to merge may take minutes
                    pass
        return bool(found)

    def stop(self) -> None:
        """Break off what `once` is doing, and let nothing new begin."""
        for table in ("events", "rollups"):
            self._stop.command(f"SYSTEM STOP MERGES {self._database}.{table}")
