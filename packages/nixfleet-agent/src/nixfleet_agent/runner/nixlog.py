"""Nix's structured log on its way into a run's log: lines that a person reads, and a state for the progress display.

Nix writes records to a file of its own (`raw.n`). What they say in words is appended to `raw.e`, as if Nix had written
it there itself, and so reaches the journal like all output. A runner that dies in the middle loses nothing: the words of
the whole file are always the same, so `recover` adds those that are missing.
"""

import contextlib
import os
import time
from collections.abc import Callable

from nixfleet_agent.files import read_json, swap_json
from nixfleet_agent.nix.pace import Pace
from nixfleet_agent.nix.progress import Snapshot
from nixfleet_agent.nix.reader import NixLog
from nixfleet_agent.runner.capture import RETRY_AFTER, STREAMS, punch_hole
from nixfleet_protocol import limits

_FILE, _MARK = "raw.n", "nix.json"
_CHUNK = 256 * limits.KIB
_KEEP = 64 * limits.MIB
"""Bytes of records kept for `recover`; beyond it the disk gets them back as they are read."""
_COMPARED = 1024
"""Bytes by which one sees that `raw.e` ends in these words and no others."""


class NixOutput:
    """Standard error of one Nix program, `fd`, read while it runs."""

    def __init__(
        self, directory: str, out: int, tell: Callable[[Snapshot], None], clock: Callable[[], float]
    ):
        """`directory` is the run's, `out` a descriptor of its `raw.e`; `tell` gets at most 4 snapshots a second."""
        self._directory = directory
        self._out = out
        self._tell = tell
        self._log = NixLog()
        self._pace = Pace[Snapshot](clock)
        self._offset = 0
        self._punched = 0
        self._owed = b""
        self._file = os.path.join(directory, _FILE)
        how = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self.fd = os.open(self._file, how, 0o600)
        with contextlib.suppress(OSError):  # a full disk: nothing can be recovered then, and nothing is wrong
            swap_json(os.path.join(directory, _MARK), {"start": os.fstat(out).st_size})

    def pump(self) -> bool:
        """Translate what is there, at most one chunk. Returns whether more is waiting already. Raises OSError."""
        self._pay()
        data = os.pread(self.fd, _CHUNK, self._offset)
        if data:
            self._offset += len(data)
            self._owe(self._log.feed(data))
            self._pay()
            self._punch()
        if data or self._pace.wait() == 0:
            self._say(self._pace.offer(self._log.snapshot))
        return len(data) == _CHUNK

    def drain(self, tries: int = 10, sleep: Callable[[float], None] = time.sleep) -> None:
        """Nix has ended: translate the rest. While the disk refuses, tries again for some seconds, then goes on."""
        ended = False
        for _ in range(tries):
            try:
                while self.pump():
                    pass
                if not ended:
                    ended = True
                    self._owe(self._log.end())
                self._pay()
            except OSError:
                sleep(RETRY_AFTER)
            else:
                return

    @property
    def lost(self) -> int:
        """Bytes of words that the disk never took."""
        return len(self._owed)

    def finish(self) -> Snapshot:
        """Tell the last state and return it; the records are no longer needed."""
        self._say(self._pace.last(self._log.snapshot))
        os.close(self.fd)
        _forget(self._directory)
        return self._log.snapshot()

    def _say(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            self._tell(snapshot)

    def _owe(self, lines: list[bytes]) -> None:
        self._owed += b"".join(line + b"\n" for line in lines)

    def _pay(self) -> None:
        while self._owed:
            self._owed = self._owed[os.write(self._out, self._owed) :]

    def _punch(self) -> None:
        start, end = self._punched, (self._offset - _KEEP) // 4096 * 4096
        if end - start >= limits.MIB and punch_hole(self.fd, start, end - start):
            self._punched = end


def recover(directory: str) -> None:
    """After a runner's death: append to `raw.e` what Nix had said and nobody had translated."""
    file = os.path.join(directory, _FILE)
    start = (read_json(os.path.join(directory, _MARK)) or {}).get("start")
    with contextlib.suppress(OSError):
        if isinstance(start, int) and os.path.exists(file):
            _add_missing(file, os.path.join(directory, STREAMS["stderr"]), start)
        _forget(directory)


def _add_missing(records: str, errors: str, start: int) -> None:
    log = NixLog()
    words: list[bytes] = []
    with open(records, "rb") as file:
        if file.read(1) == b"\0":  # given back already
            return
        file.seek(0)
        while data := file.read(_CHUNK):
            words += log.feed(data)
    text = b"".join(line + b"\n" for line in words + log.end())
    with open(errors, "r+b") as out:
        size = out.seek(0, os.SEEK_END) - start
        out.seek(start + max(0, size - _COMPARED))
        end = out.read().lstrip(b"\0")  # what is in the journal already may be zeros by now
        if 0 <= size <= len(text) and text[:size].endswith(end):
            out.write(text[size:])


def _forget(directory: str) -> None:
    for name in (_FILE, _MARK):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(directory, name))
