"""What strangers can hold open: how many connections, and for how long without a whole request."""

import asyncio
import contextlib
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import Ping

from nixfleet_protocol import limits
from nixfleet_server import logging
from nixfleet_server.domain.pace import Pace

log = logging.get(__name__)

FIRST_REQUEST_WAIT = 1.0
"""Seconds that a leaving server waits for the first request of a connection: one is on its way as a rule."""

NEXT_REQUEST_WAIT = 0.05
"""The same for the next request of one that is kept open: it may lie in our buffer already."""


def raise_file_limit() -> int:
    """Take all the open files the system allows us. Gives how many connections to serve: half of them at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS calls it unlimited and then refuses
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return limits.CONNECTIONS_MAX
    return min(limits.CONNECTIONS_MAX, soft // 2)


def bounded(connections_max: int, head_timeout: float) -> type[asyncio.Protocol]:
    """uvicorn's HTTP, which drops connections beyond `connections_max` (sockets count too) and those that take more
    than `head_timeout` seconds to send the head of a request, or what is left of one that is answered already."""

    class Bounded(H11Protocol):
        warned = False

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            full = len(self.connections) > connections_max
            if full:
                transport.abort()
            else:
                self._watch()
            if full != Bounded.warned:  # a line for each flood, not for each connection
                Bounded.warned = full
                if full:
                    log.warning("too many connections: new ones are dropped", most=connections_max)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def shutdown(self) -> None:
            """Close, but let the request still come for which the connection has just been made, or that is here."""
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is None:
                self.loop.call_later(FIRST_REQUEST_WAIT, self._shut)
            elif cycle.response_complete:
                self.loop.call_later(NEXT_REQUEST_WAIT, self._shut)
            else:
                super().shutdown()

        def _shut(self) -> None:
            if self in self.connections:  # neither gone nor a WebSocket by now
                super().shutdown()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.our_state is h11.DONE:  # not all of the request has come
                self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unwatch()
            super().connection_lost(exc)

        def _watch(self) -> None:
            """The clock runs, from the first time on, while we wait for more of a request that nobody handles yet."""
            if self.conn.their_state is not h11.IDLE and self.conn.our_state is not h11.DONE:
                self._unwatch()
            elif self._late is None:
                self._late = self.loop.call_later(head_timeout, self.transport.abort)

        def _unwatch(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Bounded


class Sockets(WSProtocol):
    """uvicorn's WebSockets, which cut off a peer that pings without end, or does not read what we answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pings = Pace(limits.PINGS_PER_SECOND, 3 * limits.PINGS_PER_SECOND, self.loop.time())

    def handle_ping(self, event: Ping) -> None:
        """Answer, within bounds."""
        if self.transport.is_closing():
            return
        if self._pings.takes(1, self.loop.time()) and self.writable.is_set():
            super().handle_ping(event)
            return
        log.warning("connection cut: a flood of pings", client=self.client and self.client[0])
        self.transport.abort()
