"""What the steps of a command work with: programs run under watch, notes, progress, and the word to stop."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from nixfleet_agent.config import Config
from nixfleet_agent.doorbell import Doorbell
from nixfleet_agent.events import Request
from nixfleet_agent.files import SHARED, swap_json
from nixfleet_agent.journal import SHIELD, Journal
from nixfleet_agent.nix.progress import Snapshot
from nixfleet_agent.runner import children
from nixfleet_agent.runner.capture import TAIL_BYTES, Capture
from nixfleet_agent.runner.ends import Ended, Failed, Ran
from nixfleet_agent.runner.nixlog import NixOutput
from nixfleet_agent.runner.report import Report, Step, nix_progress
from nixfleet_agent.system import foreign
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import ProgressState

GRACE = 3.0
"""Seconds between asking a process tree to end and killing it."""
_POLL = 0.02
"""Seconds between two looks at the raw output: below what a person notices."""
_END_POLL = 0.05
"""The same while a process tree is ended: each look walks the process table."""
_LOOK = 0.5
"""Seconds between two looks whether a wait is to end, for what no signal tells."""
_PROGRESS_EVERY = 0.25


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
        self.report = Report(clock, journal.path)
        self._steps: tuple[int, int] = (0, 0)
        self._shields = 0
        self._told = False
        self._clock = clock
        self._grace = grace
        self._deadline = clock() + request.options.timeout if request.options.timeout else None
        self._bell = Doorbell(config.resident_dir)
        self._capture = Capture(journal, moved=self._ring)
        self._alarm = children.Alarm()
        self._sessions: set[int] = set()
        self._progress_at = 0.0
        self._state = ProgressState(phase=request.command)
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
        self._show(state)

    def _show(self, state: ProgressState) -> None:
        with contextlib.suppress(OSError):
            swap_json(os.path.join(self.journal.path, "progress.json"), to_dict(state))
        self._ring()

    def plan(self, steps: int) -> None:
        """So many steps are to come, each told as `i` of all of them."""
        self._steps = (self._steps[0], self._steps[0] + steps)

    @contextlib.contextmanager
    def step(self, name: str, label: str = "") -> Iterator[Step]:
        """One visible step: shown while it goes on, its outcome in the report."""
        done, total = self._steps
        self._steps = (done + 1, max(total, done + 1))
        self._state = ProgressState(phase=name, current=done, total=max(total, done + 1), label=label)
        self._show(self._state)
        with self.report.step(
            name, lambda error: "stopped" if isinstance(error, Ended) else "failed"
        ) as step:
            yield step

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """What runs inside is not ended half-way: a stop waits for its end."""
        mark = os.path.join(self.journal.path, SHIELD)
        with contextlib.suppress(OSError):
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, SHARED))
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if not self._shields:
                with contextlib.suppress(OSError):
                    os.unlink(mark)

    def check(self) -> None:
        """Between two steps: raises Ended when the run is to end."""
        if why := self._why():
            raise Ended(why, None)

    def sleep(self, seconds: float) -> None:
        """Wait so long. Raises Ended when the run is to end."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            self.check()
            self._alarm.wait(min(left, _LOOK))
        self.check()

    def nix(self, argv: list[str], cwd: str, *, env: Mapping[str, str] | None = None) -> tuple[Ran, Snapshot]:
        """Run a Nix program that writes `--log-format internal-json`; as `run`, with how far it came at last."""

        def tell(snapshot: Snapshot) -> None:
            self._show(replace(self._state, nix=nix_progress(snapshot)))

        output = NixOutput(self.journal.path, self._capture.fds[1], tell, self._clock)
        try:
            ran = self.run(argv, cwd, env=env, errors=output)
        finally:
            snapshot = output.finish()
            self.journal.lost += output.lost
            self.report.failed_builds(snapshot.failures)
        return ran, snapshot

    def run(
        self,
        argv: list[str],
        cwd: str,
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        tail: int = TAIL_BYTES,
        errors: NixOutput | None = None,
    ) -> Ran:
        """Run a program to its end, its output going into the log. `errors` takes what it writes to standard error.

        Raises Ended when the run is stopped or its time is over; the whole process tree is gone by then. Raises
        Failed when the program can't be started. `timeout` is this program's own limit, in seconds; `tail` how many bytes
        of the end of its output come back.
        """
        self.check()
        self._capture.begin(tail)
        out, err = self._capture.fds
        try:
            child = children.start(argv, cwd, {**self._env, **(env or {})}, out, errors.fd if errors else err)
        except OSError as error:
            raise Failed(f"{argv[0]} can't be started: {error.strerror}", 127) from None
        self._sessions.add(child.pid)
        own_deadline = self._clock() + timeout if timeout else None
        why = None
        while True:
            more = self._pump(errors)
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
        if errors:
            errors.drain()
        self._capture.finish_lines(self._clock(), sleep=time.sleep)
        self._ring()
        code = None if child.returncode is None else children.exit_code(child.returncode)
        if why in ("stopped", "timed_out"):
            detail = f"; these processes could not be ended: {', '.join(map(str, left))}" if left else ""
            raise Ended(why, code, detail)
        return Ran(124 if why else code or 0, self._capture.tail, bool(why))

    def must(self, what: str, argv: list[str], cwd: str, **how: Any) -> Ran:
        """As `run`. Raises Failed, with the words `what` and the program's last line, when it doesn't exit with 0."""
        ran = self.run(argv, cwd, **how)
        if ran.exit_code:
            reason = f": {ran.last_line}" if ran.last_line else ""
            raise Failed(f"{what} (exit code {ran.exit_code}){reason}", ran.exit_code)
        return ran

    def close(self) -> None:
        """Collect the last output, also that of programs left running in the background."""
        self._capture.finish_lines(self._clock(), sleep=time.sleep)
        self._capture.close()
        self._bell.close()
        self._alarm.close()

    def _pump(self, errors: NixOutput | None) -> bool:
        more = False
        if errors:
            with contextlib.suppress(OSError):  # a full disk: again at the next look
                more = errors.pump()
        return self._capture.pump(self._clock()) or more

    def _why(self) -> str | None:
        if self._shields:
            if self.stop_asked and not self._told:
                self._told = True
                self.note("stop: waits for the end of this step; a stop with force ends it half-way")
            return None
        if self.stop_asked:
            return "stopped"
        if self._deadline is not None and self._clock() >= self._deadline:
            return "timed_out"
        return None

    def _end_all(self, child: "subprocess.Popen[bytes]") -> list[int]:
        """End every descendant. Returns the pids that would not go."""

        def meanwhile() -> None:
            self._capture.pump(self._clock())
            self._alarm.wait(_END_POLL)

        return children.end_all(child, self._sessions, self._clock, meanwhile, self._grace)

    def _ring(self) -> None:
        self._bell.ring(self.request.run_id)
