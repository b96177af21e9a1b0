"""Tokens: for scripts, and for enrolling agents."""

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.messages.access import EnrollTokenList, EnrollTokenRequest, TokenList, TokenRequest
from nixfleet_server.api.body import answer, nothing, read_body
from nixfleet_server.audit import note
from nixfleet_server.auth.guard import Principal
from nixfleet_server.context import context
from nixfleet_server.live.ticker import close_strangers
from nixfleet_server.store import access, enroll


async def everyone(request: Request, principal: Principal) -> Response:
    """GET /tokens."""
    shared = context(request)
    await shared.save_seen()
    return answer(TokenList(tokens=tuple(await shared.hub.db.read(access.tokens))))


async def add(request: Request, principal: Principal) -> Response:
    """POST /tokens."""
    hub = context(request).hub
    body = await read_body(request, TokenRequest)
    note(request, subject=body.name, detail=body.scope)
    now = hub.now()
    until = None if body.expires_in is None else now + body.expires_in * 1000
    made = await hub.db.write(lambda db: access.new_token_view(db, body.name, body.scope, now, until))
    return answer(made, 201)


async def revoke(request: Request, principal: Principal) -> Response:
    """DELETE /tokens/{id}: its open sockets end too."""
    hub = context(request).hub
    name = await hub.db.write(lambda db: access.remove_token(db, request.path_params["id"]))
    note(request, subject=name)
    await close_strangers(hub)
    return nothing()


async def enrolling(request: Request, principal: Principal) -> Response:
    """GET /enroll-tokens."""
    return answer(EnrollTokenList(tokens=tuple(await context(request).hub.db.read(enroll.everyone))))


async def add_enrolling(request: Request, principal: Principal) -> Response:
    """POST /enroll-tokens."""
    hub = context(request).hub
    body = await read_body(request, EnrollTokenRequest)
    note(request, subject=body.host or "", detail=f"for {body.expires_in} s")
    now = hub.now()
    made = await hub.db.write(lambda db: enroll.add(db, body.host, now, now + body.expires_in * 1000))
    return answer(made, 201)


async def revoke_enrolling(request: Request, principal: Principal) -> Response:
    """DELETE /enroll-tokens/{id}."""
    await context(request).hub.db.write(lambda db: enroll.revoke(db, request.path_params["id"]))
    return nothing()
