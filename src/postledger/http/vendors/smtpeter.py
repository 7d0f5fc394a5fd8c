"""Routes of SMTPeter."""

from litestar.handlers import HTTPRouteHandler

from postledger.dialects import smtpeter
from postledger.dialects.wire import Call, Reply
from postledger.http.reads import Reads
from postledger.http.vendors.mount import Mount, Work
from postledger.store.reader import Reader


def routes(mount: Mount, reader: Reader, reads: Reads) -> list[HTTPRouteHandler]:
    """A route for each operation."""

    def events_by(kind: str) -> Work:
        async def list_events(call: Call) -> Reply:
            asked = smtpeter.parse(call, kind)
            began = None
            if asked.period is None:
                began = await reads.ask(reader.began, call.workspace, asked.value)
            query = smtpeter.query(asked, call, began)
            return smtpeter.render(reader.each(query) if query else [], call)

        return list_events

    work = {path: events_by(kind) for kind, path in smtpeter.PATHS.items()}
    return mount.routes(smtpeter, work)
