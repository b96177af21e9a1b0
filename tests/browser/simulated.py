"""An agent that says whatever a test wants: the real protocol over a real socket, without a host behind it."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from nixfleet_protocol import limits
from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages import (
    Ack,
    CommandMessage,
    Facts,
    Heartbeat,
    Metrics,
    Output,
    Ping,
    Pong,
    Progress,
    ProgressState,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.validate import validator

COMMANDS = ("pull", "switch", "pull-switch", "test", "stop", "restart")
INTERVAL = 1.0


def millis() -> int:
    return int(time.time() * 1000)


class SimulatedAgent:
    """Connected from `start` to `close`; each command it gets is noted, and `play` decides what it does."""

    def __init__(
        self,
        url: str,
        token: str,
        name: str,
        *,
        facts: Facts | None = None,
        metrics: Metrics | None = None,
        agent_version: str = "0.1.0",
        protocol: str = "1.0",
        interval: float = INTERVAL,
        platform: str = "script",
        commands: tuple[str, ...] = COMMANDS,
        play: "Callable[[SimulatedAgent, CommandMessage], None] | None" = None,
    ) -> None:
        self.name = name
        self.interval = interval
        self.facts = facts or Facts()
        self.metrics = metrics
        self.agent_version = agent_version
        self.protocol = protocol
        self.platform = platform
        self.can = commands
        self.commands: list[CommandMessage] = []
        self.running: CommandMessage | None = None
        self._play = play
        self._seq: dict[str, int] = {}
        self._acked: dict[str, int] = {}
        self._closing = threading.Event()
        self._silent = threading.Event()
        self._registered = threading.Event()
        self._stack = ExitStack()
        self._socket: ClientConnection = self._stack.enter_context(
            connect(
                url.replace("http", "ws", 1) + "/ws/agent",
                additional_headers={"Authorization": f"Bearer {token}"},
                proxy=None,
            )
        )
        self._validate = validator("server → agent")
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._beat)]

    def start(self) -> "SimulatedAgent":
        self.send(
            Register(
                hostname=self.name,
                protocol=self.protocol,
                agent_version=self.agent_version,
                platform=self.platform,
                interval=self.interval,
                capabilities=("batch",),
                commands=self.can,
                facts=self.facts,
            )
        )
        self._threads[0].start()
        assert self._registered.wait(30), f"the server did not register {self.name}"
        self._threads[1].start()
        return self

    def close(self) -> None:
        self._closing.set()
        self._stack.close()
        for thread in self._threads:
            if thread.ident:
                thread.join(10)

    def silence(self) -> None:
        """Stay connected, but send no heartbeat any more: the host turns stale."""
        self._silent.set()

    def send(self, *messages: Any) -> None:
        for message in messages:
            self._socket.send(encode(message))

    def begin(self, command: CommandMessage) -> None:
        """Say that the command runs."""
        self.running = command
        self.send(
            Status(run_id=command.run_id, command=command.command, status="running", at=millis(), pid=4711)
        )
        self.heartbeat()

    def heartbeat(self) -> None:
        running = self.running
        self.send(
            Heartbeat(
                at=millis(),
                facts=self.facts,
                metrics=self.metrics,
                pending_command=running and running.command,
                command_pid=4711 if running else None,
                run_id=running and running.run_id,
            )
        )

    def say(
        self, command: CommandMessage, line: str, *, stream: str = "stdout", partial: bool = False
    ) -> None:
        """One record of output. Keeps the window of unacknowledged records, as an honest agent does."""
        while self._seq.get(command.run_id, 0) - self._acked.get(command.run_id, 0) >= limits.WINDOW_LINES:
            self._handle(str(self._socket.recv()))
        seq = self._seq[command.run_id] = self._seq.get(command.run_id, 0) + 1
        self.send(
            Output(
                run_id=command.run_id,
                command=command.command,
                seq=seq,
                stream=stream,
                line=line,
                at=millis(),
                partial=partial,
            )
        )

    def progress(self, command: CommandMessage, state: ProgressState) -> None:
        self.send(Progress(run_id=command.run_id, command=command.command, progress=state))

    def end(self, command: CommandMessage, status: str = "ok", **fields: Any) -> None:
        """The final status."""
        self.running = None
        self.send(
            Status(
                run_id=command.run_id,
                command=command.command,
                status=status,
                at=millis(),
                last_seq=self._seq.get(command.run_id, 0),
                **fields,
            )
        )
        self.heartbeat()

    def _read(self) -> None:
        try:
            for frame in self._socket:
                self._handle(str(frame))
        except ConnectionClosed:
            pass

    def _handle(self, frame: str) -> None:
        for message in self._validate(frame):
            if isinstance(message, Ping):
                self.send(Pong(at=message.at))
            elif isinstance(message, Ack):
                self._acked[message.run_id] = message.seq
            elif isinstance(message, Registered):
                self._registered.set()
            elif isinstance(message, CommandMessage):
                self.commands.append(message)
                if self._play:
                    self._play(self, message)

    def _beat(self) -> None:
        try:
            while True:
                if not self._silent.is_set():
                    self.heartbeat()
                if self._closing.wait(self.interval):
                    return
        except ConnectionClosed:
            pass
