"""`make audit`: a known vulnerability fails, a service that is away does not. pip-audit itself asks
a service on loopback."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import free_port

PROGRAM = Path(__file__).with_name("audit.py")
HASH = "--hash=sha256:" + "0" * 64
LOCK = f"alpha==1.0 \\\n    {HASH}\nbeta==2.0 \\\n    {HASH}\n"

Says = Callable[[str], Any]


def vulnerable(name: str) -> dict[str, Any]:
    """An advisory as OSV has it."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]
    affected = {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges, "versions": []}
    return {"vulns": [{"id": "PYSEC-0-1", "details": "bad", "affected": [affected]}]}


@contextmanager
def service(says: Says) -> Iterator[str]:
    """An advisory service on loopback; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(says(asked["package"]["name"])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text(LOCK)
    return path


def run(lock: Path, address: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), "--osv-url", address, str(lock)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nothing_known(lock: Path) -> None:
    """Without advisories it passes, and says how many packages were looked up."""
    with service(lambda _: {}) as address:
        done = run(lock, address)
    assert (0, "audit: osv knows of 0 vulnerabilities in 2 packages\n") == (
        done.returncode,
        done.stdout,
    ), done.stderr


def test_a_known_vulnerability(lock: Path) -> None:
    """One advisory fails, and is named with the version that mends it."""
    with service(lambda name: vulnerable(name) if name == "alpha" else {}) as address:
        done = run(lock, address)
    assert 1 == done.returncode, done.stderr
    assert "  alpha 1.0: PYSEC-0-1, mended in 1.1\n" in done.stdout
    assert "beta" not in done.stdout


def test_no_service(lock: Path) -> None:
    """Where no service answers it passes, and says that nothing was looked up."""
    done = run(lock, f"http://127.0.0.1:{free_port()}/v1/query")
    assert 0 == done.returncode, done.stderr
    assert done.stdout.startswith("audit: NOT DONE, ")


def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    """What cannot be read fails: else a slip would pass for a clean audit."""
    done = run(tmp_path / "none.txt", f"http://127.0.0.1:{free_port()}/v1/query")
    assert 0 != done.returncode
