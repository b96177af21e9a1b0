"""Log in, log out, and what the page needs of its session."""

from sqlmodel import Session as Db
from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol import limits
from nixfleet_protocol.messages.api import Login, SessionView
from nixfleet_server import logging
from nixfleet_server.api.body import answer, nothing, read_body
from nixfleet_server.audit import note
from nixfleet_server.auth import login as auth
from nixfleet_server.auth.devices import remember
from nixfleet_server.auth.guard import Principal, authenticate, check_origin_if_told, is_secure
from nixfleet_server.auth.sessions import COOKIE, SECURE_COOKIE, SESSION_SECONDS, csrf_token
from nixfleet_server.context import client_of, context
from nixfleet_server.errors import Declined
from nixfleet_server.live.ticker import close_strangers
from nixfleet_server.store import access

log = logging.get(__name__)


async def login(request: Request) -> Response:
    """POST /session."""
    check_origin_if_told(request)
    auth.count(request)
    # Only now, when the attempt is counted: a stranger can't have many bodies under way.
    body = await read_body(request, Login, limits.LOGIN_BODY_MAX)
    await auth.check(request, body.password, body.code, lambda db: True)
    note(request, who="admin")
    return await begin(request)


async def begin(request: Request) -> Response:
    """Begin a session for who has proved to be the operator; one that the browser had before ends."""
    shared = context(request)
    before = await authenticate(request)
    session_id, value = shared.cookies.new()
    now = shared.hub.now()
    expires_at = now + SESSION_SECONDS * 1000
    address, client = client_of(request), request.headers.get("user-agent", "")

    def replace(db: Db) -> None:
        if before and before.session_id:
            access.end_session(db, before.session_id)
        access.add_session(db, session_id, now, expires_at, address=address, client=client)

    await shared.hub.db.write(replace)
    if before and before.session_id:
        await close_strangers(shared.hub)
    log.info("logged in", client=address)
    response = answer(SessionView(csrf=csrf_token(session_id), expires_at=expires_at))
    secure = is_secure(shared, request)
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        value,
        max_age=SESSION_SECONDS,
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    remember(request, response)
    return response


async def show(request: Request, principal: Principal) -> Response:
    """GET /session."""
    session_id, expires_at = _session(principal)
    return answer(SessionView(csrf=csrf_token(session_id), expires_at=expires_at))


async def logout(request: Request, principal: Principal) -> Response:
    """DELETE /session: the session and its open sockets end now."""
    shared = context(request)
    session_id, _ = _session(principal)
    await shared.hub.db.write(lambda db: access.end_session(db, session_id))
    await close_strangers(shared.hub)
    response = nothing()
    secure = is_secure(shared, request)
    response.delete_cookie(
        SECURE_COOKIE if secure else COOKIE, secure=secure, httponly=True, samesite="strict"
    )
    return response


def _session(principal: Principal) -> tuple[str, int]:
    if principal.session_id is None or principal.expires_at is None:
        raise Declined("not_authenticated", "an API token has no session")
    return principal.session_id, principal.expires_at
