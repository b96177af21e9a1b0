"""Tells the webhook: a host that stays away, a run that failed or was rolled back. One at a time, off the event loop.

An event is owed from the moment it is true, and sent until it is taken. It is sent again only when we died between its
being taken and our writing that down: then with the same id.
"""

import asyncio
import http.client
import ssl
from functools import partial
from urllib.parse import urlsplit

from nixfleet_server import logging
from nixfleet_server.__about__ import __version__
from nixfleet_server.domain import events
from nixfleet_server.live.hub import Hub
from nixfleet_server.settings import Settings
from nixfleet_server.store import outbox
from nixfleet_server.store.outbox import Owed

log = logging.get(__name__)

TIMEOUT = 10.0
"""Seconds for one delivery."""
AT_ONCE = 20
PRUNE_EVERY = 3600.0


class Webhook:
    """Made on the running event loop; `look` once a second. Without a URL it does nothing."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._url = settings.webhook_url.get_secret_value() if settings.webhook_url else None
        self._grace = settings.webhook_grace
        self._started = hub.monotonic()
        self._away: dict[str, int] = {}
        """When hosts were last seen whose outage is told: one that came back between two looks has a new one."""
        self._busy = False
        self._pruned = float("-inf")
        self.attempts = self.failures = 0

    def look(self) -> None:
        """See who is away, and send what is owed."""
        if self._url is not None and not self._busy:
            self._busy = True
            self._hub.spawn(self._round(self._url))

    async def _round(self, url: str) -> None:
        try:
            await self._notice()
            await self._deliver(url)
        finally:
            self._busy = False

    async def _notice(self) -> None:
        hub = self._hub
        now = hub.monotonic()
        for host in list(hub.hosts.values()):
            seen = host.record.last_seen_at
            if seen is None or host.presence(now) in ("online", "stale"):
                self._away.pop(host.name, None)
            elif self._away.get(host.name) != seen and now - max(host.heard, self._started) > self._grace:
                await hub.save()  # the time that is its name is the one that a next start finds
                key, body = events.of_offline(host.name, seen)
                await hub.db.write(partial(outbox.add, key=key, body=body, now=hub.now()))
                self._away[host.name] = seen

    async def _deliver(self, url: str) -> None:
        hub = self._hub
        if hub.monotonic() - self._pruned > PRUNE_EVERY:
            self._pruned = hub.monotonic()
            await hub.db.write(partial(outbox.prune, now=hub.now()))
        for owed in await hub.db.read(partial(outbox.due, now=hub.now(), most=AT_ONCE)):
            if hub.leaving:
                return
            self.attempts += 1
            problem = await asyncio.to_thread(post, url, owed)
            if problem is None:
                await hub.db.write(partial(outbox.sent, id=owed.id, now=hub.now()))
                continue
            self.failures += 1
            seconds = events.retry_after(owed.attempts + 1)
            log.warning("webhook not delivered", event=owed.event_id, reason=problem, again_in=seconds)
            await hub.db.write(partial(outbox.failed, id=owed.id, next_at=hub.now() + int(seconds * 1000)))


def post(url: str, owed: Owed) -> str | None:
    """Send one event. Gives what went wrong, without the URL, which may hold a secret. Follows no redirection."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"nixfleet-server/{__version__}",
        "Idempotency-Key": owed.event_id,
    }
    path = parts.path or "/"
    try:
        connection.request(
            "POST", f"{path}?{parts.query}" if parts.query else path, owed.body.encode(), headers
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if 200 <= status < 300 else f"HTTP {status}"
