"""From what programs write to numbered records, byte for byte.

Programs write to plain files (`raw.o`, `raw.e`), never to pipes: a pipe whose reader dies kills its writer, and with it
half an activation. The runner follows the files and moves their content into the journal. How much of a raw file has
been moved is not stored anywhere: it is the sum of what the journal holds of that stream, so it can't disagree.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from nixfleet_agent.journal import Journal, Piece
from nixfleet_protocol import limits, text

STREAMS = {"stdout": "raw.o", "stderr": "raw.e"}
FLUSH_AFTER = 1.0
"""Seconds after which an unfinished line is passed on, so that progress drawn with carriage returns is seen live."""
RETRY_AFTER = 0.5
"""Seconds between two tries to write while the disk refuses."""
TAIL_BYTES = limits.FAILURE_OUTPUT_MAX
_CHUNK = 128 * limits.KIB
_PUNCH_EVERY = limits.MIB


class Cut(NamedTuple):
    """Whole pieces, and what is left of an unfinished line."""

    pieces: list[Piece]
    rest: bytes


def cut(stream: str, data: bytes) -> Cut:
    """Cut bytes into pieces: one a line, longer lines over several, the unfinished end left over."""
    *lines, rest = data.split(b"\n")
    pieces = []
    for line in lines:
        *heads, last = text.split(line, limits.LINE_MAX)
        pieces += [Piece(stream, head, True) for head in heads]
        pieces.append(Piece(stream, last))
    *heads, rest = text.split(rest, limits.LINE_MAX)
    pieces += [Piece(stream, head, True) for head in heads]
    return Cut(pieces, rest)


def whole_characters(data: bytes) -> int:
    """How many of the bytes to pass on so that a character whose end has yet to come isn't cut in two."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return len(data) - back if length > back else len(data)
    return len(data)


class _Stream:
    """One raw file: `taken` bytes of it are in the journal, `rest` follows them, read but unfinished."""

    def __init__(self, name: str, path: str, taken: int) -> None:
        self.name = name
        self.taken = taken
        self.rest = b""
        self.since = 0.0
        self.punched = 0
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    @property
    def waiting(self) -> int:
        return os.fstat(self.fd).st_size - self.taken - len(self.rest)


class Capture:
    """Moves both raw files of a run into its journal."""

    def __init__(
        self, journal: Journal, taken: dict[str, int] | None = None, moved: Callable[[], None] = lambda: None
    ) -> None:
        """`taken`: bytes of each stream that the journal has already. `moved` is called after each write to it."""
        self._journal = journal
        self._moved = moved
        self._retry_at = 0.0
        self._tail_bytes = TAIL_BYTES
        self._streams = [
            _Stream(name, os.path.join(journal.path, file), (taken or {}).get(name, 0))
            for name, file in STREAMS.items()
        ]
        self.tail = b""
        """The last bytes written since `begin`, both streams in the order seen."""

    @property
    def fds(self) -> tuple[int, int]:
        """Descriptors for a program's stdout and stderr; they append."""
        return self._streams[0].fd, self._streams[1].fd

    def begin(self, tail_bytes: int = TAIL_BYTES) -> None:
        """Another program begins: its tail is empty, and will be so long at most."""
        self.tail = b""
        self._tail_bytes = tail_bytes

    def pump(self, now: float) -> bool:
        """Move what is there, at most one chunk of each stream. Returns whether more is waiting already."""
        if now < self._retry_at:
            return False
        more = False
        try:
            for stream in self._streams:
                more |= self._move(stream, now)
            self._journal.sync(now)
        except OSError:  # a full disk: the bytes stay in the raw file until there is room
            self._retry_at = now + RETRY_AFTER
            return False
        return more

    def finish_lines(
        self, now: float, *, patience: float = 5.0, sleep: Callable[[float], None] | None = None
    ) -> None:
        """Move everything written so far, unfinished lines included, and make it durable: a step is over.

        While the disk refuses, tries again for `patience` seconds, then goes on: a disk never stops an activation.
        """
        budget = sum(max(0, stream.waiting) for stream in self._streams) // _CHUNK + 2
        tries = int(patience / RETRY_AFTER)
        while budget:
            try:
                more = False
                for stream in self._streams:
                    more |= self._move(stream, now)
                budget -= 1
                if more and budget:
                    continue
                for stream in self._streams:
                    self._flush(stream, len(stream.rest))
                self._journal.sync()
            except OSError:
                if not tries or sleep is None:
                    return
                tries -= 1
                sleep(RETRY_AFTER)
            else:
                return

    def close(self) -> None:
        for stream in self._streams:
            with contextlib.suppress(OSError):
                self._journal.lost += max(0, stream.waiting) + len(stream.rest)
            os.close(stream.fd)

    def _move(self, stream: _Stream, now: float) -> bool:
        data = os.pread(stream.fd, _CHUNK, stream.taken + len(stream.rest))
        if data:
            found = cut(stream.name, stream.rest + data)
            self._append(found.pieces)
            stream.taken += len(stream.rest) + len(data) - len(found.rest)
            if found.pieces or not stream.rest:
                stream.since = now
            stream.rest = found.rest
            self.tail = (self.tail + data)[-self._tail_bytes :]
            self._punch(stream)
        if stream.rest and now - stream.since >= FLUSH_AFTER:
            self._flush(stream, whole_characters(stream.rest))
            stream.since = now
        return len(data) == _CHUNK

    def _flush(self, stream: _Stream, size: int) -> None:
        if size:
            self._append([Piece(stream.name, stream.rest[:size], True)])
            stream.taken += size
            stream.rest = stream.rest[size:]

    def _append(self, pieces: list[Piece]) -> None:
        if pieces:
            self._journal.append(pieces)
            self._moved()

    def _punch(self, stream: _Stream) -> None:
        """Give back the disk space of what the journal holds by now. Best effort."""
        start, end = stream.punched, stream.taken // 4096 * 4096
        if end - start >= _PUNCH_EVERY and punch_hole(stream.fd, start, end - start):
            stream.punched = end


def punch_hole(fd: int, start: int, length: int) -> bool:
    """Give the disk space of a part of a file back; that part reads as zeros then. Whether it worked."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        keep_size_and_punch = 0x01 | 0x02
        long = ctypes.c_int64
        done: int = libc.fallocate64(fd, keep_size_and_punch, long(start), long(length))
        return done == 0
    return False
