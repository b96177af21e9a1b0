r"""The log file: what the agent's journal and the server's log hold, byte for byte the same.

One record is one line of the file::

    SEQ SP MILLISECONDS SP STREAM ["+"] SP BYTES LF

SEQ counts from 1 over all streams of a run and strictly rises. MILLISECONDS since the epoch is the agent's clock, for
people. STREAM is `o` (stdout), `e` (stderr) or `n` (a note by NixFleet itself). A `+` says that the line goes on in the
next record of its stream: it was longer than LINE_MAX, or the program ended without a final newline. BYTES are the
program's own, never decoded; they hold no LF, since LF ends the line they came from. So `cut -d' ' -f4-` shows a log.

A record counts only when its LF is there: what follows the last LF is torn and is cut off.
"""

from typing import NamedTuple

STREAMS = {"stdout": b"o", "stderr": b"e", "note": b"n"}
_NAMES = {letter: name for name, letter in STREAMS.items()}


class Record(NamedTuple):
    """One record. `data` has no LF; `partial` means the line goes on in the next record of the stream."""

    seq: int
    at: int
    stream: str
    data: bytes
    partial: bool = False

    def encode(self) -> bytes:
        """The record as one line of the file, LF included."""
        mark = STREAMS[self.stream] + b"+" if self.partial else STREAMS[self.stream]
        return b"%d %d %b %b\n" % (self.seq, self.at, mark, self.data)

    def raw(self) -> bytes:
        """What the program wrote: the data, and the LF unless the line goes on."""
        return self.data if self.partial else self.data + b"\n"


def parse(line: bytes) -> Record:
    """Read one line of a log file, its LF included.

    Raises ValueError when it is torn (no LF) or not a record.
    """
    head = line.split(b" ", 3)
    if len(head) != 4 or not line.endswith(b"\n"):
        raise ValueError("a torn or foreign record")
    seq, at, mark, data = head
    name = _NAMES.get(mark[:1])
    if (
        name is None
        or mark[1:] not in (b"", b"+")
        or not (seq.isdigit() and at.isdigit())
        or len(seq) + len(at) > 32
    ):
        raise ValueError("a torn or foreign record")
    return Record(int(seq), int(at), name, data[:-1], len(mark) == 2)
