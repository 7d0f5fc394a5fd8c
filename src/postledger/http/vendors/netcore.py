"""Routes of Netcore Email API, formerly Pepipost."""

from litestar.handlers import HTTPRouteHandler

from postledger.dialects import netcore
from postledger.dialects.netcore.tables import DOWNLOADS, GENERATIONS, Generation
from postledger.dialects.wire import Call, Reply
from postledger.errors import NotOffered
from postledger.http.reads import Reads
from postledger.http.vendors.mount import Mount, Work
from postledger.store.reader import Reader


def routes(mount: Mount, reader: Reader, reads: Reads) -> list[HTTPRouteHandler]:
    """A route for each operation."""

    def answer(asked: netcore.Asked) -> Reply:
        return netcore.shown(reader.messages(asked.query), asked)

    def logs(generation: Generation) -> Work:
        async def answer_logs(call: Call) -> Reply:
            return await reads.ask(answer, netcore.logs(call, generation))

        return answer_logs

    async def download(_: Call) -> Reply:
        raise NotOffered("logs cannot be downloaded yet; fetch them page by page with scrollid")

    work = {path: logs(generation) for path, generation in GENERATIONS.items()}
    return mount.routes(netcore, work | dict.fromkeys(DOWNLOADS, download))
