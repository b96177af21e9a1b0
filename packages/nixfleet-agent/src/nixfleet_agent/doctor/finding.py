"""What one check has found."""

from typing import NamedTuple

EXIT = {"configuration": 2, "connection": 3, "token": 4, "host": 1}
"""Kind of a failure → exit code, the one that goes first first."""
_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "skip": "-   "}


class Finding(NamedTuple):
    """`state` is `ok`, `warn`, `fail` or `skip` (could not be looked at, or isn't needed)."""

    check: str
    state: str
    said: str
    mend: str = ""
    """What to do about it; empty when there is nothing to do."""
    kind: str = "host"
    """Which exit code a failure is worth: a key of EXIT."""

    def __str__(self) -> str:
        line = f"{_MARKS[self.state]} {self.check:<14} {self.said}" + (f" — {self.mend}" if self.mend else "")
        return line.replace("\n", " ")
