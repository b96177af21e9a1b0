"""A run's log: in pages, or as the bytes the program wrote."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nixfleet_protocol import limits
from nixfleet_protocol.messages import RunView
from nixfleet_protocol.messages.api import LogPage, LogRecord
from nixfleet_protocol.text import to_text
from nixfleet_server.api.body import answer, whole
from nixfleet_server.api.runs import find
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.errors import Declined
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.run import LiveRun

LIMIT_DEFAULT, LIMIT_MAX = 1000, 10_000


async def show(request: Request, principal: Principal) -> Response:
    """GET /runs/{id}/log?from=&limit= or ?format=raw. A page ends early when it grows past about a megabyte."""
    hub = context(request).hub
    run = await find(hub, request.path_params["run_id"])
    kind = request.query_params.get("format", "json")
    if kind not in ("json", "raw"):
        raise Declined("invalid", "format: expected json or raw")
    from_seq = max(1, whole(request, "from", 1, 0, limits.SEQ_MAX))
    view = there(run)
    if kind == "raw":
        name = f"{view.host_id}-{view.command}-{view.run_id[:8]}.log"
        return StreamingResponse(
            _raw(hub, view.run_id, from_seq, view.lines),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    limit = whole(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
    records = await hub.logs.read(view.run_id, from_seq, limit)
    records = [record for record in records if record.seq <= view.lines]
    next_seq = records[-1].seq + 1 if records else from_seq
    return answer(
        LogPage(
            run_id=view.run_id,
            records=tuple(
                LogRecord(
                    seq=record.seq,
                    at=record.at,
                    stream=record.stream,
                    line=to_text(record.data),
                    partial=record.partial,
                )
                for record in records
            ),
            next_seq=next_seq,
            complete=view.state == "ended" and next_seq > view.lines,
        )
    )


def there(run: LiveRun) -> RunView:
    """The run, if its log is still there. Raises Declined."""
    view = run.snapshot()
    if view.log_removed_at is not None:
        raise Declined("log_removed", "its log was removed, as NIXFLEET_LOG_KEEP_… say; the result stays")
    return view


async def _raw(hub: Hub, run_id: str, seq: int, last: int) -> AsyncIterator[bytes]:
    while seq <= last:
        records = await hub.logs.read(run_id, seq, 5000)
        if not records:
            return
        yield b"".join(record.raw() for record in records if record.seq <= last)
        seq = records[-1].seq + 1
