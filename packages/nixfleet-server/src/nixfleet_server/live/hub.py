"""The hub: hosts, runs under way and watchers, and how a change to one reaches the others.

It is the one owner of this state. Everything here runs on the event loop and is done before the next await, so nothing
needs a lock; what takes time (database, files, sockets) is awaited, never held for.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages import RunView, Status
from nixfleet_protocol.messages.browser import CommandProgress, RunUpdate
from nixfleet_protocol.states import COMMANDS, CommandRule
from nixfleet_server import logging
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.run import LiveRun
from nixfleet_server.logs.files import Files
from nixfleet_server.logs.store import LogStore
from nixfleet_server.settings import Settings
from nixfleet_server.store import hosts, runs
from nixfleet_server.store.database import Database

if TYPE_CHECKING:
    from nixfleet_server.live.browser import BrowserConnection

log = logging.get(__name__)


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


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
        self.logs = LogStore(settings.data_dir.absolute() / "logs", self._durable, self._log_failed, files)
        self.hosts: dict[str, LiveHost] = {}
        self.runs: dict[str, LiveRun] = {}
        """Runs that have not ended."""
        self.browsers: set[BrowserConnection] = set()
        self.now = now
        self.monotonic = time.monotonic
        self.leaving = False
        """The server is about to stop: it takes nothing new."""
        self.alone = asyncio.Event()
        """Set when the server is leaving and everyone has gone."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loading = asyncio.Lock()  # two loads at a time could each undo what the other found
        self._version = 0

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
        self._version = version
        await self.load_hosts()
        return True

    async def load_hosts(self) -> None:
        """Make the hosts those of the database."""
        async with self._loading:
            await self._load_hosts()

    async def _load_hosts(self) -> None:
        records = {record.name: record for record in await self.db.read(hosts.everyone)}
        for name in [name for name in self.hosts if name not in records]:
            self._removed(self.hosts.pop(name))
        for name, record in records.items():
            known = self.hosts.get(name)
            if known is None:
                last = await self.db.read(partial(runs.last_of, host=name))
                self.hosts.setdefault(name, LiveHost(record, last))
                self.host_changed(self.hosts[name])
            else:
                self._changed_elsewhere(known, record.token_hash, record.criticality)
        self.hosts = {name: self.hosts[name] for name in records if name in self.hosts}
        for run in list(self.runs.values()):
            host = self.hosts.get(run.view.host_id)
            if host is None:
                self.finish(run, Status(**_end_of(run, self.now(), "lost", "the host was removed")))
            elif not rule(run.view.command).always:
                host.run = run

    def _removed(self, host: LiveHost) -> None:
        log.info("host removed", host=host.name)
        if host.connection:
            host.connection.dismiss("removed", "this host was removed from the fleet")
        self.host_changed(host)

    def _changed_elsewhere(self, host: LiveHost, token_hash: str, criticality: str) -> None:
        if host.record.token_hash != token_hash:
            log.info("token rotated", host=host.name)
            host.record.token_hash = token_hash
            if host.connection:
                host.connection.dismiss("revoked", "this host has a new token")
        if host.record.criticality != criticality:
            host.record.criticality = criticality
            self.host_changed(host)

    # What watchers are told

    def host_changed(self, host: LiveHost) -> None:
        """Every watcher gets the host as it is when its turn comes."""
        host.shown = host.presence(self.monotonic())
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

    # The life of runs

    async def find(self, run_id: str) -> LiveRun | None:
        """A run by its id, under way or ended; None when there is none."""
        live = self.runs.get(run_id)
        if live is not None and live.committed:
            return live
        view = await self.db.read(lambda session: runs.get(session, run_id))
        return LiveRun(view, view.lines) if view else None

    def admit(self, run: LiveRun) -> None:
        """A new run is under way."""
        self.runs[run.view.run_id] = run
        host = self.hosts.get(run.view.host_id)
        if host and not rule(run.view.command).always:
            host.run = run

    def withdraw(self, run: LiveRun) -> None:
        """A run that could not be committed never was."""
        self._drop(run)

    async def begin(self, run: LiveRun, status: Status) -> None:
        """The agent says that the run began; saying so again changes nothing."""
        run.pid = status.pid or run.pid
        if run.view.state in ("queued", "sent"):
            view = await self.db.write(lambda session: runs.begin(session, run.view.run_id, status.at))
            if view is None or run.view.state == "ended":
                return
            run.view = view
        self.run_changed(run)

    def finish(self, run: LiveRun, status: Status) -> None:
        """End a run, once its log is durable: a run ends once, so only the first result counts."""
        if run.ending is None:
            run.ending = status
            self.spawn(self._settle(run, status))

    async def _settle(self, run: LiveRun, status: Status) -> None:
        run_id = run.view.run_id
        try:
            await run.durable_through(run.received)
            lines, now = run.received, self.now()
            view = await self.db.write(lambda session: runs.end(session, run_id, status, lines, now))
        except Exception:
            run.ending = None  # the agent sends the result again when it reconnects
            raise
        self._drop(run)
        if view is None:
            return
        run.view, run.ending = view, None
        log.info(
            "run ended", run=run_id, host=view.host_id, command=view.command, result=view.result, lines=lines
        )
        host = self.hosts.get(view.host_id)
        if host:
            if view.command != "stop":
                host.last_run = view
            if host.connection:
                host.connection.acknowledge(run_id, lines, ended=True)
        self.run_changed(run)

    def _drop(self, run: LiveRun) -> None:
        self.runs.pop(run.view.run_id, None)
        self.logs.close(run.view.run_id)
        host = self.hosts.get(run.view.host_id)
        if host and host.run is run:
            host.run = None

    def _durable(self, run_id: str, seq: int) -> None:
        run = self.runs.get(run_id)
        if run is None:
            return
        run.set_durable(seq)
        host = self.hosts.get(run.view.host_id)
        if host and host.connection:
            host.connection.acknowledge(run_id, seq)

    def _log_failed(self, reason: str) -> None:
        log.error("logs can't be written: nothing is acknowledged until a restart", reason=reason)

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

    async def save(self) -> None:
        """Write what hosts said of themselves since the last time."""
        unsaved = [host for host in self.hosts.values() if host.unsaved]
        if unsaved:
            for host in unsaved:
                host.unsaved = False
            await self.db.write(lambda session: hosts.save(session, [host.record for host in unsaved]))

    async def close(self) -> None:
        """Make everything durable and close."""
        await asyncio.get_running_loop().run_in_executor(None, self.logs.stop)
        await asyncio.sleep(0)  # the last acknowledgements of the writer's thread
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        await self.save()
        self.db.close()


def rule(command: str) -> CommandRule:
    """The table's row; a command of a later version counts as an ordinary one."""
    return COMMANDS.get(command, CommandRule(command))


def run_text(view: RunView) -> str:
    """A run as the text of a `run_update`."""
    return encode(RunUpdate(**{name: getattr(view, name) for name in RunView.__dataclass_fields__}))


def _end_of(run: LiveRun, at: int, result: str, message: str) -> dict[str, Any]:
    return {
        "run_id": run.view.run_id,
        "command": run.view.command,
        "status": result,
        "at": at,
        "message": message,
    }
