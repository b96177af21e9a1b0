"""uvicorn as we use it."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn


class Server(uvicorn.Server):
    """uvicorn, with the signals in our hands, a word when it listens, and nobody turned away who has been let in."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_started = started
        self.door: socket.socket | None = None
        """The listening socket to close at the end. Without one it stays open, for the server that comes next."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours: uvicorn's would drop connections without a goodbye and end the process by the signal."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._say_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer whom the kernel has accepted for us, then do as uvicorn does.

        A proxy sends anything again whose connection was refused, but of a request that was cut it can't know whether
        it has been done.
        """
        for server in self.servers:
            server.close()
        if self.door is not None:
            waiting = list(_knocked(self.door))
            self.door.close()
            for peer in waiting:
                try:
                    await asyncio.get_running_loop().connect_accepted_socket(self._protocol, peer)
                except OSError:  # gone by now
                    peer.close()
        await asyncio.sleep(0)  # the last that were accepted as usual are connections only now
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _knocked(listener: socket.socket) -> Iterator[socket.socket]:
    """Those in the listener's queue."""
    listener.setblocking(False)
    while True:
        try:
            peer, _ = listener.accept()
        except ConnectionAbortedError:  # this one has gone, the next may be there
            continue
        except OSError:
            return
        peer.setblocking(False)
        yield peer
