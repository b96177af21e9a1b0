"""The hub: hosts, runs under way and watchers, and how a change to one reaches the others.

It is the one owner of this state. Everything here runs on the event loop and is done before the next await, so nothing
needs a lock; what takes time (database, files, sockets) is awaited, never held for.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages import Metrics, RunView
from nixfleet_protocol.messages.browser import CommandProgress, RunUpdate
from nixfleet_server import logging
from nixfleet_server.clock import wall_clock
from nixfleet_server.domain import timeouts
from nixfleet_server.live import roster
from nixfleet_server.live.counts import Counts
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.queue import send_next
from nixfleet_server.live.run import LiveRun
from nixfleet_server.logs.files import Files
from nixfleet_server.logs.store import LogStore
from nixfleet_server.settings import Settings
from nixfleet_server.store import hosts, runs
from nixfleet_server.store.database import Database

if TYPE_CHECKING:
    from nixfleet_server.live.browser import BrowserConnection

log = logging.get(__name__)

SAVE_SOON = 0.2
"""Seconds in which those who register are written together."""


class Hub:
    """Made on the running event loop; `load` before use, `close` after."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        files: Files | None = None,
        now: Callable[[], int] = wall_clock,
    ) -> None:
        self.db = database
        self.data_dir = settings.data_dir.absolute()
        self.logs = LogStore(settings.data_dir.absolute() / "logs", self._durable, self._log_failed, files)
        self.hosts: dict[str, LiveHost] = {}
        self.runs: dict[str, LiveRun] = {}
        """Runs that have not ended."""
        self.browsers: set[BrowserConnection] = set()
        self.now = now
        self.monotonic = time.monotonic
        self.draining = False
        """The server stops soon: it does all it did, but wants no more connections."""
        self.leaving = False
        """The server is about to stop: it takes nothing new."""
        self.alone = asyncio.Event()
        """Set when the server is leaving and everyone has gone."""
        self.timeouts = timeouts.parse(settings.timeouts)
        self.when_ended: list[Callable[[LiveRun], None]] = []
        """Told of each run that has ended."""
        self.when_measured: list[Callable[[LiveHost, Metrics], None]] = []
        """Told of each measurement."""
        self.counts = Counts()
        self.tells = settings.webhook_url is not None
        """Whether there is a webhook, to which the end of a run may be news."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loading = asyncio.Lock()  # two loads at a time could each undo what the other found
        self._version = 0
        self._saving = False

    async def load(self) -> None:
        """Take over what an earlier server left: the tails of the logs tell how far each run had come."""
        for view in await self.db.read(runs.unfinished):
            self.runs[view.run_id] = LiveRun(view, await self.logs.recover(view.run_id))
        await self.load_hosts()

    async def refresh(self) -> bool:
        """See what another process changed in the database, as `nixfleet-server host add`. True if anything."""
        version = await self.db.version()
        if version == self._version:
            return False
        async with self._loading:  # who asks meanwhile waits too, rather than take the old for the new
            await roster.take(self)
            self._version = version
        return True

    async def load_hosts(self) -> None:
        """Make the hosts those of the database."""
        async with self._loading:
            await roster.take(self)

    def check_token(self, host: LiveHost) -> None:
        """End the host's connection if the token that let it in works no more."""
        if host.connection and not host.record.accepts(host.connection.key, self.now()):
            host.connection.dismiss("revoked", "this host has a new token")

    async def round_trip(self) -> None:
        """Return once nothing holds the hub up."""
        async with self._loading:
            pass

    # What watchers are told

    def host_changed(self, host: LiveHost) -> None:
        """Every watcher gets the host as it is when its turn comes."""
        host.shown = host.face(self.monotonic())
        for browser in self.browsers:
            browser.host_changed(host.name)

    def run_changed(self, run: LiveRun) -> None:
        """Every watcher gets the run, and its host."""
        text = run_text(run.snapshot())
        for browser in self.browsers:
            browser.run_changed(run.view.run_id, text)
        run.wake()
        host = self.hosts.get(run.view.host_id)
        if host:
            self.host_changed(host)

    def run_ended(self, run: LiveRun) -> None:
        """What follows from the end of a run: its host is free, and who waits for it goes on."""
        host = self.hosts.get(run.view.host_id)
        if host is not None and host.queue:
            self.spawn(send_next(self, host))
        view = run.view
        seconds = None if view.started_at is None else ((view.ended_at or 0) - view.started_at) / 1000
        self.counts.run_ended(view.command, view.result or "", seconds)
        for tell in self.when_ended:
            tell(run)

    def measured(self, host: LiveHost, metrics: Metrics) -> None:
        """A host told its load."""
        host.metrics = metrics
        for tell in self.when_measured:
            tell(host, metrics)

    def progressed(self, run: LiveRun) -> None:
        """Every watcher gets how far a run is."""
        if run.progress is None:
            return
        view = run.view
        text = encode(
            CommandProgress(
                host_id=view.host_id, run_id=view.run_id, command=view.command, progress=run.progress
            )
        )
        for browser in self.browsers:
            browser.progressed(view.run_id, text)

    def _durable(self, run_id: str, seq: int) -> None:
        run = self.runs.get(run_id)
        if run is None:
            return
        run.set_durable(seq)
        host = self.hosts.get(run.view.host_id)
        if host and host.connection:
            host.connection.acknowledge(run_id, seq)

    def _log_failed(self, reason: str | None) -> None:
        if reason is None:
            log.info("logs are written again")
        else:
            log.error("logs can't be written: nothing is acknowledged", reason=reason)

    # Housekeeping

    def spawn(self, work: Any) -> None:
        """Run a coroutine in the background; an error in it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("background work failed", exc_info=task.exception())

    def someone_left(self) -> None:
        """A connection is gone."""
        if (
            self.leaving
            and not self.browsers
            and all(host.connection is None for host in self.hosts.values())
        ):
            self.alone.set()

    def save_soon(self) -> None:
        """Have `save` called in a moment: once for all who ask meanwhile."""
        if not self._saving:
            self._saving = True
            self.spawn(self._save_soon())

    async def _save_soon(self) -> None:
        await asyncio.sleep(SAVE_SOON)
        self._saving = False
        await self.save()

    async def save(self) -> None:
        """Write what hosts said of themselves since the last time."""
        unsaved = [host for host in self.hosts.values() if host.unsaved]
        if unsaved:
            for host in unsaved:
                host.unsaved = False
            try:
                await self.db.write(lambda session: hosts.save(session, [host.record for host in unsaved]))
            except BaseException:
                for host in unsaved:
                    host.unsaved = True
                raise

    async def close(self) -> None:
        """Make everything durable and close."""
        await asyncio.get_running_loop().run_in_executor(None, self.logs.stop)
        await asyncio.sleep(0)  # the last acknowledgements of the writer's thread
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        try:
            await self.save()
        finally:
            self.db.close()


def run_text(view: RunView) -> str:
    """A run as the text of a `run_update`."""
    return encode(RunUpdate(**{name: getattr(view, name) for name in RunView.__dataclass_fields__}))
