"""The thread that writes logs: at once to the file, together to the disk, and only then acknowledged."""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nixfleet_server.logs.files import Files

COMMIT_EVERY = 0.05
"""Seconds between two syncs at least: a sync costs the same for one line as for a thousand."""


class _Append(NamedTuple):
    run_id: str
    data: bytes
    seq: int


class _Close(NamedTuple):
    run_id: str


class LogWriter:
    """Appends to the files of `directory`. Calls `durable` with (run, seq) pairs, and `failed` once, on its own thread."""

    def __init__(
        self,
        directory: Path,
        durable: Callable[[list[tuple[str, int]]], None],
        failed: Callable[[str], None],
        files: Files,
    ) -> None:
        self._directory = directory
        self._durable = durable
        self._failed = failed
        self._files = files
        self._queue: queue.SimpleQueue[_Append | _Close | None] = queue.SimpleQueue()
        self._open: dict[str, int] = {}
        self._dirty: dict[str, int] = {}
        self._new = False
        self._bad = False
        self._last = 0.0
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, run_id: str, data: bytes, seq: int) -> None:
        """Write whole records, the last of which is `seq`. Returns at once."""
        self._queue.put(_Append(run_id, data, seq))

    def close(self, run_id: str) -> None:
        """Nothing more comes for this run."""
        self._queue.put(_Close(run_id))

    def stop(self) -> None:
        """Write and sync what was handed over, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        running = True
        while running:
            running = self._step()
        for fd in self._open.values():
            self._files.close(fd)

    def _step(self) -> bool:
        due = self._last + COMMIT_EVERY
        try:
            wait = max(0.0, due - time.monotonic()) if self._dirty else None
            item = self._queue.get(timeout=wait) if wait != 0.0 else self._queue.get_nowait()
        except queue.Empty:
            self._guard(self._commit)
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
        """After a failed write or sync nobody knows what is on the disk: no second try, no acknowledgement."""
        if self._bad:
            return
        try:
            work()
        except OSError as error:
            self._bad = True
            self._dirty.clear()
            self._failed(f"{self._directory}: {error.strerror or error}")

    def _take(self, item: _Append | _Close) -> None:
        if isinstance(item, _Close):
            if item.run_id in self._dirty:
                self._commit()
            fd = self._open.pop(item.run_id, None)
            if fd is not None:
                self._files.close(fd)
            return
        fd = self._open.get(item.run_id)
        if fd is None:
            path = self._directory / f"{item.run_id}.log"
            self._new = self._new or not path.exists()
            fd = self._open[item.run_id] = self._files.open(path)
        self._files.write(fd, item.data)
        self._dirty[item.run_id] = item.seq

    def _commit(self) -> None:
        if not self._dirty:
            return
        for run_id in self._dirty:
            self._files.sync(self._open[run_id])
        if self._new:
            self._files.sync_directory(self._directory)
            self._new = False
        self._last = time.monotonic()
        pairs = list(self._dirty.items())
        self._dirty.clear()
        self._durable(pairs)
