"""How a server leaves: told by a signal, with a word to all who are connected."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

import uvicorn

from nixfleet_protocol.messages import Goodbye
from nixfleet_server import logging
from nixfleet_server.live.hub import Hub

log = logging.get(__name__)

LEAVE_WAIT = 3.0
"""Seconds that connections get to take their goodbye."""


class Signals:
    """SIGTERM and SIGINT, told to whoever serves just now."""

    def __init__(self) -> None:
        self.told = 0
        self.on_signal: Callable[[], None] = lambda: None
        self._first = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._tell)

    def _tell(self) -> None:
        self.told += 1
        self._first.set()
        self.on_signal()

    async def wait(self, seconds: float) -> bool:
        """Return after so long, or at once when told to stop: true then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._first.wait()
        return self.told > 0


async def leave(hub: Hub, server: uvicorn.Server, drain: float = 0.0) -> None:
    """Say goodbye, so that nobody takes a restart for an outage and not all come back in the same second.

    For the first `drain` seconds all goes on as before, but `/readyz` is red and every answer closes its connection: so
    the proxy before us sends no more, and none of its connections is cut with a request on the way.
    """
    log.info("stopping")
    hub.draining = True
    await asyncio.sleep(drain)
    hub.leaving = True
    agents = [host.connection for host in hub.hosts.values() if host.connection]
    spread = max(5.0, len(agents) / 20)
    for agent in agents:
        agent.send(
            Goodbye(reason="shutdown", message="the server restarts", retry_min=1.0, retry_max=1.0 + spread)
        )
        agent.close(1012, "the server restarts")
    for browser in hub.browsers:
        browser.close(1012, "the server restarts")
    hub.someone_left()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_WAIT):
            await hub.alone.wait()
    server.should_exit = True
