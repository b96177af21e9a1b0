"""What happens because time passes: presence, expiry, changes made by other processes."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DatabaseError

from nixfleet_server import backup, logging
from nixfleet_server.live import deadlines
from nixfleet_server.live.bulk import Bulks
from nixfleet_server.live.history import History
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.keeper import Keeper
from nixfleet_server.live.webhook import Webhook
from nixfleet_server.store import access
from nixfleet_server.store.database import is_damage

log = logging.get(__name__)

TICK = 1.0
"""Seconds between two looks."""
SAVE_EVERY = 5
"""Ticks between two writes of what hosts said of themselves: all that a crash can lose is how lately one was seen."""


class Ticker:
    """Looks after the hub once a second. `beat` is when it last did, by the hub's monotonic clock."""

    def __init__(self, hub: Hub, bulks: Bulks, history: History, keeper: Keeper, webhook: Webhook) -> None:
        self._hub = hub
        self._bulks = bulks
        self._history = history
        self._keeper = keeper
        self._webhook = webhook
        self.lag = 0.0
        """Seconds that the last tick came late: how long the event loop was busy with one thing."""
        self.beat = hub.monotonic()
        self.on_restore: Callable[[], None] = lambda: None
        """Called, once, when something is staged to be restored."""
        self.savers: list[Callable[[], Awaitable[None]]] = [hub.save]
        """What is written now and then."""

    async def run(self) -> None:
        """Tick for ever; a tick that fails is logged and the next one comes."""
        count, failed = 0, False
        while True:
            due = self._hub.monotonic() + TICK
            await asyncio.sleep(TICK)
            self.lag = max(0.0, self._hub.monotonic() - due)
            count += 1
            try:
                await self._tick(save=count % SAVE_EVERY == 0)
                self.beat = self._hub.monotonic()
                failed = False
            except DatabaseError as error:
                if not is_damage(error):
                    log.exception("housekeeping failed")
                elif not failed:  # once, not each second for as long as a disk is full
                    failed = True
                    log.warning("the database can't be used", reason=str(error.orig))
            except Exception:
                log.exception("housekeeping failed")

    async def _tick(self, *, save: bool) -> None:
        hub = self._hub
        now = hub.monotonic()
        for host in hub.hosts.values():
            if host.face(now) != host.shown:
                hub.host_changed(host)
            hub.check_token(host)
        for browser in hub.browsers:
            if browser.expires_at is not None and browser.expires_at <= hub.now():
                browser.close(1008, "the session is over: log in again")
        if not hub.draining and backup.waiting(hub.data_dir):
            log.warning("a backup is to be restored: everyone is sent away for a moment")
            self.on_restore()
            return
        deadlines.look(hub)
        self._bulks.look()
        self._keeper.look()
        self._webhook.look()
        await self._history.tick()
        if await hub.refresh():
            await close_strangers(hub)
        if save:
            for saver in self.savers:
                await saver()


async def close_strangers(hub: Hub) -> None:
    """Close the connections of sessions and tokens that are no longer valid."""
    keys = await hub.db.read(lambda session: access.live_keys(session, hub.now()))
    for browser in list(hub.browsers):
        if browser.key not in keys:
            browser.close(1008, "access was withdrawn: log in again")
