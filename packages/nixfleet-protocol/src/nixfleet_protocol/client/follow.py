"""Following a run over `/ws/browser`, without I/O: messages in, records out.

The cursor survives connections. After each reconnect the shell sends `subscribe()` again and goes on feeding it frames:
what was seen before is dropped, a gap is an error, so every record comes out once and in order.
"""

import random
import time
from collections.abc import Callable
from dataclasses import fields

from nixfleet_protocol.encode import encode
from nixfleet_protocol.errors import NixFleetError, NotConnected, Refused, RemoteProtocolError
from nixfleet_protocol.limits import SEQ_MAX
from nixfleet_protocol.messages.api import LogRecord
from nixfleet_protocol.messages.browser import CommandOutput, CommandProgress, Notice, RunUpdate, Subscribe
from nixfleet_protocol.messages.parts import ProgressState, RunView
from nixfleet_protocol.validate import validator

_RUN_FIELDS = tuple(field.name for field in fields(RunView))

END = SEQ_MAX
"""As `from_seq`: no output, only the outcome."""


class Follow:
    """A place in a run's log. `next_seq` is the record wanted next, `run` the newest state known."""

    def __init__(self, run_id: str, from_seq: int = 1) -> None:
        self.run_id = run_id
        self.next_seq = max(1, from_seq)
        self.run: RunView | None = None
        self.progress: ProgressState | None = None
        self._validate = validator("server → browser")

    @property
    def complete(self) -> bool:
        """The run has ended and its last record is out."""
        return self.run is not None and self.run.state == "ended" and self.next_seq > self.run.lines

    def subscribe(self) -> str:
        """The frame to send first on every connection."""
        return encode(Subscribe(run_id=self.run_id, from_seq=self.next_seq))

    def receive(self, frame: str | bytes) -> list[LogRecord]:
        """The new records in a frame.

        Raises Refused when the server has no such run, RemoteProtocolError for a gap or a broken rule: reconnect.
        """
        if isinstance(frame, bytes):
            raise RemoteProtocolError("a binary frame", 1003)
        records: list[LogRecord] = []
        for message in self._validate(frame):
            if getattr(message, "run_id", None) != self.run_id:
                continue
            if isinstance(message, CommandOutput):
                self._take(message, records)
            elif isinstance(message, RunUpdate):
                self.run = RunView(**{name: getattr(message, name) for name in _RUN_FIELDS})
            elif isinstance(message, CommandProgress):
                self.progress = message.progress
            elif isinstance(message, Notice) and message.level == "error":
                raise Refused(message.text, status=404, code="no_such_run")
        return records

    def _take(self, message: CommandOutput, records: list[LogRecord]) -> None:
        if message.seq < self.next_seq:
            return
        if message.seq > self.next_seq:
            raise RemoteProtocolError(f"record {message.seq} came where {self.next_seq} was due")
        self.next_seq += 1
        records.append(
            LogRecord(
                seq=message.seq,
                at=message.at,
                stream=message.stream,
                line=message.line,
                partial=message.partial,
            )
        )


class Patience:
    """How long to wait before the next try: full jitter below an exponential ceiling, until `seconds` have passed
    without a connection. Broken rules of the protocol are forgiven three times in all: trying again won't mend them.
    """

    CEILING_MIN, CEILING_MAX = 0.5, 10.0
    FAULTS_MAX = 3

    def __init__(
        self,
        seconds: float,
        *,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._chance, self._clock = seconds, chance, clock
        self._ceiling = self.CEILING_MIN
        self._since: float | None = None
        self._faults = 0

    def settle(self) -> None:
        """The connection works."""
        self._since, self._ceiling = None, self.CEILING_MIN

    def delay(self, error: NixFleetError) -> float:
        """Seconds to wait before trying again. Raises `error`, or NotConnected, when it is time to give up."""
        if isinstance(error, RemoteProtocolError):
            self._faults += 1
            if self._faults > self.FAULTS_MAX:
                raise NotConnected(f"the server breaks the protocol: {error}") from error
        now = self._clock()
        if self._since is None:
            self._since = now
        if now - self._since >= self._seconds:
            raise error
        ceiling, self._ceiling = self._ceiling, min(self._ceiling * 2, self.CEILING_MAX)
        return self._chance() * min(ceiling, max(0.05, self._since + self._seconds - now))
