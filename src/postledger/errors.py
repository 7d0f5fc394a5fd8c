"""What can go wrong, in the domain's words. Each dialect gives these its own HTTP status and shape.

PostledgerError
├── BadInput            a request that cannot be meant: names parameters, fields or records
│   ├── BadCursor       a damaged cursor, or one of another query
│   ├── Unreadable      a body that is not what it says it is
│   └── Unsupported     a content type or encoding that we do not read
├── Unauthenticated     no key, or one that is unknown, revoked or expired
├── Forbidden           the key lacks a scope
├── NotFound            nothing there, in this workspace
├── WrongMethod         the path is there, but not for this method
├── UriTooLong          the address of the request is too long
├── TooLarge            more than the settings allow
├── RateLimited         more requests than the settings allow in a time
├── NotOffered          what the original offers and this version does not
├── Unexpected          a mistake of ours
├── Busy                try again later: too much at once
├── StoreUnavailable    try again later: the store cannot write, or cannot answer
│   ├── StoreFull       no room on the disk
│   └── StoreAway       nobody answers there: the next who asks will not be answered either
└── StartError          the process cannot start, and a person has to do something
    ├── BadSettings     settings that are unknown, or have no sense
    ├── StoreLocked     another process has the store
    └── ForeignStore    a directory that is not a store, or of a newer Postledger
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: in which parameter, or in which record and field."""

    message: str
    parameter: str | None = None
    index: int | None = None
    field: str | None = None


class PostledgerError(Exception):
    """The message tells the reader what to do."""

    title = "Something went wrong"


class BadInput(PostledgerError):
    """A request that cannot be meant; `problems` says where."""

    title = "The request is not valid"

    def __init__(self, message: str, *problems: Problem) -> None:
        super().__init__(message)
        self.problems = problems

    @classmethod
    def parameter(cls, name: str, message: str) -> "BadInput":
        """One parameter is wrong; `message` says what was expected."""
        return cls(f"{name}: {message}", Problem(message, parameter=name))


class BadCursor(BadInput):
    """A damaged cursor, or one that belongs to another query."""

    title = "The cursor is not valid"


class Unreadable(BadInput):
    """A body that is not what its headers say."""

    title = "The body cannot be read"


class Unsupported(BadInput):
    """A content type or encoding that we do not read."""

    title = "The body's type is not supported"


class Unauthenticated(PostledgerError):
    title = "A valid key is needed"


class Forbidden(PostledgerError):
    title = "The key does not allow this"


class NotFound(PostledgerError):
    title = "Not found"


class WrongMethod(PostledgerError):
    title = "Method not allowed"


class UriTooLong(PostledgerError):
    title = "The address is too long"


class TooLarge(PostledgerError):
    title = "Too large"


class RateLimited(PostledgerError):
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: int = 1, limit: int = 0) -> None:
        """`limit`: how many are allowed in that time; 0: not known."""
        super().__init__(message)
        self.retry_after = retry_after
        self.limit = limit


class NotOffered(PostledgerError):
    title = "Not offered"


class Unexpected(PostledgerError):
    title = "Internal error"


class Busy(PostledgerError):
    title = "Too busy"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(PostledgerError):
    title = "The store is not available"
    retry_after = 5


class StoreFull(StoreUnavailable):
    title = "The store is full"
    retry_after = 30


class StoreAway(StoreUnavailable):
    """A store of another process or machine that could not be reached, or did not answer."""


class StartError(PostledgerError):
    title = "Postledger cannot start"


class BadSettings(StartError):
    title = "The settings are not valid"


class StoreLocked(StartError):
    title = "The store is in use"


class ForeignStore(StartError):
    title = "The directory is not a store of this version"
