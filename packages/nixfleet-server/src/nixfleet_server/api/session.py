"""Log in, log out, and what the page needs of its session."""

import asyncio
import math

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol import limits
from nixfleet_protocol.messages.api import Login, SessionView
from nixfleet_server import logging
from nixfleet_server.api.body import answer, read_body
from nixfleet_server.audit import client_of, note
from nixfleet_server.auth.guard import Principal, check_origin, is_secure
from nixfleet_server.auth.passwords import verify
from nixfleet_server.auth.sessions import COOKIE, SECURE_COOKIE, SESSION_SECONDS, csrf_token
from nixfleet_server.context import context
from nixfleet_server.domain.login import attempt, forget
from nixfleet_server.errors import Declined
from nixfleet_server.store import access

log = logging.get(__name__)


async def login(request: Request) -> Response:
    """POST /session."""
    shared = context(request)
    if "origin" in request.headers or "sec-fetch-site" in request.headers:
        check_origin(request)
    address = client_of(request)
    shared.attempts, wait = attempt(shared.attempts, address, shared.hub.monotonic())
    if wait > 0:
        log.warning("too many login attempts", client=address)
        seconds = math.ceil(wait)
        raise Declined(
            "too_many_logins", f"try again in {seconds} seconds", headers={"Retry-After": str(seconds)}
        )
    # Only now, when the attempt is counted: a stranger can't have many bodies under way.
    body = await read_body(request, Login, limits.LOGIN_BODY_MAX)
    secret = shared.settings.password_hash
    hashed = secret.get_secret_value() if secret else ""
    loop = asyncio.get_running_loop()
    if not await loop.run_in_executor(shared.hasher, verify, body.password, hashed):
        log.warning("login failed", client=address)
        raise Declined("login_failed", "the password is wrong")
    shared.attempts = forget(shared.attempts, address)
    session_id, value = shared.cookies.new()
    now = shared.hub.now()
    expires_at = now + SESSION_SECONDS * 1000
    await shared.hub.db.write(lambda db: access.add_session(db, session_id, now, expires_at))
    log.info("logged in", client=address)
    note(request, who="admin")
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
    for browser in list(shared.hub.browsers):
        if browser.key == principal.key:
            browser.close(1008, "logged out")
    response = Response(status_code=204)
    secure = is_secure(shared, request)
    response.delete_cookie(
        SECURE_COOKIE if secure else COOKIE, secure=secure, httponly=True, samesite="strict"
    )
    return response


def _session(principal: Principal) -> tuple[str, int]:
    if principal.session_id is None or principal.expires_at is None:
        raise Declined("not_authenticated", "an API token has no session")
    return principal.session_id, principal.expires_at
