"""State stores to test on: SQLite, and PostgreSQL where it is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from postledger.state.tables import open_state

_NAMES = count(1)
_USER = "postgres"


class PostgreSQL:
    """A server of its own in a directory of its own, on a Unix socket. Root lends it the user that
    the packages make, since it refuses root."""

    def __init__(self, programs: Path, place: Path) -> None:
        self._programs, self._place = programs, place
        self._as = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(place, _USER)
        self._run("initdb", "-U", _USER, "-A", "trust", "--locale=C", "-E", "UTF8", "--no-sync")
        own = {"listen_addresses": "", "unix_socket_directories": str(place), "fsync": "off"}
        with (place / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in own.items())

    def start(self) -> None:
        self._run("pg_ctl", "-w", "-l", str(self._place / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "fast", "stop")

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It says nothing more until the block is left."""
        first = int((self._place / "data" / "postmaster.pid").read_text().split()[0])
        server = psutil.Process(first)
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
        self._run("createdb", "-h", str(self._place), "-U", _USER, name, data=False)
        return f"postgresql+psycopg://{_USER}:s3cret@/{name}?host={self._place}"

    def _run(self, program: str, *words: str, data: bool = True) -> None:
        where = ["-D", str(self._place / "data")] if data else []
        command = [*self._as, str(self._programs / program), *where, *words]
        with (self._place / "said").open("w+") as said:  # not a pipe, which the server would keep
            done = subprocess.run(command, cwd="/", stdout=said, stderr=said, check=False)
            said.seek(0)
            assert done.returncode == 0, said.read()


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
    running.stop()
    shutil.rmtree(place)


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
