"""Reading a log by sequence number. A record names its number at the start of its line, so the file is its own index."""

import os
from collections.abc import Iterator
from pathlib import Path

from nixfleet_protocol.record import Record, parse
from nixfleet_server.logs import packed

_BLOCK = 64 * 1024
_PROBE = 4 * 1024
_HEAD = 24


def read(path: Path, from_seq: int, max_records: int, max_bytes: int = 1 << 20) -> list[Record]:
    """Records from `from_seq` on: at most `max_records`, and no more once `max_bytes` are reached.

    Gives an empty list when there is no such record, or no file. Raises OSError.
    """
    found: list[Record] = []
    size = 0
    for record in _records(path, from_seq):
        if record.seq < from_seq:
            continue
        found.append(record)
        size += len(record.data)
        if len(found) >= max_records or size >= max_bytes:
            break
    return found


def tail(path: Path) -> tuple[int, int]:
    """The last whole record's number and the offset after it; (0, 0) for an empty or missing file.

    What follows is torn, or was never written as a record: after a power loss a file may end in anything.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0, 0
    try:
        end = _last_line_end(fd, os.fstat(fd).st_size)
        if end == 0:
            return 0, 0
        start = _last_line_end(fd, end - 1)
        try:
            return parse(_pread(fd, start, end)).seq, end
        except ValueError:
            return _good_part(fd, end)
    finally:
        os.close(fd)


def _good_part(fd: int, size: int) -> tuple[int, int]:
    """The end of the unbroken run of records from the start of the file."""
    seq = offset = 0
    for line in _lines(fd, 0, size):
        try:
            record = parse(line)
        except ValueError:
            break
        if record.seq != seq + 1:
            break
        seq, offset = record.seq, offset + len(line)
    return seq, offset


def packed_path(path: Path) -> Path:
    """Where the log of this path is once it is packed."""
    return path.with_name(path.name + ".gz")


def blocks(path: Path, from_seq: int = 0) -> Iterator[bytes]:
    """The log in pieces of whole records, from one at or a little before `from_seq` on, packed or not.

    Raises OSError, and ValueError when it is damaged.
    """
    fd, is_packed = _open(path)
    if fd is None:
        return
    try:
        if is_packed:
            for member in packed.members(fd, from_seq):
                yield packed.read_member(fd, member)
            return
        size = os.fstat(fd).st_size
        offset, rest = _locate(fd, size, from_seq), b""
        while offset < size:
            block = os.pread(fd, min(_BLOCK, size - offset), offset)
            if not block:
                return
            offset += len(block)
            whole, feed, rest = (rest + block).rpartition(b"\n")
            if feed:
                yield whole + feed
    finally:
        os.close(fd)


def _open(path: Path) -> tuple[int | None, bool]:
    for place in (path, packed_path(path), path):  # again: a log may have been unpacked meanwhile
        try:
            return os.open(place, os.O_RDONLY | os.O_CLOEXEC), place != path
        except FileNotFoundError:
            continue
    return None, False


def _records(path: Path, from_seq: int) -> Iterator[Record]:
    for block in blocks(path, from_seq):
        for line in block.split(b"\n")[:-1]:
            try:
                yield parse(line + b"\n")
            except ValueError:
                return


def _locate(fd: int, size: int, seq: int) -> int:
    """The offset of some record at or a little before `seq`."""
    low, high = 0, size
    while high - low > _BLOCK:
        middle = (low + high) // 2
        start = _next_line(fd, middle, high)
        if start is None or _seq_at(fd, start) > seq:
            high = middle
        else:
            low = start
    return low


def _next_line(fd: int, offset: int, end: int) -> int | None:
    while offset < end:
        block = os.pread(fd, min(_PROBE, end - offset), offset)
        if not block:
            return None
        found = block.find(b"\n")
        if found >= 0:
            return offset + found + 1 if offset + found + 1 < end else None
        offset += len(block)
    return None


def _seq_at(fd: int, offset: int) -> int:
    head = os.pread(fd, _HEAD, offset).partition(b" ")[0]
    return int(head) if head.isdigit() else 0


def _last_line_end(fd: int, size: int) -> int:
    """The offset after the last LF before `size`; 0 when there is none."""
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _lines(fd: int, offset: int, size: int) -> Iterator[bytes]:
    """Whole lines; a torn one at the end is left out."""
    rest = b""
    while offset < size:
        block = os.pread(fd, min(_BLOCK, size - offset), offset)
        if not block:
            return
        offset += len(block)
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _pread(fd: int, start: int, end: int) -> bytes:
    data = b""
    while len(data) < end - start:
        block = os.pread(fd, end - start - len(data), start + len(data))
        if not block:
            break
        data += block
    return data
