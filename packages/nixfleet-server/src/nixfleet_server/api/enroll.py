"""An agent exchanges its one-time token for the host's own. Public: the token is all it needs."""

import math

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol import limits
from nixfleet_protocol.messages.access import Enroll, Enrolled
from nixfleet_server import logging
from nixfleet_server.api.body import answer, read_body
from nixfleet_server.audit import note
from nixfleet_server.context import client_of, context
from nixfleet_server.domain.login import attempt, forget
from nixfleet_server.errors import Declined
from nixfleet_server.store import enroll

log = logging.get(__name__)

PER_MINUTE = 20
"""Attempts of one address: many hosts of one network may enrol at once, and a good token starts afresh."""


async def use(request: Request) -> Response:
    """POST /enroll. Whatever is wrong with the token, the same is said."""
    shared = context(request)
    address = client_of(request)
    shared.enrolling, wait = attempt(shared.enrolling, address, shared.hub.monotonic(), most=PER_MINUTE)
    if wait > 0:
        seconds = str(math.ceil(wait))
        raise Declined(
            "too_many_attempts", f"try again in {seconds} seconds", headers={"Retry-After": seconds}
        )
    body = await read_body(request, Enroll, limits.LOGIN_BODY_MAX)
    note(request, subject=body.hostname)
    hub = shared.hub
    now = hub.now()
    token = await hub.db.write(lambda db: enroll.use(db, body.token, body.hostname, now))
    shared.enrolling = forget(shared.enrolling, address)
    note(request, who=body.hostname)
    log.info("host enrolled", host=body.hostname, client=address)
    await hub.load_hosts()
    return answer(Enrolled(host_id=body.hostname, token=token), 201)
