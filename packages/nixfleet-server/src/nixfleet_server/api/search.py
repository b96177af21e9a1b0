"""Words in a run's whole log."""

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol import limits
from nixfleet_protocol.messages.fleet import LogMatch, LogSearch
from nixfleet_protocol.text import to_text
from nixfleet_server.api.body import answer, whole
from nixfleet_server.api.log import there
from nixfleet_server.api.runs import find
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.errors import Declined

LIMIT_DEFAULT, LIMIT_MAX = 100, 1000
WORDS_MAX = 256


async def show(request: Request, principal: Principal) -> Response:
    """GET /runs/{id}/search?q=&from=&limit=."""
    hub = context(request).hub
    view = there(await find(hub, request.path_params["run_id"]))
    words = request.query_params.get("q", "")
    if not 0 < len(words) <= WORDS_MAX or "\n" in words:
        raise Declined("invalid", f"q: expected 1 to {WORDS_MAX} characters of one line")
    from_seq = max(1, whole(request, "from", 1, 0, limits.SEQ_MAX))
    limit = whole(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
    found = await hub.logs.search(view.run_id, words, from_seq, view.lines, limit)
    return answer(
        LogSearch(
            run_id=view.run_id,
            matches=tuple(LogMatch(seq=record.seq, line=to_text(record.data)) for record in found.records),
            total=found.total,
            next_seq=found.next_seq,
        )
    )
