"""How a step ends: well (Done), with a program that ended (Ran), badly (Failed), or from outside (Ended)."""

from typing import NamedTuple


class Ended(Exception):
    """The run was ended from outside. `result` is `stopped` or `timed_out`; `exit_code` that of what ran, if it ran."""

    def __init__(self, result: str, exit_code: int | None, detail: str = "") -> None:
        super().__init__(result)
        self.result = result
        self.exit_code = exit_code
        self.detail = detail


class Failed(Exception):
    """A step failed: `str()` is the outcome in one line. `result` is that of the run."""

    def __init__(self, message: str, exit_code: int | None = 1, result: str = "failed") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.result = result


class Done(NamedTuple):
    """How a step ended that did not fail: `result` is `ok`, `degraded` or `unconfirmed`."""

    message: str
    result: str = "ok"
    exit_code: int = 0


class Ran(NamedTuple):
    """A program that ended. `tail` is the end of what it wrote, `late` that its own time limit ended it."""

    exit_code: int
    tail: bytes
    late: bool = False

    @property
    def last_line(self) -> str:
        """The last line it wrote that isn't blank: with most programs the reason of a failure."""
        lines = [line.strip() for line in self.tail.decode(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")[:300]
