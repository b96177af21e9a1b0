"""The audit log, in pages."""

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol import limits
from nixfleet_protocol.messages.access import AuditPage
from nixfleet_server.api.body import answer, whole
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.store import audits

LIMIT_DEFAULT, LIMIT_MAX = 50, 1000


async def show(request: Request, principal: Principal) -> Response:
    """GET /audit?limit=&before=."""
    limit = whole(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
    before = whole(request, "before", limits.SEQ_MAX, 0, limits.SEQ_MAX)
    entries = await context(request).hub.db.read(lambda db: audits.page(db, limit + 1, before))
    page = tuple(entries[:limit])
    return answer(AuditPage(entries=page, next=page[-1].id if len(entries) > limit else None))
