"""A log of any size, written straight into a server's data in its own format: streaming a million lines takes minutes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

from nixfleet_protocol.record import Record
from tests.support.lab import Lab


def text(seq: int) -> bytes:
    """The line that `grow` writes: one in fifty has a colour."""
    body = b"building '/nix/store/%032x-package-%d.drv'" % (seq * 2654435761 % 2**128, seq % 977)
    return b"\x1b[32m%d\x1b[0m %b" % (seq, body) if seq % 50 == 0 else b"%d %b" % (seq, body)


def grow(lab: Lab, run_id: str, lines: int, line: Callable[[int], bytes] = text) -> None:
    """Give an ended run a log of so many lines. Restarts the server."""
    lab.server.process.end()
    path = lab.server.data / "logs" / f"{run_id}.log"
    with path.open("wb") as file:
        for first in range(1, lines + 1, 10_000):
            file.write(
                b"".join(
                    Record(seq, 1_760_000_000_000 + seq, "stdout", line(seq)).encode()
                    for seq in range(first, min(first + 10_000, lines + 1))
                )
            )
    (database,) = lab.server.data.glob("*.db*")
    with closing(sqlite3.connect(database)) as connection, connection:
        changed = connection.execute("UPDATE run SET lines = ? WHERE run_id = ?", (lines, run_id)).rowcount
    assert changed == 1
    lab.server.start()
