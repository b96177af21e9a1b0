"""Reading the output of a journal: from after a record, the last one's number, all that are good."""

import contextlib
import os
from collections.abc import Iterator

from nixfleet_protocol import limits
from nixfleet_protocol.record import Record, parse

_BLOCK = 64 * limits.KIB


class Tail:
    """Reads the whole records of a journal's output that come after a sequence number."""

    def __init__(self, path: str, after: int) -> None:
        self.after = after
        """Sequence number of the last record read (or skipped)."""
        self._file = os.path.join(path, "output")
        self._offset: int | None = None

    def read(self, limit: int) -> tuple[list[Record], bool]:
        """The next records, at most `limit`, and whether more are there already."""
        try:
            fd = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return [], False
        try:
            if self._offset is None:
                self._offset = _seek(fd, self.after)
            return self._read(fd, self._offset, limit)
        finally:
            os.close(fd)

    def _read(self, fd: int, offset: int, limit: int) -> tuple[list[Record], bool]:
        block = os.pread(fd, _BLOCK, offset)
        records: list[Record] = []
        start = 0
        while len(records) < limit:
            end = block.find(b"\n", start) + 1
            if not end:
                break
            try:
                record = parse(block[start:end])
            except ValueError:
                break  # what a power loss left behind: `settle` cuts it off
            start = end
            if record.seq > self.after:
                records.append(record)
                self.after = record.seq
        self._offset = offset + start
        return records, start > 0 and (len(block) == _BLOCK or b"\n" in block[start:])


def last_seq(path: str) -> int:
    """Number of the last whole record in a journal's output, 0 when there is none."""
    try:
        fd = os.open(os.path.join(path, "output"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(fd).st_size
        block = os.pread(fd, _BLOCK, max(0, size - _BLOCK))
    finally:
        os.close(fd)
    for line in reversed(block.split(b"\n")[:-1]):
        with contextlib.suppress(ValueError):
            return parse(line + b"\n").seq
    return max((record.seq for record, _ in records(path)), default=0) if size > _BLOCK else 0


def records(path: str) -> Iterator[tuple[Record, int]]:
    """Every good record of a journal with the offset where it ends; stops at the first that is not good."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(path, "output"), "rb") as file:
        seq = end = 0
        for line in file:
            try:
                record = parse(line)
            except ValueError:
                return
            if record.seq <= seq:
                return
            seq = record.seq
            end += len(line)
            yield record, end


def _seek(fd: int, after: int) -> int:
    """Offset of a record's start such that every record numbered above `after` lies behind it. Binary search."""
    low, high = 0, os.fstat(fd).st_size
    while high - low > 2 * _BLOCK:
        middle = (low + high) // 2
        block = os.pread(fd, _BLOCK, middle)
        start = block.find(b"\n") + 1
        number = block[start : start + 20].partition(b" ")[0]
        if not start or not number.isdigit():
            break  # damaged: read on from `low`, which is always right
        if int(number) <= after:
            low = middle + start
        else:
            high = middle + start
    return low
