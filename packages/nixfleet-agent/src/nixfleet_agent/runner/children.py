"""Programs as children of the runner: started in sessions of their own, ended with all their descendants."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_KILL_LIMIT = 5.0
"""Seconds to see killed processes gone."""


def become_subreaper() -> None:
    """Orphaned descendants become children of this process, so that none escapes `stop`. Linux only."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(
    argv: list[str], cwd: str, env: Mapping[str, str], stdout: int, stderr: int
) -> "subprocess.Popen[bytes]":
    """Start a program in its own session with nothing on its stdin. Raises OSError."""
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def exit_code(returncode: int) -> int:
    """As a shell gives it: 128+n for a program ended by signal n."""
    return returncode if returncode >= 0 else 128 - returncode


def descendants(known: set[int]) -> list[psutil.Process]:
    """Every living process below this one, and those of the sessions in `known` (macOS has no subreaper)."""
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.Error):
        found = {child.pid: child for child in psutil.Process().children(recursive=True)}
    if sys.platform != "linux":
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getsid(process.pid) in known:
                    found[process.pid] = process
    return [process for process in found.values() if _lives(process)]


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Signal each of them; those gone or out of reach are left out."""
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            process.send_signal(number)


def end_all(
    child: "subprocess.Popen[bytes]",
    known: set[int],
    clock: Callable[[], float],
    meanwhile: Callable[[], None],
    grace: float,
) -> list[int]:
    """End every descendant: ask, wait for `grace` seconds, kill, look. Returns the pids that would not go.

    `meanwhile` is called between two looks, and is to wait a moment.
    """
    left: list[int] = []
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_LIMIT)):
        end = clock() + patience
        asked: set[int] = set()
        while True:
            child.poll()  # first: only Popen may learn its own child's exit code
            reap_orphans(child.pid)
            living = descendants(known)
            left = [process.pid for process in living]
            fresh = [process for process in living if process.pid not in asked]
            send(fresh, number)
            asked |= {process.pid for process in fresh}
            if not left:
                return []
            if clock() >= end:
                break
            meanwhile()
    return left


def reap_orphans(child: int | None) -> None:
    """Collect adopted children that have ended, but never `child`, whose exit code its owner wants."""
    if sys.platform != "linux":  # nothing is adopted there
        return
    with contextlib.suppress(ChildProcessError):
        while (info := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if info.si_pid == child:
                return
            os.waitpid(info.si_pid, os.WNOHANG)


class Alarm:
    """Waits a short time, or until a signal arrives: then a child may have ended, or a stop was asked."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def wait(self, seconds: float) -> None:
        """At most `seconds`."""
        if select.select([self._read], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                os.read(self._read, 4096)

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
