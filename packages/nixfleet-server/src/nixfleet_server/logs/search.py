"""Words in a whole log. One thread does it, for so long and no longer: a gibibyte must not keep anybody else waiting."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from nixfleet_protocol.record import Record, parse
from nixfleet_protocol.text import to_text
from nixfleet_server.logs.read import blocks

TOTAL_MAX = 100_000
"""Matches that are counted."""
SECONDS = 20.0
"""For one search; then it tells where to go on."""


class Found(NamedTuple):
    """Records that hold the words; how many there are in all, and where to ask for more, if there is more."""

    records: list[Record]
    total: int
    next_seq: int | None


def search(
    path: Path,
    words: str,
    from_seq: int,
    last_seq: int,
    limit: int,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Records up to `last_seq` whose line holds `words`, whatever the case. Raises OSError, ValueError."""
    records: list[Record] = []
    total, next_seq = 0, None
    for record in _matches(path, words, from_seq, clock):
        if isinstance(record, int):  # out of time, this far
            next_seq = next_seq or record
            break
        if record.seq > last_seq or (total >= TOTAL_MAX and next_seq is not None):
            break
        total = min(total + 1, TOTAL_MAX)
        if record.seq < from_seq:
            continue
        if len(records) < limit:
            records.append(record)
        elif next_seq is None:
            next_seq = record.seq
    return Found(records, total, next_seq)


def _matches(path: Path, words: str, from_seq: int, clock: Callable[[], float]) -> Iterator[Record | int]:
    """The same as `_candidates`, of the whole log. What is before `from_seq` is only counted: when that alone takes all
    its time, the rest is left out, so that whoever goes on from where we stopped gets further each time."""
    seconds = SECONDS if from_seq <= 1 else SECONDS / 2
    for record in _candidates(path, words, 0, clock, seconds):
        if not isinstance(record, int) or record > from_seq:
            yield record
            continue
        for later in _candidates(path, words, from_seq, clock, seconds):
            if isinstance(later, int) or later.seq >= from_seq:
                yield later


def _candidates(
    path: Path, words: str, from_seq: int, clock: Callable[[], float], seconds: float
) -> Iterator[Record | int]:
    """Records that hold the words, from one at or a little before `from_seq` on; the number of the next one, last, when
    it took so many seconds: one beyond `from_seq`."""
    end = clock() + seconds
    holds = _matcher(words)
    for block in blocks(path, from_seq):
        seq = 0
        for line in _lines_with(block, words):
            try:
                record = parse(line)
            except ValueError:
                return
            seq = record.seq
            if holds(record.data):
                yield record
        if clock() > end:
            following = (seq or int(block.rpartition(b"\n")[0].rpartition(b"\n")[2].split(b" ", 1)[0])) + 1
            if following > from_seq:
                yield following
                return


def _matcher(words: str) -> Callable[[bytes], bool]:
    if words.isascii():
        pattern = re.compile(re.escape(words.encode()), re.IGNORECASE)
        return lambda data: pattern.search(data) is not None
    folded = words.casefold()
    return lambda data: folded in to_text(data).casefold()


def _lines_with(block: bytes, words: str) -> Iterator[bytes]:
    """Lines of the block that may hold the words: all of them, where bytes alone can't tell."""
    if not words.isascii():
        yield from (
            line + b"\n" for line in block.split(b"\n")[:-1]
        )  # not splitlines: a CR belongs to its record
        return
    end = 0
    for found in re.finditer(re.escape(words.encode()), block, re.IGNORECASE):
        if found.start() < end:
            continue  # another one on the same line
        start = block.rfind(b"\n", 0, found.start()) + 1
        end = block.find(b"\n", found.start()) + 1
        yield block[start:end]
