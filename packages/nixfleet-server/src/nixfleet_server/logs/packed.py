r"""A log that is over, compressed so that a reader still seeks by line, and `zcat` still shows it all.

The file is a row of gzip members (RFC 1952), each of whole records, each with a field `NF` in its header::

    first sequence number (8 bytes), size of the member (4), size of what it holds (4), little-endian

So a reader hops from header to header and unpacks only what it wants: 4,096 hops for a gibibyte.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nixfleet_server.logs.files import Files

BLOCK = 256 * 1024
"""Bytes of records in one member: small enough to unpack for one page, large enough to compress well."""
_HEAD = struct.Struct("<4sIBBH2sHQII")
_MAGIC = b"\x1f\x8b\x08\x04"  # gzip, deflate, with an extra field
_TAIL = struct.Struct("<II")


class Member(NamedTuple):
    """Where one member is: its first record, its place in the file, its sizes packed and unpacked."""

    first: int
    offset: int
    size: int
    holds: int


def pack(source: Path, target: Path, files: Files) -> int:
    """Write `target` from a log, durable and whole under its name or not at all. Gives its size. Raises OSError."""
    temporary = target.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with source.open("rb") as file:
        fd = files.open(temporary)
        try:
            rest = b""
            while block := file.read(BLOCK):
                whole, _, rest = (rest + block).rpartition(b"\n")
                if whole:
                    files.write(fd, _member(whole + b"\n"))
            files.sync(fd)
            size = files.size(fd)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            files.close(fd)
    temporary.replace(target)
    files.sync_directory(target.parent)
    return size


def unpack(source: Path, target: Path, files: Files) -> None:
    """The reverse of `pack`: for a run that goes on after all, as after a restored backup."""
    temporary = target.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    fd = files.open(temporary)
    try:
        with source.open("rb") as file:
            for member in members(file.fileno()):
                files.write(fd, read_member(file.fileno(), member))
        files.sync(fd)
    finally:
        files.close(fd)
    temporary.replace(target)
    files.sync_directory(target.parent)


def members(fd: int, from_seq: int = 0) -> Iterator[Member]:
    """The members that hold records from `from_seq` on. Ends at what is no member of ours."""
    offset, size = 0, os.fstat(fd).st_size
    before: Member | None = None
    while offset < size:
        head = os.pread(fd, _HEAD.size, offset)
        if len(head) < _HEAD.size:
            break
        magic, _, _, _, _, kind, _, first, length, holds = _HEAD.unpack(head)
        if magic != _MAGIC or kind != b"NF" or length < _HEAD.size + _TAIL.size:
            break
        member = Member(first, offset, length, holds)
        if before is not None and first > from_seq:
            yield before
        before = member
        offset += length
    if before is not None:
        yield before


def read_member(fd: int, member: Member) -> bytes:
    """The records in a member. Raises ValueError when it is damaged."""
    data = os.pread(fd, member.size, member.offset)
    body = data[_HEAD.size : -_TAIL.size]
    try:
        records = zlib.decompress(body, -zlib.MAX_WBITS, member.holds)
    except zlib.error as error:
        raise ValueError(f"a damaged log: {error}") from None
    if _TAIL.unpack(data[-_TAIL.size :]) != (zlib.crc32(records), len(records) & 0xFFFFFFFF):
        raise ValueError("a damaged log: its checksum is wrong")
    return records


def _member(records: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(records) + packer.flush()
    first = int(records.split(b" ", 1)[0])
    length = _HEAD.size + len(body) + _TAIL.size
    head = _HEAD.pack(_MAGIC, 0, 0, 255, 20, b"NF", 16, first, length, len(records))
    return head + body + _TAIL.pack(zlib.crc32(records), len(records) & 0xFFFFFFFF)
