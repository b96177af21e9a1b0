"""The socket that a server listens on."""

import socket

from nixfleet_server import logging
from nixfleet_server.errors import ConfigError
from nixfleet_server.settings import Settings

log = logging.get(__name__)

DEAD_AFTER_MS = 45_000
"""A peer that takes no data for so long is gone (TCP_USER_TIMEOUT on what we accept)."""


def listen(settings: Settings) -> socket.socket:
    """A bound socket. Raises ConfigError."""
    host, port = settings.listen
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            _prepare(listener)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(f"NIXFLEET_LISTEN: can't listen on {settings.listen}: {error.strerror}") from None
    if not settings.listen.loopback and settings.allow_plain_http:
        log.warning(
            "plain HTTP for other machines, as NIXFLEET_ALLOW_PLAIN_HTTP says", listen=str(settings.listen)
        )
    return listener


def _prepare(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # accepted sockets inherit these
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
