"""Asks advisory services about what the lock files install: `make audit`.

Exit status 1 when something that is locked is known to be vulnerable, or cannot be looked up. Where
no service can be reached nothing is known, which is said, and is no failure: a build must not
depend on it.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence

import msgspec

LOCKS = ("requirements.txt", "requirements-dev.txt", "tests/clients/requirements.txt")
SERVICES = ("pypi", "osv")
_UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "Max retries", "timed out")
_SECONDS = 600


class Vulnerability(msgspec.Struct):
    id: str
    fix_versions: list[str] = []


class Package(msgspec.Struct):
    """`skip_reason`: the service did not have it."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = []
    skip_reason: str = ""


class Report(msgspec.Struct):
    dependencies: list[Package]


class NotAskedError(Exception):
    """A service that cannot be reached, or knows nothing."""


def audit(locks: Sequence[str], service: str, more: Sequence[str] = ()) -> list[Package]:
    """What a service says of the packages of these files. Raises NotAskedError."""
    first, *others = locks
    found = ask(first, service, more)
    if all(package.skip_reason for package in found):
        raise NotAskedError(f"{service}: knows none of the {len(found)} packages of {first}")
    for lock in others:
        found += ask(lock, service, more)
    return [*{(package.name, package.version): package for package in found}.values()]


def ask(lock: str, service: str, more: Sequence[str]) -> list[Package]:
    """What a service says of the packages of one file. Raises NotAskedError."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--disable-pip", "--require-hashes", "--timeout", "10", "-s", service, *more]
    command += ["-r", lock]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.stdout.strip():
        return msgspec.json.decode(done.stdout, type=Report).dependencies
    why = (done.stderr.strip() or "it said nothing").splitlines()[-1]
    if any(words in done.stderr for words in _UNREACHABLE):
        raise NotAskedError(f"{service}: cannot be reached")
    raise SystemExit(f"audit: pip-audit does not work: {why}")


def told(packages: Iterable[Package]) -> list[str]:
    """A line for each vulnerability."""
    return [
        f"{package.name} {package.version}: {each.id}, mended in "
        f"{', '.join(each.fix_versions) or 'no version yet'}"
        for package in packages
        for each in package.vulns
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("locks", nargs="*", default=LOCKS)
    words.add_argument("--osv-url", help="ask this service only")
    said = words.parse_args(arguments)
    services = ("osv",) if said.osv_url else SERVICES
    more = ["--osv-url", said.osv_url] if said.osv_url else []
    reasons = []
    for service in services:
        try:
            packages = audit(said.locks, service, more)
        except NotAskedError as error:
            reasons.append(str(error))
            continue
        return report(packages, service)
    sys.stdout.write(f"audit: NOT DONE, no advisory service answers: {'; '.join(reasons)}\n")
    return 0


def report(packages: Sequence[Package], service: str) -> int:
    """Say what was found; the exit status."""
    unknown = [package.name for package in packages if package.skip_reason]
    bad = told(packages)
    asked = len(packages) - len(unknown)
    sys.stdout.write(f"audit: {service} knows of {len(bad)} vulnerabilities in {asked} packages\n")
    for row in bad:
        sys.stdout.write(f"  {row}\n")
    if unknown:
        sys.stdout.write(f"  it does not know {', '.join(unknown)}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
