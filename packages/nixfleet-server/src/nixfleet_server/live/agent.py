"""One agent's connection: a reader, a writer, and nothing that another connection has to wait for."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any

from starlette.websockets import WebSocket

from nixfleet_protocol import limits
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages import (
    Ack,
    CommandMessage,
    Goodbye,
    Heartbeat,
    Output,
    Ping,
    Pong,
    Progress,
    Register,
    RunView,
    Status,
)
from nixfleet_protocol.session.server_end import ServerEnd
from nixfleet_server import logging
from nixfleet_server.domain.pace import Pace
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.life import begin, finish
from nixfleet_server.live.output import take
from nixfleet_server.live.register import register
from nixfleet_server.live.socket import Connection

log = logging.get(__name__)


class AgentConnection(Connection):
    """Serves one connection of `host`; `key` is the hash of the token that let it in. `ready` from `registered` on."""

    def __init__(
        self,
        socket: WebSocket,
        hub: Hub,
        host: LiveHost,
        *,
        key: str,
        register_timeout: float,
        silence_max: float,
    ) -> None:
        super().__init__(socket, host.name)
        self.key = key
        self.host = host
        self.hub = hub
        self.ready = False
        self.runs: set[str] = set()
        """Runs this connection may talk about: those it listed and those it was sent."""
        self.end = ServerEnd()
        self._register_timeout = register_timeout
        self._silence_max = silence_max
        now = hub.monotonic()
        self._talk = Pace(limits.TALK_PER_SECOND, limits.TALK_BURST, now)
        self._refused = Pace(limits.REFUSED_PER_SECOND, limits.REFUSED_BURST, now)
        self._outbox: list[Any] = []
        self._acks: dict[str, Ack] = {}
        self._ping_at = asyncio.get_running_loop().time() + limits.PING_INTERVAL
        self._handlers: dict[type, Callable[[Any], Awaitable[None]]] = {
            Register: self._on_register,
            Heartbeat: self._on_heartbeat,
            Progress: self._on_progress,
            Status: self._on_status,
            Pong: self._on_pong,
        }

    # What the rest of the server tells it

    def send(self, *messages: Any) -> None:
        """Send messages, in order, as soon as the socket takes them. Never blocks."""
        if self._closing is None:
            self._outbox += messages
            self._wake.set()

    def acknowledge(self, run_id: str, seq: int, *, ended: bool = False) -> None:
        """Tell the agent what is durable; only the newest word for each run is sent."""
        if run_id not in self.runs:
            return
        last = self._acks.get(run_id)
        if last is None or not last.ended:
            self._acks[run_id] = Ack(run_id=run_id, seq=seq, ended=ended)
        self._wake.set()

    def command(self, run: RunView) -> None:
        """Hand a run to the agent."""
        self.runs.add(run.run_id)
        self.send(CommandMessage(run_id=run.run_id, command=run.command, options=run.options))

    def dismiss(self, reason: str, message: str) -> None:
        """Say goodbye and close: the connection was replaced, or its host may no longer connect."""
        if self._closing is not None:
            return
        log.info("agent dismissed", host=self.host.name, reason=reason)
        self.send(Goodbye(reason=reason, message=message))
        self.close(1008, message)

    # The connection's life

    async def serve(self) -> None:
        """Serve the accepted socket until it is closed."""
        try:
            await super().serve()
        finally:
            if self.host.connection is self:
                self.host.connection = None
                self.host.unsaved = True
                log.info("agent disconnected", host=self.host.name)
                self.hub.host_changed(self.host)
            self.hub.someone_left()

    async def _read(self) -> None:
        async with asyncio.timeout(self._register_timeout):
            while self.end.state == "new":
                await self._frame(await self._receive())
        while True:
            async with asyncio.timeout(self._silence_max):
                frame = await self._receive()
            await self._frame(frame)

    async def _frame(self, frame: str) -> None:
        refused = self.end.refused
        messages = self.end.receive(frame)
        if self._closing is not None:
            return
        if self.end.refused > refused:
            self.hub.counts.refused_records += self.end.refused - refused
            if not self._refused.takes(self.end.refused - refused, self.hub.monotonic()):
                raise RemoteProtocolError("too many records whose content breaks a rule")
            log.warning(
                "output broke a rule and was not kept",
                host=self.host.name,
                records=self.end.refused - refused,
            )
        if not self._talk.takes(
            sum(type(message) is not Output for message in messages), self.hub.monotonic()
        ):
            raise RemoteProtocolError(f"more than {limits.TALK_PER_SECOND} messages a second")
        if self.ready and any(type(message) is not Pong for message in messages):
            self._heard()
        for kind, group in groupby(messages, type):
            if kind is Output:
                take(self, group)
            else:
                for message in group:
                    await self._handlers[kind](message)

    def _heard(self) -> None:
        host = self.host
        host.heard = self.hub.monotonic()
        host.record.last_seen_at = self.hub.now()
        host.unsaved = True
        if host.shown != host.face(host.heard):
            self.hub.host_changed(host)

    def _woken_at(self) -> float | None:
        return self._ping_at

    async def _pump(self) -> None:
        clock = asyncio.get_running_loop().time
        if clock() >= self._ping_at:
            self._outbox.append(Ping(at=self.hub.now()))
            self._ping_at = clock() + limits.PING_INTERVAL
        messages, self._outbox = self._outbox, []
        if self.ready:
            messages += self._acks.values()
            self._acks.clear()
        for frame in self.end.send(*messages):
            await self._send(frame)

    # What the agent says

    async def _on_register(self, message: Register) -> None:
        await register(self, message)

    async def _on_heartbeat(self, message: Heartbeat) -> None:
        host = self.host
        host.record.facts = message.facts or host.record.facts
        host.metrics = None
        if message.metrics is not None:
            self.hub.measured(host, message.metrics)
        if host.run and message.run_id == host.run.view.run_id:
            host.run.pid = message.command_pid or host.run.pid
        self.hub.host_changed(host)

    async def _on_progress(self, message: Progress) -> None:
        self.permit(message.run_id)
        run = self.hub.runs.get(message.run_id)
        if run and not run.ending:
            run.progress = message.progress
            self.hub.progressed(run)

    async def _on_status(self, message: Status) -> None:
        self.permit(message.run_id)
        run = self.hub.runs.get(message.run_id)
        if run is None:
            self.acknowledge(message.run_id, message.last_seq, ended=True)
        elif message.status == "running":
            begin(self.hub, run, message)
        elif message.last_seq > run.received:
            raise RemoteProtocolError(
                f"status: ends at record {message.last_seq}, but {run.received + 1} has not come"
            )
        else:
            finish(self.hub, run, message)

    async def _on_pong(self, message: Pong) -> None:
        pass  # that the line is there was the point; whether the agent is, its heartbeats tell

    def permit(self, run_id: str) -> None:
        """Raises RemoteProtocolError for a run that is not this connection's."""
        if run_id not in self.runs:
            raise RemoteProtocolError(
                "a message about a run that was neither listed nor sent on this connection"
            )
