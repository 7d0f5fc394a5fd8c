"""A PostgreSQL of its own for a measurement: in one directory, on a Unix socket, stopped after it.

Debian's packages are installed when there is no PostgreSQL, without the cluster that they make and
start otherwise; that needs root. `initdb` and the server refuse root, so root lends them the user
`postgres`, whom the packages make.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

VERSION = 15
_PROGRAMS = Path("/usr/lib/postgresql")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/postledger-bench.conf")
_USER = "postgres"
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
    """Made, started, and removed when it is closed."""

    def __init__(self, place: Path) -> None:
        self._bin = need()
        self._place = place
        self._as = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
        place.mkdir(parents=True)
        if self._as:
            shutil.chown(place, _USER)
            self._check_reach()
        self._data, self.socket = place / "data", place
        self._run(
            "initdb", "-D", self._data, "-U", _USER, "-A", "trust", "--locale=C", "-E", "UTF8"
        )
        self._configure(settings())
        self._run("pg_ctl", "-D", self._data, "-w", "-l", place / "log", "start")
        self._pid = int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def dsn(self) -> str:
        return f"host={self.socket} user={_USER} dbname=postgres"

    def close(self) -> None:
        """Stop the server that was started here, found by its process id, and remove the data."""
        if psutil.pid_exists(self._pid):
            self._run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")
        shutil.rmtree(self._place)

    def _configure(self, given: Mapping[str, str]) -> None:
        own = {"listen_addresses": "", "unix_socket_directories": str(self.socket)}
        lines = [f"{name} = '{value}'\n" for name, value in (own | dict(given)).items()]
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(lines)

    def _check_reach(self) -> None:
        reached = subprocess.run([*self._as, "test", "-w", self._place], check=False)
        if reached.returncode:
            raise SystemExit(
                f"user {_USER} cannot reach {self._place}; give another directory, such as "
                "make bench WORK=/var/tmp/postledger-bench"
            )

    def _run(self, program: str, *words: str | Path) -> None:
        command: Sequence[str | Path] = [*self._as, self._bin / program, *words]
        done = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise SystemExit(f"{program}: {done.stderr.decode()}")


def version(text: str) -> str:
    """`15.18` of what `SELECT version()` says."""
    found = re.search(r"PostgreSQL ([0-9.]+)", text)
    return found[1] if found else text
