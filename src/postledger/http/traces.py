"""Failures as text for the log: of what kind, and where; never what they say.

A message often quotes the value that it failed on: an address, a key, a line of an event. None of
these belongs in the log, so messages and local variables are left out, ours and those of others.
"""

import errno
import logging
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

import structlog

_MOST = 10
_TALKATIVE = ("urllib3", "clickhouse_connect")
"""They quote requests to the store, which have values in them. What fails there is told by us."""


def told(error: BaseException) -> str:
    """The failure and what caused it, the first cause first, each with its places in the code."""
    parts = []
    for each in reversed(list(_chain(error))):
        if isinstance(each, BaseExceptionGroup):
            parts += [f"{told(one)}\n" for one in each.exceptions[:_MOST]]
        parts += ["Traceback (most recent call last):\n"] if each.__traceback__ else []
        parts += traceback.format_tb(each.__traceback__)
        parts.append(f"{_kind(each)}\n")
    return "".join(parts).rstrip()


def without_messages(_: object, __: str, event: MutableMapping[str, Any]) -> Any:
    """A processor for structlog: `exc_info`, an exception, becomes `exception`, a text."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event["exception"] = told(error)
    return event


class Lines(logging.Handler):
    """Records of other libraries, as lines of our log: the first line of what they say."""

    def emit(self, record: logging.LogRecord) -> None:
        ours = structlog.get_logger()
        log = ours.error if record.levelno >= logging.ERROR else ours.warning
        error = record.exc_info[1] if record.exc_info else None
        log(
            "library",
            name=record.name,
            message=record.getMessage().partition("\n")[0],
            exc_info=error,
        )


def listen_to_others(level: int) -> None:
    """Have other libraries' records written to our log, from `level` on."""
    logging.basicConfig(level=level, handlers=[Lines()])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The failure, its cause, the cause of that."""
    for _ in range(_MOST):
        if error is None:
            return
        yield error
        hidden = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or hidden


def _kind(error: BaseException) -> str:
    """The class, and the system's number for it if it has one."""
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    number = getattr(error, "errno", None)
    known = errno.errorcode.get(number) if isinstance(number, int) else None
    return f"{name} ({known})" if known else name
