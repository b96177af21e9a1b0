"""The logs as the rest of the server uses them: append, read, recover; all file work off the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nixfleet_protocol.record import Record
from nixfleet_server import logging
from nixfleet_server.errors import Declined
from nixfleet_server.logs.files import Files
from nixfleet_server.logs.packed import pack, unpack
from nixfleet_server.logs.read import packed_path, read, tail
from nixfleet_server.logs.search import Found, search
from nixfleet_server.logs.writer import LogWriter

log = logging.get(__name__)

SEARCHES_MAX = 4
"""Searches under way and waiting: each may take a thread for many seconds."""


class LogStore:
    """Logs in `directory`. Made on the running event loop, on which it calls back.

    `on_durable(run_id, seq)`; `on_failed(reason)` when nothing can be written, `on_failed(None)` when it can again.
    """

    def __init__(
        self,
        directory: Path,
        on_durable: Callable[[str, int], None],
        on_failed: Callable[[str | None], None],
        files: Files | None = None,
    ) -> None:
        self.bad: str | None = None
        """Why nothing more can be written; None while all is well."""
        self._directory = directory
        self._files = files or Files()
        self._loop = asyncio.get_running_loop()
        self._on_durable = on_durable
        self._on_failed = on_failed
        self._searching = 0
        self._searcher = ThreadPoolExecutor(1, thread_name_prefix="log-keeper")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="log-reader")
        self._writer = LogWriter(directory, self._durable, self._failed, self._files, self._works)

    def append(self, run_id: str, data: bytes, seq: int) -> None:
        """Write whole records, the last of which is `seq`. Returns at once; `on_durable` tells when it is safe."""
        self._writer.append(run_id, data, seq)

    @property
    def waiting(self) -> int:
        """Pieces handed over and not written."""
        return self._writer.waiting

    def close(self, run_id: str) -> None:
        """Nothing more comes for this run."""
        self._writer.close(run_id)

    async def read(
        self, run_id: str, from_seq: int, max_records: int, max_bytes: int = 1 << 20
    ) -> list[Record]:
        """See `read.read`. Also gives what is written but not durable yet."""
        return await self._loop.run_in_executor(
            self._readers, read, self._path(run_id), from_seq, max_records, max_bytes
        )

    async def recover(self, run_id: str) -> int:
        """The last record of a log that an earlier server left, durable when this returns; torn records are cut off."""
        return await self._loop.run_in_executor(self._readers, self._recover, run_id)

    async def search(self, run_id: str, words: str, from_seq: int, last_seq: int, limit: int) -> Found:
        """See `search.search`. One at a time. Raises Declined when too many wait for it."""
        if self._searching >= SEARCHES_MAX:
            raise Declined("too_many_searches", "others are searching: try again in a few seconds")
        self._searching += 1
        try:
            return await self._loop.run_in_executor(
                self._searcher, search, self._path(run_id), words, from_seq, last_seq, limit
            )
        finally:
            self._searching -= 1

    async def pack(self, run_id: str) -> int:
        """Compress the log of a run that has ended. Gives the bytes it takes now; 0 if it has none. Raises OSError."""
        return await self._loop.run_in_executor(self._searcher, self._pack, run_id)

    async def remove(self, run_id: str) -> None:
        """Remove a log for good. Raises OSError."""
        await self._loop.run_in_executor(self._searcher, self._remove, run_id)

    async def round_trip(self) -> None:
        """Return once the writing thread has come this far."""
        done = self._loop.create_future()
        self._writer.call(lambda: self._call(_resolve, done))
        await done

    def stop(self) -> None:
        """Make everything durable and end the threads. Blocks."""
        self._writer.stop()
        self._readers.shutdown()
        self._searcher.shutdown(cancel_futures=True)

    def _recover(self, run_id: str) -> int:
        path = self._path(run_id)
        if not path.exists() and packed_path(path).exists():
            unpack(packed_path(path), path, self._files)
        packed_path(path).unlink(missing_ok=True)
        seq, end = tail(path)
        if not path.exists():
            return 0
        if path.stat().st_size > end:
            os.truncate(path, end)
        # An earlier server's writes may still be only in memory: what we count as ours must be on the disk.
        fd = self._files.open(path)
        try:
            self._files.sync(fd)
        finally:
            self._files.close(fd)
        self._files.sync_directory(self._directory)
        return seq

    def _pack(self, run_id: str) -> int:
        path = self._path(run_id)
        target = packed_path(path)
        if path.exists():
            if path.stat().st_size == 0:
                path.unlink()
                return 0
            try:
                pack(path, target, self._files)
            except ValueError:  # damaged: it stays as it is, and is removed in its turn like any other
                log.warning("log not packed: it is damaged", run=run_id)
                return path.stat().st_size
            path.unlink()
        return target.stat().st_size if target.exists() else 0

    def _remove(self, run_id: str) -> None:
        path = self._path(run_id)
        path.unlink(missing_ok=True)
        packed_path(path).unlink(missing_ok=True)

    def _path(self, run_id: str) -> Path:
        return self._directory / f"{run_id}.log"

    def _durable(self, pairs: list[tuple[str, int]]) -> None:
        self._call(self._tell, pairs)

    def _failed(self, reason: str) -> None:
        self._call(self._fail, reason)

    def _works(self) -> None:
        self._call(self._fail, None)

    def _call(self, function: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop has ended before us: nobody is left to tell
            return

    def _tell(self, pairs: list[tuple[str, int]]) -> None:
        for run_id, seq in pairs:
            self._on_durable(run_id, seq)

    def _fail(self, reason: str | None) -> None:
        self.bad = reason
        self._on_failed(reason)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
