"""What the parts of the application share: made once by `serve`, found on every request."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from nixfleet_protocol import limits
from nixfleet_server.auth.seen import Seen
from nixfleet_server.auth.sessions import SessionCookies
from nixfleet_server.clock import wall_clock
from nixfleet_server.domain.login import Attempts
from nixfleet_server.live.bulk import Bulks
from nixfleet_server.live.history import History
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.ticker import Ticker
from nixfleet_server.settings import Settings
from nixfleet_server.store import access
from nixfleet_server.turns import Turns


@dataclass
class Context:
    """The application's parts. Times in seconds."""

    settings: Settings
    hub: Hub
    ticker: Ticker
    cookies: SessionCookies
    bulks: Bulks
    history: History
    backing_up: bool = False
    """A backup is streamed: a second would only make both slow."""
    register_timeout: float = limits.REGISTER_TIMEOUT
    silence_max: float = limits.SILENCE_MAX
    connections_max: int = limits.CONNECTIONS_MAX
    head_timeout: float = limits.HEAD_TIMEOUT
    body_timeout: float = limits.BODY_TIMEOUT
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)
    probed: dict[str, str] = field(default_factory=dict)
    probed_at: float = float("-inf")
    """What `/readyz` last found out by trying, and when, by the hub's monotonic clock."""
    unready: set[str] = field(default_factory=set)
    """Parts that `/readyz` last found bad."""
    attempts: Attempts = field(default_factory=dict)
    """Logins lately."""
    refusals: Attempts = field(default_factory=dict)
    """Entries of the audit log lately about what was refused."""
    seen: Seen = field(default_factory=Seen)
    stranger: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one login of an unknown browser that is being hashed."""
    strangers_waiting: int = 0
    enrolling: Attempts = field(default_factory=dict)
    """Enrolments lately."""
    started_at: int = field(default_factory=wall_clock)
    started: float = field(default_factory=time.monotonic)
    """When the server started, by both clocks."""
    idempotent: Turns = field(default_factory=Turns)
    """Dispatches with an Idempotency-Key that are under way."""
    hasher: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="hasher")
    )
    """Passwords are hashed one at a time: guessing in parallel gains nothing and can't take all the memory."""

    async def save_seen(self) -> None:
        """Write when sessions and tokens were last used."""
        uses = self.seen.take(self.hub.now())
        if uses:
            await self.hub.db.write(lambda db: access.write_seen(db, uses))


def context(connection: HTTPConnection) -> Context:
    """The context of a request or socket."""
    found: Context = connection.app.state.context
    return found


def client_of(connection: HTTPConnection) -> str:
    """The client's address; behind a proxy only what a trusted one says."""
    return connection.client.host if connection.client else ""
