"""How a runner wakes the resident: a datagram on STATE_DIR/doorbell.sock, never waited for by the ringer.

The datagram's text is a run id, `facts`, `reconnect` or `connect` (now, if it waits). Nothing depends on it arriving: the
resident also looks once a second.
"""

import contextlib
import os
import socket
from collections.abc import Iterator

NAME = "doorbell.sock"
_PATH_MAX = 100
"""Bytes of a socket's path that every system takes (macOS 104, Linux 108, with the final NUL)."""


class Doorbell:
    """The ringer's end."""

    def __init__(self, state_dir: str) -> None:
        self._dir = state_dir
        self._socket: socket.socket | None = None

    def ring(self, text: str) -> None:
        """Wake the resident if it listens and isn't already woken more than it can read."""
        with contextlib.suppress(OSError):
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            with _reachable(self._dir) as path:
                self._socket.sendto(text.encode(), path)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def ring_once(state_dir: str, text: str) -> None:
    """Ring and be gone."""
    bell = Doorbell(state_dir)
    bell.ring(text)
    bell.close()


def listen(state_dir: str) -> socket.socket | None:
    """The resident's end, non-blocking; None where the path is too long for a socket."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(state_dir, NAME))
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.setblocking(False)
    try:
        with _reachable(state_dir) as path:
            bell.bind(path)
    except OSError:
        bell.close()
        return None
    return bell


def drain(bell: socket.socket) -> set[str]:
    """Everything rung since the last call."""
    texts = set()
    with contextlib.suppress(OSError):
        while True:
            texts.add(bell.recv(64).decode(errors="replace"))
    return texts


@contextlib.contextmanager
def _reachable(state_dir: str) -> Iterator[str]:
    path = os.path.join(state_dir, NAME)
    if len(os.fsencode(path)) <= _PATH_MAX:
        yield path
        return
    fd = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{NAME}"  # Linux only: elsewhere binding fails and once a second has to do
    finally:
        os.close(fd)
