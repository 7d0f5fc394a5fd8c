"""A PostgreSQL of its own for a measurement or a test: in one directory, on a Unix socket.

Debian's packages are installed when there is no PostgreSQL, without the cluster that they make and
start otherwise; that needs root. `initdb` and the server refuse root, so root lends them the user
`postgres`, whom the packages make.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

VERSION = 15
_PROGRAMS = Path("/usr/lib/postgresql")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/postledger-bench.conf")
USER = "postgres"
_MIB = 1 << 20


def settings() -> dict[str, str]:
    """For this machine's memory, as the manual advises ("Resource Consumption", "Write Ahead Log",
    "Populating a Database"): what is acknowledged is on disk, as it is with Postledger."""
    memory = psutil.virtual_memory().total // _MIB
    cores = os.cpu_count() or 1
    return {
        "shared_buffers": f"{memory // 4}MB",
        "effective_cache_size": f"{memory * 3 // 4}MB",
        "work_mem": f"{max(64, memory // 100)}MB",
        "maintenance_work_mem": f"{min(2048, max(256, memory // 16))}MB",
        "synchronous_commit": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "wal_compression": "lz4",
        "wal_buffers": "64MB",
        "min_wal_size": "1GB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "max_worker_processes": str(max(8, cores)),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": str(cores),
        "max_parallel_maintenance_workers": str(cores),
        "default_toast_compression": "lz4",
        "timezone": "UTC",
    }


def need() -> Path:
    """The directory of the programs; installs them when they are missing. Raises SystemExit."""
    found = programs()
    if found is None:
        _install()
        found = programs()
    if found is None:
        raise SystemExit(f"PostgreSQL {VERSION} was installed, but {_PROGRAMS} does not have it")
    return found


def programs() -> Path | None:
    there = _PROGRAMS / str(VERSION) / "bin"
    return there if (there / "initdb").exists() else None


def _install() -> None:
    commands = "apt-get update && apt-get install postgresql-15"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit(
            f"PostgreSQL {VERSION} is not in {_PROGRAMS}, and only root can install it with "
            f"Debian's packages. Run `{commands}` as root, or measure without it: "
            'make bench SYSTEMS="postledger raw duckdb"'
        )
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}

    def apt(*words: str) -> None:
        subprocess.run(["apt-get", "-qq", *words], env=quiet, check=True)

    try:
        apt("update")
        apt("install", "-y", "--no-install-recommends", "postgresql-common")
        _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        _NO_CLUSTER.write_text("create_main_cluster = false\n")
        apt("install", "-y", "--no-install-recommends", f"postgresql-{VERSION}")
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"apt-get could not install PostgreSQL {VERSION} (see above). Install it in another "
            'way, or measure without it: make bench SYSTEMS="postledger raw duckdb"'
        ) from error
    finally:
        _NO_CLUSTER.unlink(missing_ok=True)


class Cluster:
    """In a directory of its own, which is removed when it is closed. `dsn` is where it answers
    while it runs."""

    def __init__(self, programs: Path, place: Path, given: Mapping[str, str]) -> None:
        """`given`: settings, beside those that keep it to its directory. Raises SystemExit."""
        self._programs, self.place = programs, place
        self._as = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        place.mkdir(parents=True, exist_ok=True)
        if self._as:
            shutil.chown(place, USER)
            self._check_reach()
        self.dsn = f"host={place} user={USER} dbname=postgres"
        self._data = place / "data"
        self.run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "--locale=C", "-E", "UTF8")
        own = {"listen_addresses": "", "unix_socket_directories": str(place)}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in (own | dict(given)).items())

    def start(self) -> None:
        self.run("pg_ctl", "-D", self._data, "-w", "-l", self.place / "log", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")

    @property
    def pid(self) -> int | None:
        """The process that was started here; None: it has ended."""
        file = self._data / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None

    def close(self) -> None:
        """Stop it and remove the data."""
        if self.pid is not None and psutil.pid_exists(self.pid):
            self.stop()
        shutil.rmtree(self.place)

    def run(self, program: str, *words: str | Path) -> None:
        """Run one of PostgreSQL's programs as the user whom the data belong to."""
        command: Sequence[str | Path] = [*self._as, self._programs / program, *words]
        with tempfile.TemporaryFile("w+") as said:  # not a pipe, which the server would keep
            done = subprocess.run(command, cwd="/", stdout=said, stderr=said, check=False)
            said.seek(0)
            if done.returncode:
                raise SystemExit(f"{program}: {said.read()}")

    def _check_reach(self) -> None:
        reached = subprocess.run([*self._as, "test", "-w", self.place], check=False)
        if reached.returncode:
            raise SystemExit(
                f"user {USER} cannot reach {self.place}; give another directory, such as "
                "make bench WORK=/var/tmp/postledger-bench"
            )


def version(text: str) -> str:
    """`15.18` of what `SELECT version()` says."""
    found = re.search(r"PostgreSQL ([0-9.]+)", text)
    return found[1] if found else text
