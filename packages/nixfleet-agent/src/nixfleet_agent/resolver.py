"""getaddrinfo without blocking the loop: one thread at a time, its end told through a socket."""

import _thread
import contextlib
import socket
from typing import Any, NamedTuple


class Address(NamedTuple):
    """One way to reach a host."""

    family: int
    sockaddr: Any


class Resolver:
    """`fileno()` becomes readable when an answer is there. A thread that hangs in DNS is waited for, never doubled."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._busy = False
        self._asked: tuple[str, int] | None = None
        self._answer: list[Address] | str = ""

    def fileno(self) -> int:
        return self._ours.fileno()

    def ask(self, host: str, port: int) -> None:
        """Begin to look up. While an earlier question hangs, its answer is what will come."""
        self._asked = (host, port)
        if not self._busy:
            self._busy = True
            _thread.start_new_thread(self._work, (host, port))

    def answer(self) -> list[Address] | str | None:
        """The addresses, or why there are none; None when it isn't there yet. Call when readable."""
        with contextlib.suppress(BlockingIOError):
            if self._ours.recv(16):
                self._busy = False
                return self._answer
        return None

    def _work(self, host: str, port: int) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._answer = [Address(family, address) for family, _, _, _, address in found]
        except OSError as error:
            self._answer = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001  (a thread must always answer)
            self._answer = str(error)
        self._theirs.send(b"!")
