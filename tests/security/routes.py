"""Every route of the application, from its description, and requests over one connection."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import quote, urlencode, urlsplit

from conftest import Answer, Client
from postledger.http.description import document

IN_QUERY = {"smtpeter": "access_token"}
"""The parameter that carries the key, where no header does; all others take Bearer."""


@dataclass(frozen=True)
class Route:
    """`parameters`: of the query. `api`: a dialect's name, or `native`."""

    method: str
    path: str
    parameters: tuple[str, ...]
    api: str
    needs_key: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, *places: str) -> str:
        """The path with these in its places, the last one in all that follow."""
        rest = [*places]

        def fill(_: re.Match[str]) -> str:
            return quote(rest.pop(0) if len(rest) > 1 else rest[0], safe="")

        return re.sub(r"{\w+}", fill, self.path)


def _routes() -> Iterator[Route]:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            given = (each for each in operation.get("parameters", ()) if each["in"] == "query")
            yield Route(
                method.upper(),
                path,
                tuple(each["name"] for each in given),
                next(iter(operation.get("tags", ())), "native"),
                operation.get("security") != [],
            )


ROUTES = list(_routes())
READING = [route for route in ROUTES if route.method == "GET" and route.needs_key]


class Line:
    """Requests with one key over one connection, which is opened anew when the server closed it."""

    def __init__(self, client: Client, connection: HTTPConnection) -> None:
        self._client = client
        self._connection = connection

    def ask(
        self,
        route: Route,
        target: str,
        pairs: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> Answer:
        query = urlencode(pairs, quote_via=quote)
        given = {"Authorization": f"Bearer {self._client.key}"} if self._client.key else {}
        if route.api in IN_QUERY:
            query += f"&{IN_QUERY[route.api]}={quote(self._client.key)}"
            given = {}
        self._connection.request(
            route.method, f"{target}?{query}" if query else target, body, {**given, **headers}
        )
        answer = self._connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())


@contextmanager
def line(client: Client) -> Iterator[Line]:
    with closing(HTTPConnection(urlsplit(client.address).netloc, timeout=60)) as connection:
        yield Line(client, connection)


def route(method: str, path: str) -> Route:
    (found,) = (each for each in ROUTES if (each.method, each.path) == (method, path))
    return found
