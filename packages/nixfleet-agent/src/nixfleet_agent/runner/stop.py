"""Ending a run's whole process tree as root: the runner is asked, or it and all below it are killed and seen dead."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psutil

from nixfleet_agent.config import Config
from nixfleet_agent.files import read_json
from nixfleet_agent.journal import directory
from nixfleet_agent.lock import is_held
from nixfleet_agent.runner import cgroup, settle
from nixfleet_agent.system import boot_id

KILL_LIMIT = 10.0
"""Seconds to see killed processes gone."""


def main(config: Config, run_id: str, *, force: bool) -> dict[str, Any]:
    """The answer: `{"signalled": …}`, or `{"refused": …}` with the processes that would not go."""
    path = directory(config.state_dir, run_id)
    runner = read_json(os.path.join(path, "runner.json")) or {}
    pid, unit = runner.get("pid"), runner.get("unit")
    lock = os.path.join(path, "lock")
    # Whoever settles a dead runner's run holds its lock too, and that runner's number may be another process's by then.
    holder = (read_json(lock) or {}).get("pid")
    if (
        not is_held(lock)
        or not isinstance(pid, int)
        or holder != pid
        or runner.get("boot_id") != boot_id(config.files)
    ):
        return {"refused": "gone", "message": f"run {run_id} has no runner"}
    if not force:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return {"signalled": pid}
    left = _kill(pid, unit if isinstance(unit, str) else None)
    settle.main(config, run_id, 0)
    if left:
        return {"refused": "alive", "message": f"these processes would not end: {', '.join(map(str, left))}"}
    return {"signalled": pid}


def _kill(pid: int, unit: str | None) -> list[int]:
    """Kill a runner and all below it; the processes that are still there after a while."""
    living: Callable[[], list[int]]
    if unit and cgroup.unit_of(pid) == unit:
        where = cgroup.directory_of(pid)
        argv = ["systemctl", "kill", "--signal=SIGKILL", unit]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(argv, stdin=subprocess.DEVNULL, check=False, timeout=KILL_LIMIT)
        living = lambda: cgroup.members(where)  # noqa: E731
    else:
        tree = _tree(pid)
        for process in tree:
            with contextlib.suppress(psutil.Error):
                process.kill()
        living = lambda: [process.pid for process in tree if _lives(process)]  # noqa: E731
    end = time.monotonic() + KILL_LIMIT
    while (left := living()) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def _tree(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        runner = psutil.Process(pid)
        return [runner, *runner.children(recursive=True)]
    return []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
