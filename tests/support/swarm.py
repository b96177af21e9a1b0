"""Light simulated agents and watchers, as many as one likes in one process, speaking the real protocol over real sockets.

An agent here keeps its lines in memory as a real one keeps them on its disk: what is not acknowledged it sends again after
every reconnect, and a result until it is acknowledged. So what is lost or doubled is the server's doing.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from nixfleet_protocol import limits
from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode, encode_batches
from nixfleet_protocol.messages import (
    SERVER_TO_AGENT,
    SERVER_TO_BROWSER,
    Ack,
    CommandMessage,
    Facts,
    Goodbye,
    Heartbeat,
    KnownRun,
    Metrics,
    Output,
    Ping,
    Pong,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.messages.browser import CommandOutput, RunUpdate, Snapshot, Subscribe

CAN = ("pull", "switch", "stop", "restart")
LOST = (OSError, WebSocketException, InvalidHandshake, asyncio.TimeoutError)
Line = Callable[[int], str]


def now_ms() -> int:
    return int(time.time() * 1000)


@dataclass
class SimRun:
    """A run's journal."""

    command: str
    lines: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    done: bool = False
    sent: int = 0
    acked: int = 0
    told: bool = False


@dataclass
class SimAgent:
    """One agent: a run writes `count` lines, one every `pause` seconds, of the text that `line(number)` gives."""

    ws: str
    name: str
    token: str
    count: int = 100
    pause: float = 1.0
    line: Line = "line {}".format
    interval: float = 30.0
    backoff: float | None = 0.5
    """Seconds to the next attempt at most; None: as real agents do, longer each time."""
    connects: int = 0
    refused: int = 0
    registered_at: float = 0.0
    runs: dict[str, SimRun] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    """Runs whose result is acknowledged, and how many lines they had."""
    online: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: list[asyncio.Task[None]] = field(default_factory=list)

    async def live(self) -> None:
        """Connect, for ever."""
        failed = 0
        while True:
            ceiling = min(limits.BACKOFF_MAX, limits.BACKOFF_MIN * 2.0**failed)
            wait = random.uniform(0, ceiling if self.backoff is None else self.backoff)
            try:
                async with connect(
                    f"{self.ws}/ws/agent",
                    additional_headers={"Authorization": f"Bearer {self.token}"},
                    compression=None,
                    ping_interval=None,
                    open_timeout=20,
                    close_timeout=1,
                ) as socket:
                    failed = 0
                    wait = await self._serve(socket) or wait
            except LOST:
                failed += 1
                self.refused += 1
            self.online.clear()
            await asyncio.sleep(wait)

    async def _serve(self, socket: ClientConnection) -> float | None:
        """Gives the seconds to stay away, if the server said so."""
        self.connects += 1
        await self._send(
            socket,
            Register(
                hostname=self.name,
                protocol="1.0",
                agent_version="0.1.0",
                platform="script",
                interval=self.interval,
                commands=CAN,
                facts=Facts(os="Linux"),
                runs=tuple(
                    KnownRun(run_id=run_id, command=run.command, ended=run.done, last_seq=len(run.lines))
                    for run_id, run in self.runs.items()
                ),
            ),
        )
        sender = asyncio.create_task(self._sender(socket))
        wait = None
        try:
            async for frame in socket:
                for message in decode(str(frame), SERVER_TO_AGENT):
                    if isinstance(message, Registered):
                        self._resume(message)
                    elif isinstance(message, CommandMessage):
                        self._command(message)
                    elif isinstance(message, Ack):
                        self._acknowledged(message)
                    elif isinstance(message, Ping):
                        await self._send(socket, Pong(at=message.at))
                    elif isinstance(message, Goodbye):
                        wait = random.uniform(message.retry_min, message.retry_max)
        except LOST:
            pass
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        return wait

    def _resume(self, message: Registered) -> None:
        for held in message.runs:
            run = self.runs[held.run_id]
            if held.ended:
                self._forget(held.run_id)
            else:
                run.sent = run.acked = held.have
                run.told = False
        self.registered_at = time.monotonic()
        self.online.set()
        self._wake.set()

    def _command(self, message: CommandMessage) -> None:
        if message.run_id in self.runs or message.run_id in self.finished:
            return  # a command that came again: its state is told anyway
        run = self.runs[message.run_id] = SimRun(message.command)
        self._writers.append(asyncio.create_task(self._write(run)))

    async def _write(self, run: SimRun) -> None:
        begun = time.monotonic()
        for number in range(1, self.count + 1):
            run.lines.append(self.line(number))
            run.times.append(now_ms())
            self._wake.set()
            await asyncio.sleep(max(0.0, begun + number * self.pause - time.monotonic()))
        run.done = True
        self._wake.set()

    def _acknowledged(self, ack: Ack) -> None:
        run = self.runs.get(ack.run_id)
        if run is None:
            return
        run.acked = max(run.acked, ack.seq)
        if ack.ended:
            self._forget(ack.run_id)
        self._wake.set()

    def _forget(self, run_id: str) -> None:
        self.finished[run_id] = len(self.runs.pop(run_id).lines)

    async def _sender(self, socket: ClientConnection) -> None:
        await self.online.wait()
        begun: set[str] = set()
        beat = 0.0
        with suppress(*LOST):
            while True:
                self._wake.clear()
                out: list[Any] = []
                if time.monotonic() >= beat:
                    beat = time.monotonic() + self.interval
                    out.append(Heartbeat(at=now_ms(), metrics=Metrics(cpu=1.0, ram=2.0)))
                for run_id, run in self.runs.items():
                    if run_id not in begun:
                        begun.add(run_id)
                        out.append(
                            Status(run_id=run_id, command=run.command, status="running", at=now_ms(), pid=1)
                        )
                    out += self._more(run_id, run)
                await self._send(socket, *out)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), max(0.0, beat - time.monotonic()))

    def _more(self, run_id: str, run: SimRun) -> list[Any]:
        last = min(len(run.lines), run.acked + limits.WINDOW_LINES)
        out: list[Any] = [
            Output(
                run_id=run_id,
                command=run.command,
                seq=seq,
                stream="stdout",
                line=run.lines[seq - 1],
                at=run.times[seq - 1],
            )
            for seq in range(run.sent + 1, last + 1)
        ]
        run.sent = max(run.sent, last)
        if run.done and not run.told and run.sent == len(run.lines):
            run.told = True
            out.append(
                Status(
                    run_id=run_id,
                    command=run.command,
                    status="ok",
                    at=now_ms(),
                    last_seq=run.sent,
                    exit_code=0,
                    message="it went well",
                )
            )
        return out

    async def _send(self, socket: ClientConnection, *messages: Any) -> None:
        for frame in encode_batches(list(messages)):
            await socket.send(frame)


@dataclass
class SimBrowser:
    """A watcher that follows runs, and after each reconnect asks from where it was."""

    ws: str
    token: str
    on_line: Callable[[CommandOutput], None] | None = None
    seen: dict[str, list[str]] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    connects: int = 0
    _socket: ClientConnection | None = None

    async def follow(self, run_id: str) -> None:
        """Follow a run from its beginning."""
        self.seen[run_id] = []
        if self._socket is not None:
            with suppress(*LOST):
                await self._socket.send(encode(Subscribe(run_id=run_id)))

    async def live(self) -> None:
        """Connect, for ever."""
        while True:
            try:
                async with connect(
                    f"{self.ws}/ws/browser",
                    additional_headers={"Authorization": f"Bearer {self.token}"},
                    compression=None,
                    max_size=None,
                    ping_interval=None,
                    open_timeout=20,
                    close_timeout=1,
                ) as socket:
                    await self._serve(socket)
            except LOST:
                pass
            self._socket = None
            await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _serve(self, socket: ClientConnection) -> None:
        self.connects += 1
        for run_id, lines in self.seen.items():
            if run_id not in self.results:
                await socket.send(encode(Subscribe(run_id=run_id, from_seq=len(lines) + 1)))
        self._socket = socket
        async for frame in socket:
            for message in decode(str(frame), SERVER_TO_BROWSER):
                if isinstance(message, CommandOutput):
                    self._line(message)
                elif isinstance(message, RunUpdate) and message.state == "ended":
                    self.results[message.run_id] = message.result or ""
                elif isinstance(message, Snapshot):
                    for host in message.hosts:
                        run = host.last_run
                        if run is not None and run.state == "ended":
                            self.results.setdefault(run.run_id, run.result or "")

    def _line(self, message: CommandOutput) -> None:
        lines = self.seen.setdefault(message.run_id, [])
        if message.seq != len(lines) + 1:
            self.wrong.append(f"{message.run_id}: {message.seq} came where {len(lines) + 1} was due")
            return
        lines.append(message.line)
        if self.on_line is not None:
            self.on_line(message)


async def start_all(url: str, token: str, names: list[str]) -> list[str]:
    """Start a switch on each; gives the runs' ids."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        found = []
        for name in names:
            answer = await client.post(f"/api/v1/hosts/{name}/runs", json={"command": "switch"})
            assert answer.status_code == 201, answer.text
            found.append(str(answer.json()["run_id"]))
        return found
