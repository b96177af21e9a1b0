"""Every error answer: a stable code, its HTTP status and title."""

import json
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol import limits
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages.api import Problem
from nixfleet_server import logging
from nixfleet_server.errors import Declined
from nixfleet_server.store.database import is_damage

log = logging.get(__name__)

PROBLEMS: dict[str, tuple[int, str]] = {
    "not_json": (400, "The body is not JSON"),
    "not_authenticated": (401, "Not logged in"),
    "login_failed": (401, "Login failed"),
    "plain_http": (403, "Plain HTTP is refused"),
    "not_confirmed": (403, "Not confirmed"),
    "setup_refused": (403, "The set-up link is no good"),
    "enroll_refused": (403, "The enrolment token is no good"),
    "csrf": (403, "Not from this server's page"),
    "scope": (403, "The token's scope is too small"),
    "no_such_host": (404, "No such host"),
    "no_such_run": (404, "No such run"),
    "no_such_session": (404, "No such session"),
    "no_such_token": (404, "No such token"),
    "no_such_bulk": (404, "No such bulk dispatch"),
    "too_slow": (408, "The body came too slowly"),
    "set_by_environment": (409, "Set by the environment"),
    "already_set_up": (409, "A password is set already"),
    "totp_on": (409, "The second factor is on"),
    "totp_off": (409, "The second factor is off"),
    "token_exists": (409, "The name is taken"),
    "token_used": (409, "The token has been used"),
    "too_many_tokens": (409, "Too many tokens"),
    "host_exists": (409, "The name is taken"),
    "too_many_hosts": (409, "Too many hosts"),
    "host_offline": (409, "The host is offline"),
    "host_busy": (409, "The host is busy"),
    "already_current": (409, "The host is current"),
    "busy": (409, "Another is under way"),
    "queue_full": (409, "The queue is full"),
    "unsupported_command": (409, "The host can't do that"),
    "not_running": (409, "The run has ended"),
    "log_removed": (410, "The log was removed"),
    "too_large": (413, "The body is too large"),
    "invalid": (422, "Invalid request"),
    "key_reused": (422, "The key was used for another request"),
    "unknown_command": (422, "Unknown command"),
    "too_many_watchers": (429, "Too many sockets"),
    "too_many_searches": (429, "Too many searches"),
    "too_many_logins": (429, "Too many login attempts"),
    "too_many_attempts": (429, "Too many attempts"),
    "internal": (500, "A fault of the server"),
    "unavailable": (503, "The server can't work"),
    "shutting_down": (503, "The server is about to restart"),
}


def problem(
    status: int, code: str, title: str, detail: str = "", headers: dict[str, str] | None = None
) -> Response:
    """An error answer as problem+json."""
    body = Problem(title=title, status=status, code=code, detail=detail[: limits.TEXT_MAX])
    return Response(
        json.dumps(to_dict(body, full=True)), status, headers, media_type="application/problem+json"
    )


async def on_declined(request: Request, error: Exception) -> Response:
    """Starlette's handler for Declined."""
    assert isinstance(error, Declined)
    status, title = PROBLEMS[error.code]
    headers = dict(error.headers)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(status, error.code, title, str(error), headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for what no route takes."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_")
    return problem(error.status_code, code, phrase, "", dict(error.headers or {}))


async def on_store_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for what the database says: its disk's state is no fault of ours, and passes."""
    if not is_damage(error):
        raise error
    log.error("the database can't be used", reason=str(getattr(error, "orig", error)))
    status, title = PROBLEMS["unavailable"]
    text = (
        "its database can't be used, as when the disk is full: nothing was changed; the server's log says why"
    )
    return problem(status, "unavailable", title, text, {"Retry-After": "5"})


async def on_fault(request: Request, error: Exception) -> Response:
    """Starlette's handler for our own faults: the log has the details, the client gets none."""
    status, title = PROBLEMS["internal"]
    return problem(status, "internal", title, "the server's log says what happened")
