"""All runs in the state directory, as the resident sees them: which are known, which are delivered, which may go."""

import contextlib
import os
import time

from nixfleet_agent.events import Known, Seen
from nixfleet_agent.files import SHARED, read_json
from nixfleet_agent.journal import SHIELD, load_request, load_result, runs_dir
from nixfleet_agent.lock import is_held
from nixfleet_agent.tail import Tail, last_seq
from nixfleet_protocol.decode import read
from nixfleet_protocol.messages import ProgressState

KEEP_OUTPUTS = 50
"""Delivered runs whose output stays on the host; of older ones only request and result do."""
KEEP_SECONDS = 30 * 24 * 3600.0
"""A delivered run's directory stays this long: it is what keeps the run from being started again."""


class Runs:
    """Reads journals and keeps track of what the server has. Never writes into a journal.

    Where root runs the commands, their journals are root's (`state_dir`) and this process only reads them; its own
    (`resident_dir`) are those of runs that needed no runner, as `stop`.
    """

    def __init__(self, state_dir: str, resident_dir: str | None = None) -> None:
        """Raises OSError."""
        mine = resident_dir or state_dir
        self._home = runs_dir(mine)
        self._roots = [self._home] if mine == state_dir else [runs_dir(state_dir), self._home]
        self._delivered = os.path.join(mine, "delivered")
        self._forgotten = os.path.join(state_dir, "delivered")
        self._busy = os.path.join(state_dir, "busy.lock")
        self._pending = os.path.join(state_dir, "pending.json")
        self._tails: dict[str, Tail] = {}
        for path in (self._home, self._delivered):
            os.makedirs(path, mode=0o750, exist_ok=True)

    def path(self, run_id: str) -> str:
        """The directory of a run's journal, whether it exists or not."""
        paths = [os.path.join(root, run_id) for root in self._roots]
        return next((path for path in paths if os.path.isdir(path)), paths[0])

    def exists(self, run_id: str) -> bool:
        """Whether the run was claimed, by whomever."""
        return os.path.isdir(self.path(run_id))

    def apart(self, run_id: str) -> bool:
        """Whether the run's journal is the resident's own while those of runners are root's."""
        return len(self._roots) > 1 and self.path(run_id).startswith(self._home)

    def undelivered(self) -> list[Known]:
        """Every run that the server has not confirmed as ended, oldest first."""
        entries = []
        for root in self._roots:
            # Not readable: what an agent left that was not separated yet. The first runner lets us in.
            with contextlib.suppress(FileNotFoundError, PermissionError), os.scandir(root) as found:
                entries += [
                    (entry.stat().st_mtime_ns, entry.name)
                    for entry in found
                    if entry.is_dir(follow_symlinks=False) and not self._is_delivered(entry.name)
                ]
        return [self.load(run_id) for _, run_id in sorted(entries)]

    def unforgotten(self) -> list[str]:
        """Delivered runs that root has not yet been told of: until then it keeps their output."""
        if len(self._roots) == 1:
            return []
        with contextlib.suppress(OSError):
            told = set(os.listdir(self._forgotten)) if os.path.isdir(self._forgotten) else set()
            here = os.listdir(self._delivered)
            return [name for name in here if name not in told and self.exists(name) and not self.apart(name)]
        return []

    def load(self, run_id: str) -> Known:
        """One run from its journal."""
        path = self.path(run_id)
        alive = self.alive(run_id)
        result = None if alive else load_result(path)
        return Known(load_request(path), last_seq(path), self.pid(run_id), alive, result)

    def shielded(self, run_id: str) -> bool:
        """Whether its runner is at what must not be ended half-way, as an activation."""
        return os.path.exists(os.path.join(self.path(run_id), SHIELD))

    def undecided(self, run_id: str) -> bool:
        """Whether it left a switch that is still to be confirmed or taken back."""
        pending = read_json(self._pending) or {}
        return pending.get("run_id") == run_id and not pending.get("decided")

    def pid(self, run_id: str) -> int | None:
        """Process id of the run's runner, alive or not."""
        pid = (read_json(os.path.join(self.path(run_id), "runner.json")) or {}).get("pid")
        return pid if isinstance(pid, int) and pid > 1 else None

    def alive(self, run_id: str) -> bool:
        """Whether a runner lives for it. One that is about to lock the run already holds the busy lock."""
        path = self.path(run_id)
        lock = os.path.join(path, "lock")
        if os.path.exists(lock):
            return is_held(lock)
        return not os.path.exists(os.path.join(path, "result.json")) and is_held(self._busy)

    def look(self, run_id: str, after: int, limit: int) -> Seen:
        """Read at most `limit` records behind number `after`, and the run's state.

        Life is asked before the result and the result before the records: so with a result, what follows `after` is
        all there is, and a run without life and result has truly died. A result counts once its writer has let go of
        the lock: by then the directory that names it is durable too.
        """
        path = self.path(run_id)
        alive = self.alive(run_id)
        result = None if alive else load_result(path)
        tail = self._tails.get(run_id)
        if tail is None or tail.after != after:  # a new connection may begin anywhere
            tail = self._tails[run_id] = Tail(path, after)
        records, more = tail.read(limit) if limit else ([], False)
        return Seen(records, more, alive, None if result else self._progress(path), result)

    def delivered(self, run_id: str) -> None:
        """Remember that the server has the run whole."""
        self._tails.pop(run_id, None)
        with contextlib.suppress(OSError):
            os.close(
                os.open(
                    os.path.join(self._delivered, run_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, SHARED
                )
            )

    def undeliver(self, run_id: str) -> None:
        """The server asks again for a run it had confirmed."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self._delivered, run_id))

    def prune(self, now: float | None = None) -> None:
        """Remove what is no longer needed of delivered runs. `now`: seconds since the epoch."""
        now = time.time() if now is None else now
        markers = []
        with contextlib.suppress(OSError), os.scandir(self._delivered) as found:
            markers = sorted(((entry.stat().st_mtime, entry.name) for entry in found), reverse=True)
        for place, (at, run_id) in enumerate(markers):
            path = os.path.join(self._home, run_id)
            if now - at > KEEP_SECONDS:
                _remove(path)
                with contextlib.suppress(OSError):
                    os.rmdir(path)
                if not self.exists(run_id):
                    self.undeliver(run_id)
            elif place >= KEEP_OUTPUTS:
                for name in ("output", "raw.o", "raw.e", "progress.json"):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(path, name))

    def _is_delivered(self, run_id: str) -> bool:
        return os.path.exists(os.path.join(self._delivered, run_id))

    def _progress(self, path: str) -> ProgressState | None:
        body = read_json(os.path.join(path, "progress.json"))
        if body is None:
            return None
        try:
            progress: ProgressState = read(ProgressState, body)
        except ValueError:
            return None
        return progress


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(path):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(path, name))
