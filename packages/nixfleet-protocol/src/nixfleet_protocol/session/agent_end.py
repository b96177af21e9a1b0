"""The agent's end of a connection.

    new ──register──▶ registering ──registered──▶ active ──goodbye──▶ leaving

After `registered` with `compatible` false the server only ever sends `command update`.
"""

from collections.abc import Callable
from typing import Any

from nixfleet_protocol import limits
from nixfleet_protocol.decode import Unknown, decode
from nixfleet_protocol.encode import encode_batches
from nixfleet_protocol.errors import LocalProtocolError, RemoteProtocolError
from nixfleet_protocol.messages import (
    SERVER_TO_AGENT,
    Ack,
    CommandMessage,
    Goodbye,
    Heartbeat,
    Output,
    Ping,
    Pong,
    Progress,
    Register,
    Registered,
    Status,
)

_WORK = (Heartbeat, Output, Progress, Status, Pong)
MAY_SEND: dict[str, tuple[type, ...]] = {
    "new": (Register,),
    "registering": (Pong,),
    "active": _WORK,
    "leaving": _WORK,
}
MAY_RECEIVE: dict[str, tuple[type, ...]] = {
    "new": (),
    "registering": (Registered, Ping, Goodbye),
    "active": (CommandMessage, Ack, Ping, Goodbye),
    "leaving": (CommandMessage, Ack, Ping, Goodbye),
}


class AgentEnd:
    """Order, limits and the window of unacknowledged output. `state` is a key of MAY_SEND."""

    def __init__(self, decoder: Callable[[str, dict[str, type]], list[Any]] = decode) -> None:
        self.state = "new"
        self.registered: Registered | None = None
        self.unknown = 0
        """Messages of unknown type received and ignored."""
        self._decode = decoder
        self._in_flight: dict[str, list[tuple[int, int]]] = {}
        self._lines = 0
        self._bytes = 0

    def send(self, *messages: Any) -> list[str]:
        """The frames that carry these messages, in order.

        Raises LocalProtocolError when the state forbids one of them.
        """
        for message in messages:
            if not isinstance(message, MAY_SEND[self.state]):
                raise LocalProtocolError(f"{type(message).__name__} can't be sent while {self.state}")
            if isinstance(message, Register):
                self.state = "registering"
            elif isinstance(message, Output):
                self._in_flight.setdefault(message.run_id, []).append((message.seq, len(message.line)))
                self._lines += 1
                self._bytes += len(message.line)
        return encode_batches(list(messages))

    def receive(self, frame: str) -> list[Any]:
        """The messages of a frame, unknown types left out. Raises RemoteProtocolError when the server broke a rule."""
        out = []
        for message in self._decode(frame, SERVER_TO_AGENT):
            if isinstance(message, Unknown):
                self.unknown += 1
                continue
            if not isinstance(message, MAY_RECEIVE[self.state]):
                raise RemoteProtocolError(f"{type(message).__name__} received while {self.state}")
            if isinstance(message, Registered):
                self.state, self.registered = "active", message
            elif isinstance(message, Goodbye):
                self.state = "leaving"
            elif isinstance(message, Ack):
                self._acknowledge(message)
            out.append(message)
        return out

    @property
    def room(self) -> int:
        """How many more output records may be sent now, 0 to WINDOW_LINES."""
        if self.state != "active" or self._bytes >= limits.WINDOW_BYTES:
            return 0
        return limits.WINDOW_LINES - self._lines

    def _acknowledge(self, ack: Ack) -> None:
        waiting = self._in_flight.get(ack.run_id, [])
        done = 0
        for seq, size in waiting:
            if seq > ack.seq:
                break
            done += 1
            self._bytes -= size
        self._lines -= done
        del waiting[:done]
        if not waiting:
            self._in_flight.pop(ack.run_id, None)
