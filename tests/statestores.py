"""State stores to test on: SQLite, and PostgreSQL where it is installed."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import pytest
from benchmarks.cluster import USER, Cluster
from sqlalchemy import Engine

from postledger.state.tables import open_state

_NAMES = count(1)


class PostgreSQL(Cluster):
    """A server for tests, which may lose what it has."""

    def __init__(self, programs: Path, place: Path) -> None:
        super().__init__(programs, place, {"fsync": "off"})

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It says nothing more until the block is left."""
        assert self.pid is not None
        server = psutil.Process(self.pid)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(_NAMES)}"
        self.run("createdb", "-h", self.place, "-U", USER, name)
        return f"postgresql+psycopg://{USER}:s3cret@/{name}?host={self.place}"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL for the tests of this worker. Where there is none they are left out, or
    fail where everything has to be there, as in CI."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
    if programs is None and (found := shutil.which("initdb")):
        programs = Path(found)
    if programs is None:
        (pytest.fail if os.environ.get("REQUIRE_CLIENTS") else pytest.skip)("needs PostgreSQL")
    place = Path(tempfile.mkdtemp(prefix="postledger-state-"))
    running = PostgreSQL(programs.parent, place)
    running.start()
    yield running
    running.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new state store is, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.sqlite3'}"
    running: PostgreSQL = request.getfixturevalue("postgresql")
    return running.database()


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Engine]]:
    """Opens the store, as one process after the other would."""
    engines: list[Engine] = []

    def one() -> Engine:
        engines.append(open_state(url))
        return engines[-1]

    yield one
    for engine in engines:
        engine.dispose()
