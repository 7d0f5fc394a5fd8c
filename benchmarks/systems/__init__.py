"""The systems that are measured, each behind the same few verbs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.questions import Question, Rows, Values
from benchmarks.stream import Intake

NAMES = {
    "postledger": "Postledger",
    "raw": "raw engine",
    "postgresql": "PostgreSQL",
    "duckdb": "DuckDB",
}


class Size(NamedTuple):
    events: int
    bytes: int


class System(Protocol):
    """An open system on a directory of its own. `close` it."""

    version: str
    indexes: Sequence[str]
    """Statements that make what questions are helped by; none where the system has it by itself."""

    def load(self, chunks: Iterable[list[bytes]]) -> float:
        """Store the bodies of all chunks; the seconds that it took, without waiting for chunks."""

    def grow(self, copies: int) -> None:
        """Make so many of each event, by a statement on its own table (`systems.statements`)."""

    def settle(self) -> float:
        """Bring it into the state in which it is asked; the seconds that it took."""

    def size(self) -> Size:
        """Events and bytes on disk, with all indexes."""

    def asking(self, question: Question, values: Values) -> Callable[[], object]:
        """What asks and returns when the whole answer is here, not decoded where that can be."""

    def rows(self, question: Question, answer: object) -> Rows:
        """The answer in the form in which answers are compared."""

    def export(self, form: str, file: Path) -> None:
        """All events into a file, Parquet with zstd or CSV."""

    def take(self, way: Intake, bodies: list[bytes]) -> float | None:
        """The seconds until all bodies are acknowledged, and durable. None: it cannot do that."""

    def close(self) -> None: ...
