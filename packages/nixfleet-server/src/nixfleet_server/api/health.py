"""Is it alive, and can it work? For supervisors and load balancers; both are public."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nixfleet_server import logging
from nixfleet_server.context import Context, context
from nixfleet_server.store.probe import probe

log = logging.get(__name__)

PROBE_TIMEOUT = 2.0
"""Seconds the store may take to answer."""
PROBE_EVERY = 1.0
"""Seconds that an answer of the probes counts: strangers may ask as often as they like."""
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
    bad = await _probed(shared) | bad
    if set(bad) != shared.unready:  # once for each change: whoever asks often can't fill the log
        shared.unready = set(bad)
        if bad:
            log.warning("not ready", **bad)
        else:
            log.info("ready again")
    return JSONResponse({"status": "unready" if bad else "ok", "reasons": list(bad)}, 503 if bad else 200)


async def _probed(shared: Context) -> dict[str, str]:
    """A round trip through each part: what it says for itself is not asked. Who asks at the same time shares one."""
    async with shared.probing:
        now = shared.hub.monotonic()
        if now - shared.probed_at >= PROBE_EVERY:
            parts = {
                "store": _store(shared),
                "logs": shared.hub.logs.round_trip(),
                "hub": shared.hub.round_trip(),
            }
            told = await asyncio.gather(*(_within(part) for part in parts.values()))
            shared.probed = {name: text for name, text in zip(parts, told, strict=True) if text}
            shared.probed_at = now
        return shared.probed


async def _store(shared: Context) -> None:
    now = shared.hub.now()
    await shared.hub.db.write(lambda session: probe(session, now))


async def _within(part: Coroutine[Any, Any, None]) -> str:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await part
    except TimeoutError:
        return "it does not answer"
    except SQLAlchemyError as error:
        return f"the database can't be used: {error}"
    return ""
