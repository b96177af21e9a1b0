"""One watcher's connection: what changed since it was last sent, and a cursor for each log it follows.

There is no queue: a slow watcher finds the newest state when it comes to read, and reads logs from where it was.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from nixfleet_protocol import limits
from nixfleet_protocol.decode import Unknown
from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages.browser import HostRemoved, HostUpdate, Notice, Snapshot, Subscribe
from nixfleet_protocol.validate import validator
from nixfleet_protocol.versions import PROTOCOL
from nixfleet_server import logging
from nixfleet_server.__about__ import __version__
from nixfleet_server.live.frames import frames
from nixfleet_server.live.host import LiveHost
from nixfleet_server.live.hub import Hub, run_text
from nixfleet_server.live.life import find
from nixfleet_server.live.run import LiveRun, as_output
from nixfleet_server.live.socket import Connection

log = logging.get(__name__)

_FILE_RECORDS = 500
_FILE_BYTES = 256 * 1024
"""What is read from a log file at a time for one follower."""
_NOTICES = 32


@dataclass(slots=True)
class _Cursor:
    run: LiveRun
    next: int


class BrowserConnection(Connection):
    """Serves one watcher. `key` is the hash of the session or token that let it in; `expires_at` in milliseconds."""

    def __init__(self, socket: WebSocket, hub: Hub, *, peer: str, key: str, expires_at: int | None) -> None:
        super().__init__(socket, peer)
        self.key = key
        self.expires_at = expires_at
        self._hub = hub
        self._answers: deque[str] = deque()
        self._begun: dict[str, str] = {}
        """The `run_update` that opens a subscription, by run: one at most, however often the peer asks unread."""
        self._hosts: dict[str, None] = {}
        self._runs: dict[str, str] = {}
        self._progress: dict[str, str] = {}
        self._cursors: dict[str, _Cursor] = {}
        self._validate = validator("browser → server")

    # What the hub tells it

    def host_changed(self, host_id: str) -> None:
        """The host is to be sent again."""
        self._hosts[host_id] = None
        self._wake.set()

    def run_changed(self, run_id: str, text: str) -> None:
        """The run is now this `run_update`."""
        self._runs[run_id] = text
        self._progress.pop(run_id, None)
        self._wake.set()

    def progressed(self, run_id: str, text: str) -> None:
        """The run's newest `command_progress`."""
        self._progress[run_id] = text
        self._wake.set()

    def wake(self) -> None:
        """There is more to read in a log."""
        self._wake.set()

    # The connection's life

    async def serve(self) -> None:
        """Serve the accepted socket until it is closed."""
        hub = self._hub
        now = hub.monotonic()
        views = tuple(host.view(now) for host in hub.hosts.values())
        snapshot = Snapshot(protocol=str(PROTOCOL), server_version=__version__, at=hub.now(), hosts=views)
        self._answers.append(encode(snapshot))
        hub.browsers.add(self)
        self._wake.set()
        try:
            await super().serve()
        finally:
            hub.browsers.discard(self)
            hub.someone_left()
            for cursor in self._cursors.values():
                cursor.run.followers.discard(self)

    async def _read(self) -> None:
        while True:
            for message in self._validate(await self._receive()):
                if isinstance(message, Unknown):
                    continue
                if isinstance(message, Subscribe):
                    await self._subscribe(message)
                else:
                    self._drop(message.run_id)

    async def _subscribe(self, message: Subscribe) -> None:
        run_id = message.run_id
        self._drop(run_id)
        if len(self._cursors) >= limits.SUBSCRIPTIONS_MAX:
            self._notice(f"at most {limits.SUBSCRIPTIONS_MAX} runs can be followed at once", run_id)
            return
        run = await find(self._hub, run_id)
        if run is None:
            self._notice("there is no such run", run_id)
            return
        if run.view.log_removed_at is not None:
            self._notice("its log was removed, as NIXFLEET_LOG_KEEP_… say", run_id)
        self._runs.pop(run_id, None)  # older than what follows
        self._begun[run_id] = run_text(run.snapshot())
        self._cursors[run_id] = _Cursor(run, max(1, message.from_seq))
        run.followers.add(self)
        self._wake.set()

    def _drop(self, run_id: str) -> None:
        self._begun.pop(run_id, None)
        cursor = self._cursors.pop(run_id, None)
        if cursor is not None:
            cursor.run.followers.discard(self)

    def _notice(self, text: str, run_id: str) -> None:
        if len(self._answers) < _NOTICES:  # who doesn't read can't make us keep answers
            self._answers.append(encode(Notice(level="error", text=text, run_id=run_id)))
        self._wake.set()

    async def _pump(self) -> None:
        texts = [*self._answers, *self._begun.values()]
        self._answers.clear()
        self._begun.clear()
        now = self._hub.monotonic()
        for name in self._hosts:
            host = self._hub.hosts.get(name)
            texts.append(_host_text(host, now) if host else encode(HostRemoved(host_id=name)))
        self._hosts.clear()
        states, self._runs = self._runs, {}
        progress, self._progress = self._progress, {}
        for cursor in list(self._cursors.values()):
            texts += await self._more(cursor)
        texts += progress.values()
        texts += states.values()
        for frame in frames(texts):
            await self._send(frame)

    async def _more(self, cursor: _Cursor) -> list[str]:
        """The next piece of one log; afterwards the other logs have their turn."""
        run = cursor.run
        view = run.view
        texts: list[str] = []
        if cursor.next <= run.received:
            found = run.ring.since(cursor.next, limits.BATCH_MESSAGES)
            if found is None:
                try:
                    records = await self._hub.logs.read(view.run_id, cursor.next, _FILE_RECORDS, _FILE_BYTES)
                except ValueError as error:  # it would end every connection that follows this run, for ever
                    log.warning("log can't be read", run=view.run_id, reason=str(error))
                    self._notice("its log is damaged on the server's disk", view.run_id)
                    self._drop(view.run_id)
                    return []
                found = [encode(as_output(view, record)) for record in records]
            texts = found
            cursor.next += len(texts)
        if view.state == "ended" and (cursor.next > view.lines or not texts):
            if self._cursors.get(view.run_id) is cursor:
                self._drop(view.run_id)
        elif texts and cursor.next <= run.received:
            self._wake.set()
        return texts


def _host_text(host: LiveHost, now: float) -> str:
    view: Any = host.view(now)
    return encode(HostUpdate(**{name: getattr(view, name) for name in HostUpdate.__dataclass_fields__}))
