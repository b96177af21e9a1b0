"""What the steps of a command work with: programs run under watch, notes, progress, and the word to stop."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from nixfleet_agent.config import Config
from nixfleet_agent.doorbell import Doorbell
from nixfleet_agent.events import Request
from nixfleet_agent.files import swap_json
from nixfleet_agent.journal import Journal
from nixfleet_agent.runner import children
from nixfleet_agent.runner.capture import Capture
from nixfleet_agent.system import foreign
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import ProgressState

GRACE = 3.0
"""Seconds between asking a process tree to end and killing it."""
_KILL_LIMIT = 5.0
"""Seconds to see killed processes gone."""
_POLL = 0.02
"""Seconds between two looks at the raw output: below what a person notices."""
_END_POLL = 0.05
"""The same while a process tree is ended: each look walks the process table."""
_PROGRESS_EVERY = 0.25


class Ended(Exception):
    """The run was ended from outside. `result` is `stopped` or `timed_out`; `exit_code` that of what ran, if it ran."""

    def __init__(self, result: str, exit_code: int | None, detail: str = "") -> None:
        super().__init__(result)
        self.result = result
        self.exit_code = exit_code
        self.detail = detail


class Failed(Exception):
    """A step failed: `str()` is the outcome in one line."""

    def __init__(self, message: str, exit_code: int | None = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


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


class Context:
    """One run under way. Its effects are programs, the journal, and progress.json."""

    def __init__(
        self,
        config: Config,
        request: Request,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.monotonic,
        grace: float = GRACE,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self.config = config
        self.request = request
        self.journal = journal
        self.stop_asked = False
        self._clock = clock
        self._grace = grace
        self._deadline = clock() + request.options.timeout if request.options.timeout else None
        self._bell = Doorbell(config.resident_dir)
        self._capture = Capture(journal, moved=self._ring)
        self._alarm = children.Alarm()
        self._sessions: set[int] = set()
        self._progress_at = 0.0
        self._env = foreign(env) | {"NIXFLEET_HOSTNAME": config.hostname, "NIXFLEET_RUN_ID": request.run_id}

    def note(self, text: str) -> None:
        """Put a word of ours into the log."""
        self.journal.note(text)
        self._ring()

    def progress(self, state: ProgressState) -> None:
        """Show how far it is; states that follow one another faster than 4 a second are left out, unless the last."""
        now = self._clock()
        final = state.total > 0 and state.current >= state.total
        if now - self._progress_at < _PROGRESS_EVERY and state.current and not final:
            return
        self._progress_at = now
        with contextlib.suppress(OSError):
            swap_json(os.path.join(self.journal.path, "progress.json"), to_dict(state))
        self._ring()

    def check(self) -> None:
        """Between two steps: raises Ended when the run is to end."""
        if why := self._why():
            raise Ended(why, None)

    def run(
        self, argv: list[str], cwd: str, *, env: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> Ran:
        """Run a program to its end, its output going into the log.

        Raises Ended when the run is stopped or its time is over; the whole process tree is gone by then. Raises
        Failed when the program can't be started. `timeout` is this program's own limit, in seconds.
        """
        self.check()
        self._capture.tail = b""
        try:
            child = children.start(argv, cwd, {**self._env, **(env or {})}, *self._capture.fds)
        except OSError as error:
            raise Failed(f"{argv[0]} can't be started: {error.strerror}", 127) from None
        self._sessions.add(child.pid)
        own_deadline = self._clock() + timeout if timeout else None
        why = None
        while True:
            more = self._capture.pump(self._clock())
            if child.poll() is not None:
                break
            children.reap_orphans(child.pid)
            why = self._why()
            if why is None and own_deadline is not None and self._clock() >= own_deadline:
                why = "late"
            if why:
                break
            if not more:
                self._alarm.wait(_POLL)
        if why:
            left = self._end_all(child)
            with contextlib.suppress(Exception):
                child.wait(0.1)
        self._capture.finish_lines(self._clock(), sleep=time.sleep)
        self._ring()
        code = None if child.returncode is None else children.exit_code(child.returncode)
        if why in ("stopped", "timed_out"):
            detail = f"; these processes could not be ended: {', '.join(map(str, left))}" if left else ""
            raise Ended(why, code, detail)
        return Ran(124 if why else code or 0, self._capture.tail, bool(why))

    def close(self) -> None:
        """Collect the last output, also that of programs left running in the background."""
        self._capture.finish_lines(self._clock(), sleep=time.sleep)
        self._capture.close()
        self._bell.close()
        self._alarm.close()

    def _why(self) -> str | None:
        if self.stop_asked:
            return "stopped"
        if self._deadline is not None and self._clock() >= self._deadline:
            return "timed_out"
        return None

    def _end_all(self, child: "subprocess.Popen[bytes]") -> list[int]:
        """End every descendant: ask, wait, kill, look. Returns the pids that would not go."""
        signals = ((signal.SIGTERM, self._grace), (signal.SIGKILL, _KILL_LIMIT))
        left: list[int] = []
        for number, patience in signals:
            end = self._clock() + patience
            asked: set[int] = set()
            while True:
                child.poll()  # first: only Popen may learn its own child's exit code
                children.reap_orphans(child.pid)
                living = children.descendants(self._sessions)
                left = [process.pid for process in living]
                fresh = [process for process in living if process.pid not in asked]
                children.send(fresh, number)
                asked |= {process.pid for process in fresh}
                self._capture.pump(self._clock())
                if not left:
                    return []
                if self._clock() >= end:
                    break
                self._alarm.wait(_END_POLL)
        return left

    def _ring(self) -> None:
        self._bell.ring(self.request.run_id)
