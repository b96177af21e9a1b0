"""The operator's sessions: list, end one, end all others. Their live sockets end with them."""

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.messages.access import SessionList
from nixfleet_server.api.body import answer, nothing
from nixfleet_server.audit import note
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.live.ticker import close_strangers
from nixfleet_server.store import access


async def everyone(request: Request, principal: Principal) -> Response:
    """GET /sessions."""
    shared = context(request)
    await shared.save_seen()
    now = shared.hub.now()
    found = await shared.hub.db.read(lambda db: access.sessions(db, now, principal.key))
    return answer(SessionList(sessions=tuple(found)))


async def end(request: Request, principal: Principal) -> Response:
    """DELETE /sessions/{id}."""
    hub = context(request).hub
    await hub.db.write(lambda db: access.end_session_by_id(db, request.path_params["id"]))
    await close_strangers(hub)
    return nothing()


async def end_others(request: Request, principal: Principal) -> Response:
    """DELETE /sessions: all but the one that asks."""
    hub = context(request).hub
    ended = await hub.db.write(lambda db: access.end_sessions(db, but=principal.key))
    note(request, detail=f"{ended} ended")
    await close_strangers(hub)
    return nothing()
