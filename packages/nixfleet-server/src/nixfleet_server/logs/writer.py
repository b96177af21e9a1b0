"""The thread that writes logs: at once to the file, together to the disk, and only then acknowledged."""

import errno
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nixfleet_server.logs.files import Files

COMMIT_EVERY = 0.05
"""Seconds between two syncs at least: a sync costs the same for one line as for a thousand."""
RETRY_EVERY = 1.0
"""Seconds between attempts while there is no room: soon enough for a person who has just made some."""
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_NO_ROOM = _NO_FILES | {errno.ENOSPC, errno.EDQUOT}
"""What passes: files are closed again, and people make room. The data is in our hands, so nothing is lost by waiting."""


class _Append(NamedTuple):
    run_id: str
    data: bytes
    seq: int


class _Close(NamedTuple):
    run_id: str


class _Call(NamedTuple):
    function: Callable[[], None]


@dataclass(slots=True)
class _File:
    fd: int
    size: int
    """Bytes of whole records, to which it is cut back when a write fails in the middle."""


class LogWriter:
    """Appends to the files of `directory`. Calls back on its own thread.

    `durable` gets (run, seq) pairs. `failed` gets the reason why nothing can be written: for lack of room or of files,
    which is tried again until `mended`, or for good.
    """

    def __init__(
        self,
        directory: Path,
        durable: Callable[[list[tuple[str, int]]], None],
        failed: Callable[[str], None],
        files: Files,
        mended: Callable[[], None] = lambda: None,
    ) -> None:
        self._directory = directory
        self._durable = durable
        self._failed = failed
        self._mended = mended
        self._files = files
        self._queue: queue.SimpleQueue[_Append | _Close | _Call | None] = queue.SimpleQueue()
        self._open: dict[str, _File] = {}
        self._dirty: dict[str, int] = {}
        self._new = False
        self._bad = False
        self._stopping = threading.Event()
        self._last = 0.0
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, run_id: str, data: bytes, seq: int) -> None:
        """Write whole records, the last of which is `seq`. Returns at once."""
        self._queue.put(_Append(run_id, data, seq))

    @property
    def waiting(self) -> int:
        """Pieces handed over and not written."""
        return self._queue.qsize()

    def close(self, run_id: str) -> None:
        """Nothing more comes for this run."""
        self._queue.put(_Close(run_id))

    def call(self, function: Callable[[], None]) -> None:
        """Call it on the writer's thread, in turn."""
        self._queue.put(_Call(function))

    def stop(self) -> None:
        """Write and sync what was handed over, as far as there is room, and end the thread."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        running = True
        while running:
            running = self._step()
        for file in self._open.values():
            self._files.close(file.fd)

    def _step(self) -> bool:
        due = self._last + COMMIT_EVERY
        try:
            wait = max(0.0, due - time.monotonic()) if self._dirty else None
            item = self._queue.get(timeout=wait) if wait != 0.0 else self._queue.get_nowait()
        except queue.Empty:
            self._guard(self._commit)
            return True
        if isinstance(item, _Call):
            item.function()
            return True
        if item is None:
            self._guard(self._commit)
            return False
        self._guard(lambda: self._take(item))
        if self._dirty and time.monotonic() >= due and self._queue.empty():
            self._guard(self._commit)
        elif self._dirty and time.monotonic() >= due + COMMIT_EVERY:
            self._guard(self._commit)  # a queue that never empties must not put off the acknowledgements
        return True

    def _guard(self, work: Callable[[], None]) -> None:
        """After a failed sync nobody knows what is on the disk: no second try, no acknowledgement."""
        if self._bad:
            return
        try:
            work()
        except OSError as error:
            self._bad = True
            self._dirty.clear()
            self._failed(f"{self._directory}: {error.strerror or error}; the server has to be restarted")

    def _insist(self, work: Callable[[], None], passing: frozenset[int]) -> None:
        """Do it, again and again while it fails for a reason that passes. What comes later waits, so the order stays."""
        waited = False
        while True:
            try:
                work()
                break
            except OSError as error:
                if error.errno not in passing:
                    raise
                if not waited:
                    waited = True
                    self._failed(f"{self._directory}: {error.strerror}; tried again every second")
                if self._stopping.wait(RETRY_EVERY):
                    raise  # agents keep what was not acknowledged
        if waited:
            self._mended()

    def _take(self, item: _Append | _Close) -> None:
        if isinstance(item, _Close):
            if item.run_id in self._dirty:
                self._commit()
            file = self._open.pop(item.run_id, None)
            if file is not None:
                self._files.close(file.fd)
            return
        self._insist(lambda: self._write(item), _NO_ROOM)
        self._dirty[item.run_id] = item.seq

    def _write(self, item: _Append) -> None:
        """All or nothing."""
        file = self._open.get(item.run_id)
        if file is None:
            path = self._directory / f"{item.run_id}.log"
            self._new = self._new or not path.exists()
            fd = self._files.open(path)
            file = self._open[item.run_id] = _File(fd, self._files.size(fd))
        try:
            self._files.write(file.fd, item.data)
        except OSError:
            self._files.truncate(file.fd, file.size)
            raise
        file.size += len(item.data)

    def _commit(self) -> None:
        if not self._dirty:
            return
        for run_id in self._dirty:
            self._files.sync(self._open[run_id].fd)
        if self._new:
            # Opening it may fail for now; a sync that fails is final, so lack of room does not pass here.
            self._insist(lambda: self._files.sync_directory(self._directory), _NO_FILES)
            self._new = False
        self._last = time.monotonic()
        pairs = list(self._dirty.items())
        self._dirty.clear()
        self._durable(pairs)
