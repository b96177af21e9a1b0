"""One WebSocket connection over a `stream`, driven by readiness; wsproto does the protocol.

    resolving → connecting → securing (TLS) → upgrading → open → closing → closed

A message is joined until it's finished, bounded; each phase has its deadline; nothing received means dead.
"""

import contextlib
import selectors
import ssl
from collections.abc import Callable

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from nixfleet_agent.config import Server
from nixfleet_agent.resolver import Address
from nixfleet_agent.stream import Lost, Stream
from nixfleet_protocol import limits

DEADLINES = {"resolving": 15.0, "connecting": 10.0, "securing": 10.0, "upgrading": 10.0, "closing": 2.0}
"""Seconds each phase may take; an open connection may be silent for SILENCE_MAX."""


class Connection:
    """`opened` and `received` are called as things happen; `Lost` is raised from the methods when it is over."""

    def __init__(
        self,
        server: Server,
        token: str,
        tls: ssl.SSLContext | None,
        agent: str,
        *,
        opened: Callable[[], None],
        received: Callable[[str], None],
        now: float,
    ) -> None:
        self.phase = "resolving"
        self.close_said: str | None = None
        self._server = server
        self._token = token
        self._stream = Stream(server, tls)
        self._agent = agent
        self._opened = opened
        self._received = received
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._text: list[str] = []
        self._text_size = 0
        self._heard_at = self._since = now

    def fileno(self) -> int | None:
        """The socket to watch, None while there is none."""
        return self._stream.socket.fileno() if self._stream.socket else None

    @property
    def wants(self) -> int:
        """selectors.EVENT_READ and EVENT_WRITE, as needed now."""
        if self.phase == "connecting":
            return selectors.EVENT_WRITE
        return self._stream.wants(securing=self.phase == "securing")

    @property
    def deadline(self) -> float:
        """When `check` has something to say, at the latest."""
        if self.phase == "open":
            return self._heard_at + limits.SILENCE_MAX
        return self._since + DEADLINES[self.phase]

    def check(self, now: float) -> None:
        """Raises Lost when a deadline has passed."""
        if now < self.deadline:
            return
        if self.phase == "connecting" and self._stream.addresses:
            self._connect(now)
            return
        reasons = {
            "resolving": f"no answer from DNS for {self._server.host}",
            "connecting": f"no answer from {self._server.host} port {self._server.port}",
            "securing": "the TLS handshake took too long",
            "upgrading": "the server did not answer the WebSocket upgrade",
            "open": f"nothing was heard from the server for {limits.SILENCE_MAX:g} s",
            "closing": self.close_said or "closed",
        }
        raise Lost(reasons[self.phase])

    def resolved(self, answer: list[Address] | str, now: float) -> None:
        """The addresses are known, or why not. Raises Lost."""
        if isinstance(answer, str):
            raise Lost(f"{self._server.host} can't be found: {answer}")
        self._stream.addresses = list(answer)
        self._connect(now)

    def ready(self, events: int, now: float) -> None:
        """The socket is ready for some of what was wanted. Raises Lost."""
        try:
            if self.phase == "connecting":
                if not self._stream.connected():
                    self._connect(now)
                    return
                self._enter("securing", now)
            if self.phase == "securing":
                if self._stream.secured():
                    self._upgrade(now)
                return
            if self.phase in ("upgrading", "open", "closing"):
                self._read(now)
                self._flush()
        except ssl.SSLCertVerificationError as error:
            raise Lost(f"the server's certificate is not trusted: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise Lost(f"TLS: {error.reason or error}") from None
        except OSError as error:
            raise Lost(error.strerror or str(error)) from None

    def send(self, frame: str) -> None:
        """Append one text message. Raises Lost."""
        if self.phase == "open":
            self._put(TextMessage(data=frame))

    def flush(self) -> None:
        """Send what can be sent without waiting. Raises Lost."""
        try:
            self._flush()
        except OSError as error:
            raise Lost(error.strerror or str(error)) from None

    def close(self, code: int, reason: str, now: float) -> None:
        """Begin the closing handshake, or drop a connection that isn't open. Raises Lost in that case."""
        self.close_said = reason
        if self.phase != "open":
            raise Lost(reason)
        self._put(CloseConnection(code=code, reason=reason.encode()[:123].decode(errors="ignore")))
        self._enter("closing", now)
        self.flush()

    def abandon(self) -> None:
        """Give the socket back, whatever the phase."""
        self._stream.close()

    def _enter(self, phase: str, now: float) -> None:
        self.phase, self._since = phase, now

    def _connect(self, now: float) -> None:
        """Try the next address; the last one's failure is the connection's."""
        self._stream.connect()
        self._enter("connecting", now)

    def _upgrade(self, now: float) -> None:
        self._enter("upgrading", now)
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        headers = [
            (b"Authorization", f"Bearer {self._token}".encode()),
            (b"User-Agent", self._agent.encode()),
        ]
        port = self._server.port
        usual = port == (443 if self._server.tls else 80)
        self._put(Request(host if usual else f"{host}:{port}", self._server.path, extra_headers=headers))
        self._flush()

    def _read(self, now: float) -> None:
        for data in self._stream.receive():
            if not data:
                raise Lost(self.close_said or "the server closed the connection without a word")
            self._heard_at = now
            try:
                self._ws.receive_data(data)
                for event in self._ws.events():
                    self._on(event, now)
                    if self._stream.socket is None:  # the answer to it found the connection broken
                        return
            except ProtocolError as error:
                raise Lost(f"the server broke the WebSocket protocol: {error}") from None

    def _on(self, event: Event, now: float) -> None:
        if isinstance(event, TextMessage):
            self._join(event, now)
        elif isinstance(event, AcceptConnection):
            self._enter("open", now)
            self._opened()
        elif isinstance(event, RejectConnection):
            raise Lost(REJECTED.get(event.status_code, f"the server refused: HTTP {event.status_code}"))
        elif isinstance(event, Ping):
            self._put(event.response())
        elif isinstance(event, CloseConnection):
            self.close_said = self.close_said or f"the server closed: {event.reason or event.code}"
            with contextlib.suppress(ProtocolError, OSError):
                self._put(event.response())
                self._flush()
            raise Lost(self.close_said)
        elif isinstance(event, BytesMessage):
            self.close(1003, "binary messages are not understood", now)

    def _join(self, event: TextMessage, now: float) -> None:
        if self.phase != "open":
            return
        self._text.append(event.data)
        self._text_size += len(event.data)
        if self._text_size > limits.FRAME_MAX:
            self.close(1009, "message too big", now)
        elif event.message_finished:
            frame = "".join(self._text)
            self._text, self._text_size = [], 0
            self._received(frame)

    def _put(self, event: Event) -> None:
        self._stream.put(self._ws.send(event))

    def _flush(self) -> None:
        if self.phase not in ("connecting", "securing"):
            self._stream.send()


REJECTED = {
    401: "the server refused the token (HTTP 401): check NIXFLEET_TOKEN_FILE, or make a new one with "
    "`nixfleet-server host rotate`",
    404: "there is no NixFleet server at this address (HTTP 404): check NIXFLEET_URL",
    503: "the server is not ready (HTTP 503)",
}
