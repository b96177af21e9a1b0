"""Browsers that were logged in before: a signed cookie that outlives the session and lets nobody in.

It only decides with whom a login attempt is counted (the "device cookies" of OWASP): so a stranger who shares the
operator's address, as everyone does behind a proxy that is not configured, can't lock the operator out.
"""

import secrets

from starlette.requests import HTTPConnection
from starlette.responses import Response

from nixfleet_server.auth.guard import is_secure
from nixfleet_server.context import context

COOKIE = "nixfleet-device"
SECURE_COOKIE = "__Host-nixfleet-device"
SECONDS = 180 * 86_400


def device_of(connection: HTTPConnection) -> str | None:
    """What a known browser's attempts are counted for; None for one we don't know."""
    shared = context(connection)
    value = connection.cookies.get(SECURE_COOKIE if is_secure(shared, connection) else COOKIE)
    known = shared.cookies.read_device(value) if value else None
    return f"device {known}" if known else None


def remember(connection: HTTPConnection, response: Response) -> None:
    """Give the browser its cookie, once a login succeeded."""
    shared = context(connection)
    secure = is_secure(shared, connection)
    known = (device_of(connection) or "").removeprefix("device ") or secrets.token_hex(16)
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        shared.cookies.sign_device(known),
        max_age=SECONDS,
        secure=secure,
        httponly=True,
        samesite="strict",
    )
