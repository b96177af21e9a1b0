"""Is it alive, and can it work? For supervisors and load balancers; both are public."""

import asyncio

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nixfleet_server.context import context
from nixfleet_server.store.hosts import everyone

PROBE_TIMEOUT = 2.0
"""Seconds the store may take to answer."""
BEAT_MAX = 5.0
"""Seconds since the hub last looked after itself."""


async def live(request: Request) -> Response:
    """GET /livez: the process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """GET /readyz: 200 when everything works, else 503 with the reasons."""
    shared = context(request)
    hub = shared.hub
    reasons = []
    if hub.leaving:
        reasons.append("the server is about to stop")
    if hub.logs.bad:
        reasons.append(f"logs can't be written: {hub.logs.bad}")
    if hub.monotonic() - shared.ticker.beat > BEAT_MAX:
        reasons.append("the hub is stuck")
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await hub.db.read(everyone)
    except TimeoutError:
        reasons.append("the database does not answer")
    except SQLAlchemyError as error:
        reasons.append(f"the database can't be read: {type(error).__name__}")
    status = "unready" if reasons else "ok"
    return JSONResponse({"status": status, "reasons": reasons}, 503 if reasons else 200)
