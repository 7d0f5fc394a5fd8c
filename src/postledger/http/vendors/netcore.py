"""Routes of Netcore Email API, formerly Pepipost."""

from pathlib import Path
from typing import Any

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from postledger.dialects import netcore
from postledger.dialects.netcore.tables import DOWNLOADS, GENERATIONS, STATS, TAGGED, Generation
from postledger.dialects.wire import Call, Reply
from postledger.errors import NotFound
from postledger.exports.asking import LOGS, AskedLogs, kind_of
from postledger.exports.runner import Runner
from postledger.http.download import download
from postledger.http.lookups import Lookups
from postledger.http.reads import Reads
from postledger.http.vendors.mount import Mount, Work
from postledger.state.exports import CANCELLED, DONE, FAILED
from postledger.store.reader import Reader


def routes(
    mount: Mount, reader: Reader, reads: Reads, lookups: Lookups, runner: Runner
) -> list[HTTPRouteHandler]:
    """A route for each operation."""

    def answer(asked: netcore.Asked) -> Reply:
        return netcore.shown(reader.messages(asked.query), asked)

    def logs(generation: Generation) -> Work:
        async def answer_logs(call: Call) -> Reply:
            return await reads.ask(answer, netcore.logs(call, generation))

        return answer_logs

    def figures(call: Call) -> Reply:
        asked = netcore.stats(call)
        return netcore.summed(asked, [reader.metrics(query) for query in asked.queries])

    async def stats(call: Call) -> Reply:
        return await reads.ask(figures, call)

    async def start(call: Call) -> Reply:
        asked = AskedLogs(call.workspace, netcore.order(call))
        last = await reads.ask(reader.last, call.workspace)
        job = await lookups.ask(runner.add, asked, last)
        return netcore.accepted(call, job.id)

    async def load(call: Call) -> Reply | Response[Any]:
        found = await lookups.ask(_file, runner, call)
        if isinstance(found, Reply):
            return found
        path, digest = found
        return download(call.headers, path, f"logs-{path.name}", digest, netcore.unsatisfiable)

    work: dict[str, Work] = {path: logs(generation) for path, generation in GENERATIONS.items()}
    work |= dict.fromkeys((*STATS, TAGGED), stats)
    work |= dict.fromkeys(DOWNLOADS, start)
    work |= {f"{path}/{{download_id}}": load for path in DOWNLOADS}
    return mount.routes(netcore, work)


def _file(runner: Runner, call: Call) -> tuple[Path, str] | Reply:
    """A file and its digest, or why it is not there. Raises NotFound."""
    download_id = call.values["download_id"]
    job = runner.get(call.workspace, download_id)
    if kind_of(job) != LOGS:
        raise NotFound(f"there is no download {download_id}")
    if job.status == FAILED:
        return netcore.given_up(job.error or job.status)
    if job.status == CANCELLED:
        return netcore.given_up("it was cancelled")
    if job.status != DONE:
        return netcore.unfinished(job.rows, job.rows_total)
    job, path = runner.file(call.workspace, download_id)
    return path, job.sha256 or ""
