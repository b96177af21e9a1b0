"""The resident's way to the server: connects when it is time, watches the socket, and tells when the connection is lost."""

import selectors
import ssl
import time
from collections.abc import Callable
from typing import Any

from nixfleet_agent import events as e
from nixfleet_agent.__about__ import __version__
from nixfleet_agent.config import Config, ConfigError
from nixfleet_agent.connection import Connection
from nixfleet_agent.resolver import Resolver
from nixfleet_agent.stream import Lost


class Link:
    """At most one connection at a time. What happens to it is told as events; the core says when to connect again."""

    def __init__(
        self,
        config: Config,
        selector: selectors.BaseSelector,
        tell: Callable[[e.Event], None],
        opened: Callable[[], None],
    ) -> None:
        self.leaving = False
        """The resident is to exit: nothing is connected any more, and a lost connection is no news."""
        self._config = config
        self._selector = selector
        self._tell = tell
        self._opened = opened
        self._resolver = Resolver()
        self._connection: Connection | None = None
        self._watched: int | None = None
        self._connect_at: float | None = None
        selector.register(self._resolver.fileno(), selectors.EVENT_READ, self._on_resolved)

    @property
    def there(self) -> bool:
        """There is a connection, or one is being made."""
        return self._connection is not None

    @property
    def due_at(self) -> float | None:
        """When `turn` has something to do, by the monotonic clock."""
        return self._connect_at if self._connection is None else self._connection.deadline

    def connect_in(self, delay: float) -> None:
        """Connect so many seconds from now."""
        self._connect_at = time.monotonic() + delay

    def hurry(self) -> None:
        """Connect now, if it is waited for."""
        self._connect_at = self._connect_at and min(self._connect_at, time.monotonic())

    def anew(self, reason: str) -> None:
        """Give the connection up, if there is one, and make another at once."""
        if self._connection:
            self.lost(reason)
            self._connect_at = time.monotonic()

    def turn(self, now: float) -> None:
        """Do what is due."""
        if self._connection:
            self.use(lambda connection: connection.check(now))
        elif self._connect_at is not None and now >= self._connect_at and not self.leaving:
            self._connect_at = None
            self._connect(now)

    def use(self, use: Callable[[Connection], None]) -> None:
        """Use the connection, if there is one; when that is its end, tell so."""
        if self._connection is None:
            return
        try:
            use(self._connection)
        except Lost as lost:
            self.lost(str(lost))
        else:
            self.watch()

    def lost(self, reason: str) -> None:
        """The connection is no more."""
        self.abandon()
        if not self.leaving:
            self._tell(e.Closed(reason))

    def abandon(self) -> None:
        """Let it go without a word."""
        connection, self._connection = self._connection, None
        self.watch()
        if connection:
            connection.abandon()

    def watch(self) -> None:
        """Watch the connection's socket for just what it waits for."""
        fd = self._connection.fileno() if self._connection else None
        if self._watched is not None and self._watched != fd:
            self._selector.unregister(self._watched)
            self._watched = None
        if fd is None or self._connection is None:
            return
        if self._watched is None:
            self._selector.register(fd, self._connection.wants, self._on_ready)
            self._watched = fd
        elif self._selector.get_key(fd).events != self._connection.wants:
            self._selector.modify(fd, self._connection.wants, self._on_ready)

    def _connect(self, now: float) -> None:
        server = self._config.url
        assert server
        try:
            token = self._config.read_token()
            tls = ssl.create_default_context(cafile=self._config.ca_file) if server.tls else None
        except ConfigError as error:
            self._tell(e.Closed(str(error)))
            return
        except OSError as error:
            self._tell(e.Closed(f"NIXFLEET_CA_FILE={self._config.ca_file}: {error.strerror or error}"))
            return
        self._connection = Connection(
            server,
            token,
            tls,
            f"nixfleet-agent/{__version__}",
            opened=self._opened,
            received=lambda frame: self._tell(e.Received(frame)),
            now=now,
        )
        self._resolver.ask(server.host, server.port)

    def _on_resolved(self, mask: Any) -> None:
        answer = self._resolver.answer()
        if answer is not None and self._connection and self._connection.phase == "resolving":
            now = time.monotonic()
            self.use(lambda connection: connection.resolved(answer, now))

    def _on_ready(self, mask: int) -> None:
        now = time.monotonic()
        self.use(lambda connection: connection.ready(mask, now))
