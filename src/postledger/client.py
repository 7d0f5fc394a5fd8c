"""The native API from the other side: what the command line asks a running server.

The client's half of sections 2 and 4 to 7 of the native contract. A request that the server puts
off (429, 502, 503, 504), or whose answer is lost, is sent again: reading changes nothing, an event
that comes twice is stored once, and of exports of a name a second one is refused meanwhile.

    ClientError
    ├── NoServerError   nothing answers at the address
    ├── GaveUpError     the server stayed busy, or away, for longer than the patience
    └── RefusedError    the server understood, and says no
        └── NotJsonError    no record of the body is JSON
"""

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from postledger import __version__
from postledger.errors import PostledgerError, Problem

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DEFAULT_URL = "http://127.0.0.1:8025"
PATIENCE = 300.0
AT_ONCE = 2
"""Requests that run at the same time, at most."""

_TIMEOUT = urllib3.Timeout(connect=10, read=120)
_PROBE_TIMEOUT = urllib3.Timeout(connect=3, read=5)
_LATER = {429, 502, 503, 504}
_SHORTEST_WAIT, _LONGEST_WAIT = 0.1, 5.0
_WORTH_A_NOTICE = 5.0
_PIECE = 256 * 1024

T = TypeVar("T")


class ClientError(PostledgerError):
    title = "The server cannot be used"


class NoServerError(ClientError):
    title = "No server"


class GaveUpError(ClientError):
    title = "The server did not answer in time"


class RefusedError(ClientError):
    title = "The server refused"


class NotJsonError(RefusedError):
    title = "The body is not JSON"


class Receipt(msgspec.Struct, frozen=True):
    """What became of the records of one body (section 4 of the native contract)."""

    accepted: int
    duplicates: int
    rejected: int
    errors: list[Problem] = []


class _Explanation(msgspec.Struct, frozen=True):
    """A problem document (RFC 9457), as far as it is shown."""

    title: str = ""
    detail: str = ""
    errors: list[Problem] = []


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer: its status, its `Date` in UTC if it has one, and what it says is wrong."""

    status: int
    date: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class _Lost:
    """A request without an answer, and why."""

    reason: str


class Client:
    """A server at an address, asked with a key. Safe to use from `AT_ONCE` threads."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str = "",
        *,
        patience: float = PATIENCE,
        notice: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`patience` is the most time to wait for one answer, in seconds; 0: no second try.

        `notice` is told, once for each request, that the waiting has become long.
        """
        self.url = url.rstrip("/")
        self._key = key
        self._patience = patience
        self._notice = notice
        self._clock = clock
        self._sleep = sleep
        self._met = False
        self._pool = urllib3.PoolManager(
            maxsize=AT_ONCE, retries=False, timeout=_TIMEOUT, headers=_headers(key)
        )

    def get(self, path: str, parameters: Iterable[tuple[str, str]], answer: type[T]) -> T:
        """Return the answer to a GET, decoded. Raises ClientError."""
        query = urlencode(list(parameters))
        response = self._ask("GET", f"{path}?{query}" if query else path)
        return self._read(response, HTTPStatus.OK, _scope("GET", path), answer)

    def post(self, path: str, value: object, answer: type[T]) -> T:
        """POST a value as JSON; the answer to it, decoded. Raises ClientError."""
        headers = {"Content-Type": "application/json"}
        response = self._ask("POST", path, msgspec.json.encode(value), headers)
        return self._read(response, HTTPStatus.ACCEPTED, _scope("POST", path), answer)

    def remove(self, path: str) -> None:
        """DELETE what may be gone already. Raises ClientError."""
        response = self._ask("DELETE", path)
        if response.status not in {200, 204, 404}:
            raise self._refusal(response, _scope("DELETE", path))

    def pieces(self, path: str, start: int = 0) -> Iterator[bytes]:
        """Give a file from byte `start` to its end; what breaks off goes on where it broke.

        Raises ClientError, of these GaveUpError when nothing came for as long as the patience.
        """
        at, attempt, last = start, 0, self._clock()
        while True:
            response = self._ask("GET", path, headers={"Range": f"bytes={at}-"}, whole=False)
            if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # it ends here
            if response.status not in {200, 206}:
                raise self._refusal(response, _scope("GET", path))
            left_out = at if response.status == HTTPStatus.OK else 0
            try:
                for piece in _without(left_out, response.stream(_PIECE, decode_content=False)):
                    at, attempt, last = at + len(piece), 0, self._clock()
                    yield piece
            except HTTPError:
                pass
            else:
                return
            finally:
                response.close()
            self._rest(_Lost("the file breaks off"), attempt, self._clock() - last)
            attempt += 1

    def store(self, path: str, lines: bytes) -> Receipt:
        """POST lines of NDJSON; what became of them, also if all were bad.

        Raises ClientError, and of these NotJsonError where section 4 of the contract says 400.
        """
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "zstd"}
        response = self._ask("POST", path, body=zstd.compress(lines), headers=headers)
        receipt = _decoded(response.data, Receipt)
        if receipt is None or response.status not in {200, 400, 422}:
            raise self._not_stored(response, _scope("POST", path))
        return receipt

    def probe(self, path: str) -> Probe:
        """Return the answer to one GET, whatever it is. Raises NoServerError."""
        try:
            response = self._pool.request("GET", self.url + path, timeout=_PROBE_TIMEOUT)
        except HTTPError as error:
            raise self._no_server(error) from error
        return Probe(response.status, _time(response.headers.get("Date")), _explain(response.data))

    # -- asking until there is an answer

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
        *,
        whole: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        """Return the first answer that is not "later"; with its body, or if it is good, without."""
        started, told, attempt = self._clock(), False, 0
        while True:
            answer = self._try(method, path, body, headers, whole=whole)
            if not isinstance(answer, _Lost) and answer.status not in _LATER:
                return answer
            waited = self._clock() - started
            wait = self._rest(answer, attempt, waited, told=told)
            told = told or waited + wait >= _WORTH_A_NOTICE
            attempt += 1

    def _rest(self, answer: "_Answer", attempt: int, waited: float, *, told: bool = True) -> float:
        """Wait before the next try, and return for how long. Raises GaveUpError."""
        wait = _wait(answer, attempt)
        if waited + wait > self._patience:
            raise self._gave_up(answer, wait)
        if waited + wait >= _WORTH_A_NOTICE and not told:
            self._notice(f"{self._state(answer)}; waiting for it")
        self._sleep(wait)
        return wait

    def _try(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        whole: bool,
    ) -> "_Answer":
        try:
            response = self._pool.request(
                method,
                self.url + path,
                body=body,
                headers={**_headers(self._key), **headers},
                redirect=False,  # the key is for this server only
                preload_content=whole,
            )
            if not whole and response.status not in {200, 206}:
                _ = response.data
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            if not self._met:
                raise self._no_server(error) from error
            return _Lost(_reason(error))
        except HTTPError as error:
            return _Lost(_reason(error))
        self._met = True
        return response

    # -- what is said when there is none, or a bad one

    def _no_server(self, error: HTTPError) -> NoServerError:
        reason = _reason(error)
        why = "" if reason == "Connection refused" else f" ({reason})"
        return NoServerError(
            f"no server at {self.url}{why}; start one with `postledger serve`, or name another "
            "with --url"
        )

    def _gave_up(self, answer: urllib3.BaseHTTPResponse | _Lost, wait: float) -> GaveUpError:
        wants = f", and asks for {wait:.0f} s more" if wait > _LONGEST_WAIT else ""
        return GaveUpError(
            f"{self._state(answer)}{wants}: longer than the patience of {self._patience:g} s; "
            "try again later, or raise --patience"
        )

    def _state(self, answer: urllib3.BaseHTTPResponse | _Lost) -> str:
        if isinstance(answer, _Lost):
            return f"the server at {self.url} does not answer ({answer.reason})"
        says = _explain(answer.data) or answer.reason or "later"
        return f"the server at {self.url} puts the request off ({answer.status}: {says})"

    def _read(
        self, response: urllib3.BaseHTTPResponse, status: int, scope: str, answer: type[T]
    ) -> T:
        if response.status != status:
            raise self._refusal(response, scope)
        try:
            return msgspec.json.decode(response.data, type=answer)
        except msgspec.DecodeError as error:
            raise RefusedError(f"{self.url} does not answer like Postledger: {error}") from error

    def _not_stored(self, response: urllib3.BaseHTTPResponse, scope: str) -> RefusedError:
        says = _explain(response.data)
        match response.status:
            case 400 if says:
                return NotJsonError(f"the server cannot read this: {says}")
            case 413:
                return RefusedError(f"a batch is too large ({says}); use a smaller --batch-size")
        return self._refusal(response, scope)

    def _refusal(self, response: urllib3.BaseHTTPResponse, scope: str) -> RefusedError:
        if response.status in {401, 403}:
            return RefusedError(self._key_wanted(response.status, scope))
        says = _explain(response.data)
        if says:
            return RefusedError(f"the server refuses this ({response.status}): {says}")
        place = response.headers.get("Location")
        where = f", it points to {place}" if place else ""
        return RefusedError(
            f"{self.url} does not answer like Postledger "
            f"({response.status} {response.reason}{where})"
        )

    def _key_wanted(self, status: int, scope: str) -> str:
        why = f"the server at {self.url} wants a key"
        if status == HTTPStatus.FORBIDDEN:
            why = f"the key lacks the scope {scope}"
        elif self._key:
            why = f"the server at {self.url} does not accept this key"
        return (
            f"{why}: make a key with `postledger keys create --workspace NAME --scope {scope}`, "
            "and give it with --key or POSTLEDGER_API_KEY"
        )


_Answer = urllib3.BaseHTTPResponse | _Lost


def _scope(method: str, path: str) -> str:
    """Return the scope that a request needs."""
    of = "exports" if path.startswith("/ledger/v1/exports") else "events"
    return f"{of}:{'read' if method == 'GET' else 'write'}"


def _without(count: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Leave out the first bytes: a proxy may answer a `Range` with the whole file."""
    for piece in pieces:
        if len(piece) > count:
            yield piece[count:]
        count -= min(count, len(piece))


def _headers(key: str) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": f"postledger/{__version__}"}
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})


def _wait(answer: urllib3.BaseHTTPResponse | _Lost, attempt: int) -> float:
    """Return the seconds until the next try: `Retry-After`, else longer from try to try."""
    asked = None if isinstance(answer, _Lost) else _seconds(answer.headers.get("Retry-After"))
    if asked is not None:
        return max(asked, _SHORTEST_WAIT)
    return min(_LONGEST_WAIT, math.ldexp(_SHORTEST_WAIT, min(attempt, 10)))


def _seconds(retry_after: str | None) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3): seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    date = _time(retry_after)
    return None if date is None else max(0.0, (date - datetime.now(UTC)).total_seconds())


def _time(date: str | None) -> datetime | None:
    """Return a `Date` (RFC 9110, 5.6.7) in UTC, or None if it is none."""
    try:
        return parsedate_to_datetime(date or "").astimezone(UTC)
    except ValueError:
        return None


def _explain(body: bytes) -> str:
    """Return what a problem document says: its detail, and each error that is not in there."""
    found = _decoded(body, _Explanation)
    if found is None:
        return ""
    said = found.detail or found.title
    errors = [_one_error(error) for error in found.errors]
    more = [each for each in errors if each not in said and each.replace(": ", " ", 1) not in said]
    return "; ".join([said, *more]) if said else ""


def _one_error(error: Problem) -> str:
    where = [error.parameter, error.field]
    if error.index is not None:
        where.insert(0, f"record {error.index + 1}")
    return ": ".join([*filter(None, where), error.message])


def _decoded(body: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError:
        return None


def _reason(error: HTTPError) -> str:
    cause = error.__cause__ or error.__context__
    return (isinstance(cause, OSError) and cause.strerror) or str(error)
