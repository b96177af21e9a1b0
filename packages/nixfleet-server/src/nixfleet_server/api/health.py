"""Is it alive, and can it work? For supervisors and load balancers; both are public."""

import asyncio

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nixfleet_server import logging
from nixfleet_server.context import context
from nixfleet_server.store.hosts import everyone

log = logging.get(__name__)

PROBE_TIMEOUT = 2.0
"""Seconds the store may take to answer."""
BEAT_MAX = 5.0
"""Seconds since the hub last looked after itself."""


async def live(request: Request) -> Response:
    """GET /livez: the process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """GET /readyz: 200 when everything works, else 503 naming the parts that don't.

    Strangers may ask, so why they don't (paths, the disk's words) is for the server's log only.
    """
    shared = context(request)
    hub = shared.hub
    bad = {}
    if hub.leaving or hub.draining:
        bad["stopping"] = "the server is about to stop"
    if hub.logs.bad:
        bad["logs"] = f"logs can't be written: {hub.logs.bad}"
    if hub.monotonic() - shared.ticker.beat > BEAT_MAX:
        bad["hub"] = "the hub is stuck"
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await hub.db.read(everyone)
    except TimeoutError:
        bad["store"] = "the database does not answer"
    except SQLAlchemyError as error:
        bad["store"] = f"the database can't be read: {error}"
    if set(bad) != shared.unready:  # once for each change: whoever asks often can't fill the log
        shared.unready = set(bad)
        if bad:
            log.warning("not ready", **bad)
        else:
            log.info("ready again")
    return JSONResponse({"status": "unready" if bad else "ok", "reasons": list(bad)}, 503 if bad else 200)
