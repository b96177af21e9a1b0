"""Looks after logs of runs that have ended: packs them after a while, and removes what is more than is kept."""

from functools import partial

from nixfleet_server import logging
from nixfleet_server.domain.retention import Limits, surplus
from nixfleet_server.live.hub import Hub
from nixfleet_server.settings import Settings
from nixfleet_server.store import kept

log = logging.get(__name__)

EVERY = 60.0
"""Seconds between two rounds."""
AT_ONCE = 20
"""Logs packed in one round: the thread that does it also searches."""


class Keeper:
    """Made on the running event loop; `look` once a second."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._pack_after = settings.log_compress_after * 1000
        self._limits = Limits(
            settings.log_keep_days,
            settings.log_keep_runs,
            settings.log_keep_bytes,
            settings.log_keep_host_bytes,
        )
        self._due = hub.monotonic() + EVERY
        self._busy = False

    def look(self) -> None:
        """Begin a round when it is time."""
        if not self._busy and self._hub.monotonic() >= self._due:
            self._busy = True
            self._hub.spawn(self._round())

    async def _round(self) -> None:
        try:
            await self.work()
        finally:
            self._busy = False
            self._due = self._hub.monotonic() + EVERY

    async def work(self) -> None:
        """One round."""
        hub = self._hub
        before = hub.now() - self._pack_after
        for run_id in await hub.db.read(partial(kept.to_pack, before=before, most=AT_ONCE)):
            try:
                size = await hub.logs.pack(run_id)
            except OSError as error:
                log.warning("log not packed", run=run_id, reason=error.strerror)
                break  # a full disk, likely: what is removed below makes room
            await hub.db.write(partial(kept.packed, run_id=run_id, size=size))
        gone = surplus(await hub.db.read(kept.newest_first), self._limits, hub.now())
        for one in gone:
            # The database first: a log that is said to be there and isn't would be a lie, the reverse is only untidy.
            await hub.db.write(partial(kept.removed, run_id=one.run_id, now=hub.now()))
            await hub.logs.remove(one.run_id)
        if gone:
            log.info("logs removed", logs=len(gone), bytes=sum(one.size for one in gone))
