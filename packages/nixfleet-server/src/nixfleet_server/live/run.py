"""A run under way: how far its log is received and durable, and who follows it."""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Protocol

from nixfleet_protocol import limits
from nixfleet_protocol.encode import encode
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages import Facts, Output, ProgressState, RunView, Status
from nixfleet_protocol.messages.browser import CommandOutput
from nixfleet_protocol.record import Record
from nixfleet_protocol.text import to_bytes, to_text
from nixfleet_server.domain import timeouts
from nixfleet_server.live.ring import Ring

LOG_MAX = limits.LOG_MAX_LIMIT + limits.MIB
"""Bytes of output taken of one run: the most an agent may keep, and room for its own notes, which it does not count."""
_NOT_KEPT = b"[this record broke a rule of the protocol and was not kept]"


class Follower(Protocol):
    """Someone to wake when there is more to read."""

    def wake(self) -> None:
        """Look again."""


class LiveRun:
    """Holds the cursors of one log. For a run that has ended it only serves those who still read."""

    def __init__(self, view: RunView, received: int = 0, *, committed: bool = True) -> None:
        self.view = view
        self.committed = committed
        """The run has its row: only then may an agent hear of it."""
        self.received = self.durable = received
        self.ring = Ring(received + 1)
        self.pid: int | None = None
        self.progress: ProgressState | None = None
        self.ending: Status | None = None
        """The final status, while its result is on the way to the disk."""
        self.settled = asyncio.Event()
        """Set when `ending` is over."""
        self.facts_before: Facts | None = None
        """What its host told of itself before it began; None when that was before this server started."""
        self.due: float | None = None
        """When to look at it next, by the monotonic clock: it waits too long, or takes too long."""
        self.withheld = False
        """Its host did not list it, and it was not sent again, since it is to be stopped: what its stop finds decides."""
        self.stop_again = timeouts.STOP_AGAIN_FIRST
        self.followers: set[Follower] = set()
        self.log_max = LOG_MAX
        self._kept = 0
        """Bytes of output taken since the server started, as agents count them."""
        self._unsafe: deque[int] = deque()
        self._unsafe_bytes = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def in_flight(self) -> tuple[int, int]:
        """Records and bytes received but not durable."""
        return len(self._unsafe), self._unsafe_bytes

    def snapshot(self) -> RunView:
        """The run as peers see it now."""
        if self.view.state == "ended":
            return self.view
        return replace(self.view, lines=self.received, progress=self.progress)

    def accept(self, outputs: list[Output]) -> bytes:
        """Take the next records and give them as bytes of the log file; those received before are left out.

        Raises RemoteProtocolError, having taken none, when one is missing in between (the agent has to resume from
        what is durable), and when the log becomes longer than an agent may keep.
        """
        wanted, kept = self.received + 1, self._kept
        fresh = []
        for output in outputs:
            if output.seq < wanted:
                continue
            if output.seq > wanted:
                raise RemoteProtocolError(f"output: record {output.seq} came where {wanted} was expected")
            record = _record(output)
            kept += max(1, len(record.data) + (not record.partial))
            if kept > self.log_max:
                raise RemoteProtocolError(f"output: more than {self.log_max} bytes in one run")
            fresh.append((output, record))
            wanted += 1
        self._kept = kept
        data = []
        for output, record in fresh:
            encoded = record.encode()
            data.append(encoded)
            self.received += 1
            self._unsafe.append(len(encoded))
            self._unsafe_bytes += len(encoded)
            line = output.line if record.stream == output.stream else None
            self.ring.push(encode(as_output(self.view, record, line)))
        if data:
            self.wake()
        return b"".join(data)

    def wake(self) -> None:
        """Tell all followers to look."""
        for follower in self.followers:
            follower.wake()

    def set_durable(self, seq: int) -> None:
        """The log file is on the disk through `seq`."""
        for _ in range(seq - self.durable):
            self._unsafe_bytes -= self._unsafe.popleft()
        self.durable = max(self.durable, seq)
        for wanted, future in self._waiting:
            if wanted <= seq and not future.done():
                future.set_result(None)
        self._waiting = [item for item in self._waiting if item[0] > seq]
        self.wake()  # a follower further back than the ring may have waited for the file

    async def durable_through(self, seq: int) -> None:
        """Return once the log is on the disk through `seq`."""
        if self.durable < seq:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((seq, future))
            await future

    def settle(self) -> None:
        """`ending` is over: the run has ended, or its end could not be kept."""
        self.ending = None
        self.settled.set()
        self.settled = asyncio.Event()


def as_output(view: RunView, record: Record, line: str | None = None) -> CommandOutput:
    """A record as followers get it. `line` saves decoding where the text is at hand."""
    return CommandOutput(
        host_id=view.host_id,
        run_id=view.run_id,
        command=view.command,
        seq=record.seq,
        stream=record.stream,
        line=to_text(record.data) if line is None else line,
        at=record.at,
        partial=record.partial,
    )


def _record(output: Output) -> Record:
    data = to_bytes(output.line)
    if b"\n" in data:  # it would break the log file in two
        return Record(output.seq, output.at, "note", _NOT_KEPT)
    return Record(output.seq, output.at, output.stream, data, output.partial)
