"""The connection that a supervisor accepted for this process, and who is at its other end."""

import os
import socket
import struct
import sys

_FIRST = 3
"""systemd's first passed descriptor."""
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1
"""macOS: sys/un.h."""


def connection() -> int:
    """The descriptor: 3 as systemd passes it (LISTEN_FDS), 0 as inetd and launchd do. Raises OSError when neither is."""
    if os.environ.pop("LISTEN_PID", "") == str(os.getpid()) and os.environ.pop("LISTEN_FDS", "") == "1":
        fd = _FIRST
    else:
        fd = 0
    os.environ.pop("LISTEN_FDNAMES", None)
    socket.socket(fileno=fd).detach()  # OSError unless it is a socket
    os.set_inheritable(fd, False)
    return fd


def uid(fd: int) -> int:
    """Effective user of whoever connected, as the kernel noted it then. Raises OSError."""
    sock = socket.socket(fileno=fd)
    try:
        if sys.platform == "darwin":
            version, user = struct.unpack("Ii", sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76)[:8])
            if version:
                raise OSError("an unknown kind of credentials")
            return int(user)
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", raw)[1])
    finally:
        sock.detach()
