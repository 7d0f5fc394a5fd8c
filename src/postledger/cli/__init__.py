"""The command line. Commands are imported here, save those of groups, which are slow to import.

Exit status: 0 done; 1 it failed, in one sentence on stderr; 2 the command line itself is wrong; 130
Ctrl-C. Where the reader of a pipe leaves, the command ends.
"""

import io
import os
import sys
from collections.abc import Sequence

from cyclopts import App, Argument, CycloptsError, Parameter, ValidationError

from postledger import __version__
from postledger.cli.command import Command, add, examples
from postledger.cli.demo import make_events
from postledger.cli.doctor import check_up
from postledger.cli.exporting import export
from postledger.cli.importing import import_events
from postledger.cli.searching import search
from postledger.cli.serving import serve
from postledger.cli.stats import stats
from postledger.cli.tailing import tail
from postledger.errors import BadInput, PostledgerError

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130

COMMANDS: tuple[Command, ...] = (
    Command(
        "serve",
        serve,
        (
            "postledger serve",
            "postledger serve --port 9000 --data-dir /var/lib/postledger",
            "postledger serve --store clickhouse://user:password@host:8123/database",
            "postledger serve --demo 100000",
        ),
    ),
    Command(
        "import",
        import_events,
        (
            "postledger import events.ndjson.gz",
            "postledger import --format sparkpost batches/*.json",
            "ssh mx1 cat events.ndjson.zst | postledger import -",
        ),
    ),
    Command(
        "search",
        search,
        (
            "postledger search --type bounce --recipient-domain gmail.com --from 2026-11-01",
            'postledger search --reason "user unknown" --limit 0 > unknown.ndjson',
        ),
    ),
    Command("tail", tail, ("postledger tail", "postledger tail --from-start | jq -r .rcpt_to")),
    Command(
        "stats",
        stats,
        (
            "postledger stats --group-by recipient_domain --metric bounce_rate --from 2026-11-01",
            "postledger stats --interval day --timezone Europe/Warsaw",
            "postledger stats --interval day --metric open_rate --group-by tag --plot opens.png",
        ),
    ),
    Command(
        "export",
        export,
        (
            "postledger export bounces.csv.gz --type bounce --from 2026-11-01",
            "postledger export --incremental warehouse --format parquet new/",
        ),
    ),
    Command(
        "demo",
        make_events,
        (
            "postledger demo 100000",
            "postledger demo 1000000 --seed 7 --end 2026-11-20 --out events.ndjson.zst",
        ),
    ),
    Command(
        "doctor",
        check_up,
        ("postledger doctor", "postledger doctor --data-dir /var/lib/postledger"),
    ),
)

GROUPS: dict[str, str] = {
    "keys": "Make, list and revoke keys, also while the server runs.",
    "workspaces": "Make, list and set up workspaces, also while the server runs.",
    "rollups": "Look after the figures that are kept by the hour; the server is stopped first.",
}
"""Groups of commands, and what for."""
_MODULES = {"keys": "keys", "workspaces": "keys", "rollups": "rollups"}
"""The module of `postledger.cli` that has a group, an `App` of its name."""


def application() -> App:
    """Put the commands together."""
    app = App(
        "postledger",
        help="The event ledger for e-mail: store events, search them, follow them.",
        help_epilogue=examples("postledger serve", "postledger search --type bounce"),
        version=__version__,
        default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
        suppress_keyboard_interrupt=False,
    )
    add(app, COMMANDS)
    for name, about in GROUPS.items():
        app.command(f"{__name__}.{_MODULES[name]}:{name}", name=name, help=about)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, of `sys.argv` unless `arguments` are given, and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    status = _run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_stdout()
    return status


def _run(arguments: Sequence[str]) -> int:
    try:
        result = application()(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _leave_stdout()
        return 0
    except Exception as error:  # noqa: BLE001 -- a person reads this, and wants no stack trace
        sys.stderr.write(f"postledger: {_sentence(error)}\n")
        return WRONG_USE if isinstance(error, CycloptsError) else FAILED
    return result if isinstance(result, int) else 0


def _sentence(error: Exception) -> str:
    match error:
        case ValidationError(argument=Argument() as argument, exception_message=why) if why:
            return f"{_given_as(argument)}: {why}"
        case CycloptsError():
            return f"{error} `--help` tells more."
        case BadInput():
            return "\n  ".join([str(error), *_others(error)])
        case PostledgerError():
            return str(error)
        case OSError(strerror=str(why)):
            return f"{error.filename}: {why}" if error.filename else why
    if sys.flags.dev_mode:
        raise error
    fault = f"{type(error).__name__}: {error}"
    return f"a fault of Postledger ({fault}); with PYTHONDEVMODE=1 it shows where"


def _given_as(argument: Argument) -> str:
    """Return the option, variable or argument that a value came from; never the value."""
    keywords = (token.keyword for token in argument.tokens if token.keyword)
    return next(keywords, argument.name)


def _others(error: BadInput) -> list[str]:
    """Return the problems that the message does not name."""
    return [problem.message for problem in error.problems if problem.message not in str(error)]


def _leave_stdout() -> None:
    """Give stdout a place to go, so that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
