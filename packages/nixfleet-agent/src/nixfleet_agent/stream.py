"""Bytes to and from the server, over non-blocking TCP or TLS: whoever owns the stream waits for what it `wants`.

Rules that experiments taught: recv is drained until it would block, since TLS keeps bytes of its own; the send buffer is
only ever appended to, since TLS wants the same bytes again; TLS may want to write in order to read and the other way
round.
"""

import contextlib
import os
import selectors
import socket
import ssl
from collections.abc import Iterator

from nixfleet_agent.config import Server
from nixfleet_agent.resolver import Address

_USER_TIMEOUT = 15_000
"""Milliseconds that sent data may stay unacknowledged: notices a silent cut in 16 s instead of 15 minutes."""
_RECV = 64 * 1024


class Lost(Exception):
    """The connection is over; `str()` says why, for people."""


class Stream:
    """One after the other: `connect`, `connected` and `secured` until they are true, then `receive` and `send`."""

    def __init__(self, server: Server, tls: ssl.SSLContext | None) -> None:
        self.addresses: list[Address] = []
        """Those that are still to be tried."""
        self.socket: socket.socket | None = None
        """None before it is made, and once the stream is closed."""
        self._server = server
        self._tls = tls
        self._out = bytearray()
        self._read_wants_write = False
        self._write_wants_read = False

    def wants(self, *, securing: bool) -> int:
        """selectors.EVENT_READ and EVENT_WRITE, as needed now that it is connected."""
        if securing:
            return selectors.EVENT_WRITE if self._read_wants_write else selectors.EVENT_READ
        writing = self._read_wants_write or (self._out and not self._write_wants_read)
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)

    def connect(self) -> None:
        """Begin with the next address. Raises Lost when none is left."""
        reason = "no address"
        while self.addresses:
            address = self.addresses.pop(0)
            self.close()
            try:
                self.socket = socket.socket(address.family, socket.SOCK_STREAM)
                self.socket.setblocking(False)
                _tune(self.socket)
                self.socket.connect(address.sockaddr)
            except BlockingIOError:
                pass
            except OSError as error:
                reason = error.strerror or str(error)
                continue
            return
        raise Lost(f"{self._server.host} port {self._server.port}: {reason}")

    def connected(self) -> bool:
        """Whether it could connect; if not, and there is a next address, it is to begin with that. Raises OSError."""
        assert self.socket
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error and not self.addresses:
            raise OSError(error, f"{self._server.host} port {self._server.port}: {os.strerror(error)}")
        if not error and self._tls:
            self.socket = self._tls.wrap_socket(
                self.socket, server_hostname=self._server.host, do_handshake_on_connect=False
            )
        return not error

    def secured(self) -> bool:
        """Go on with the TLS handshake; true once it is done, and without TLS. Raises OSError."""
        self._read_wants_write = False
        if isinstance(self.socket, ssl.SSLSocket):
            try:
                self.socket.do_handshake()
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLWantWriteError:
                self._read_wants_write = True
                return False
        return True

    def receive(self) -> Iterator[bytes]:
        """All that is there; an empty piece is the end. The stream may be closed between two. Raises OSError."""
        self._read_wants_write = False
        while self.socket:
            try:
                yield self.socket.recv(_RECV)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except ssl.SSLWantWriteError:
                self._read_wants_write = True
                return

    def put(self, data: bytes) -> None:
        """Append what is to be sent."""
        self._out += data

    def send(self) -> None:
        """Send what can be sent without waiting. Raises OSError."""
        self._write_wants_read = False
        while self._out and self.socket:
            try:
                # TLS demands the same bytes again after a refusal: the buffer only grows, so they are.
                sent = self.socket.send(bytes(self._out[:_RECV]))
            except (BlockingIOError, ssl.SSLWantWriteError):
                return
            except ssl.SSLWantReadError:
                self._write_wants_read = True
                return
            del self._out[:sent]

    def close(self) -> None:
        """Give the socket back."""
        if self.socket:
            self.socket.close()
            self.socket = None


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux; elsewhere the silence limit has to do
    if option is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, option, _USER_TIMEOUT)
