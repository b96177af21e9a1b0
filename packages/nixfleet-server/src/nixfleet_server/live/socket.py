"""What both kinds of connection share: a reader and a writer on one WebSocket, and how it is closed."""

import asyncio
from abc import ABC, abstractmethod

from starlette.websockets import WebSocket, WebSocketDisconnect

from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_server import logging

log = logging.get(__name__)

SEND_TIMEOUT = 20.0
"""Seconds a peer may leave a frame unread before it is cut off: it comes back and resumes."""
_REASON_MAX = 123
"""Bytes of a close reason (RFC 6455 section 5.5)."""


class Closed(Exception):
    """The peer is gone."""


class Connection(ABC):
    """Serves one accepted WebSocket. Whatever goes wrong on it ends it, and nothing else."""

    def __init__(self, socket: WebSocket, peer: str) -> None:
        self.peer = peer
        """Who it is, for the log."""
        self._socket = socket
        self._closing: tuple[int, str] | None = None
        self._wake = asyncio.Event()

    def close(self, code: int, reason: str) -> None:
        """Close once everything before it is sent."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()

    async def serve(self) -> None:
        """Read and write until the socket is closed."""
        reader = asyncio.create_task(self._guarded_read())
        writer = asyncio.create_task(self._guarded_write())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if self._closing is not None:
                await asyncio.wait({writer}, timeout=SEND_TIMEOUT)
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    @abstractmethod
    async def _read(self) -> None:
        """Read until Closed, RemoteProtocolError or TimeoutError."""

    @abstractmethod
    async def _pump(self) -> None:
        """Send what there is to send, once."""

    def _woken_at(self) -> float | None:
        """When to pump again even if nobody wakes the connection, by the loop's clock."""
        return None

    async def _receive(self) -> str:
        """The next text frame."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise Closed
        text = message.get("text")
        if text is None:
            raise RemoteProtocolError("a binary frame; messages are text", 1003)
        return str(text)

    async def _send(self, frame: str) -> None:
        async with asyncio.timeout(SEND_TIMEOUT):
            await self._socket.send_text(frame)

    async def _guarded_read(self) -> None:
        try:
            await self._read()
        except (Closed, RuntimeError):
            return
        except RemoteProtocolError as error:
            log.warning(
                "connection closed: a rule of the protocol was broken", peer=self.peer, reason=str(error)
            )
            self.close(error.close_code, str(error))
        except TimeoutError:
            log.warning("connection closed: nothing was heard in time", peer=self.peer)
            self.close(1008, "nothing was heard in time")
        except Exception:
            log.exception("connection closed: a fault of ours", peer=self.peer)
            self.close(1011, "a fault of the server")

    async def _guarded_write(self) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout_at(self._woken_at()):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
                closing = self._closing
                await self._pump()
                if closing is not None:
                    await self._end(*closing)
                    return
        except TimeoutError:
            log.warning("connection cut: the peer does not read", peer=self.peer)
        except (WebSocketDisconnect, RuntimeError):  # it is gone, or closed from below
            return
        except Exception:
            log.exception("connection closed: a fault of ours", peer=self.peer)
            await self._end(1011, "a fault of the server")

    async def _end(self, code: int, reason: str) -> None:
        text = reason.encode()[:_REASON_MAX].decode(errors="ignore")
        async with asyncio.timeout(SEND_TIMEOUT):
            await self._socket.close(code, text)
