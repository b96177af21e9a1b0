"""A TCP proxy that can be cut, to stand between an agent and its server."""

import socket
import threading
import time
from contextlib import suppress


class Proxy:
    """Forwards `host`:`port` to a target port of loopback. `freeze` holds all bytes back; `sever` resets and refuses.

    `hold` and `release`, `refuse` and `accept` are the same two without the waiting.
    """

    def __init__(self, target: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self.said = bytearray()
        """The newest bytes that clients sent, at most 64 KiB."""
        self._target = target
        self._host = host
        self._open = threading.Event()
        self._open.set()
        self._refusing = False
        self._sockets: set[socket.socket] = set()
        self._clients: set[socket.socket] = set()
        self._listener = socket.create_server((host, port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}"

    def freeze(self, seconds: float) -> None:
        """Connections stay, but for so long nothing passes."""
        self.hold()
        time.sleep(seconds)
        self.release()

    def hold(self) -> None:
        """From now on nothing passes."""
        self._open.clear()

    def release(self) -> None:
        """What was held passes, and all that follows."""
        self._open.set()

    def sever(self, seconds: float) -> None:
        """Every connection breaks and for so long no new one succeeds."""
        self.refuse()
        time.sleep(seconds)
        self.accept()

    def refuse(self) -> None:
        """Every connection breaks, and no new one succeeds from now on."""
        self._refusing = True
        self._close_all()

    def accept(self) -> None:
        """New connections succeed again."""
        self._refusing = False

    def inject(self, data: bytes) -> None:
        """Send bytes to the clients as if the target had said them."""
        for client in list(self._clients):
            client.sendall(data)

    def close(self) -> None:
        self._refusing = True
        self._listener.close()
        self._close_all()

    def _close_all(self) -> None:
        for connection in list(self._sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._refusing:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                self._sockets |= {client, server}
                self._clients.add(client)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                if source in self._clients:
                    self.said = (self.said + data)[-65536:]
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()
        self._sockets.discard(source)
        self._clients.discard(source)
