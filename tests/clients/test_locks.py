"""The lock files of the clients hold names, versions and hashes."""

import json
import re

from lock_node import KEPT, stripped
from mailing import HERE

LOCK = HERE / "node" / "package-lock.json"


def test_the_lock_of_node_has_no_address() -> None:
    """No host and no file, only what `npm ci` needs."""
    text = LOCK.read_text(encoding="utf-8")
    assert text == stripped(text)
    assert [] == re.findall(r"\w+://|resolved|\bwww\.", text)
    first, *packages = json.loads(text)["packages"].values()
    assert (
        first["dependencies"]
        == json.loads((HERE / "node" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    )
    for package in packages:
        assert package["integrity"].startswith("sha512-")
        assert package.keys() <= set(KEPT)


def test_the_lock_of_python_has_no_address() -> None:
    """Names, versions and hashes."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    allowed = re.compile(
        r"[a-z0-9.-]+==[a-z0-9.]+( ; [^/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|#[^/]*"
    )
    assert [] == [line for line in lines if line and not allowed.fullmatch(line)]
