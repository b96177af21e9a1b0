"""Load of the host: from StaSysMo's files when they are there and fresh, else measured: from /proc on Linux, with psutil elsewhere.

StaSysMo 2 writes one file `snapshot`: `v1 EPOCH CPU RAM SWAP LOAD NCPU`. StaSysMo 1 writes a file for each value, and
`timestamp` last. Links, other file types, directories of other users, stale values and values from the future are refused.
"""

import contextlib
import os
import stat
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from nixfleet_agent import load
from nixfleet_protocol.messages import Metrics

MAX_AGE = 30.0
"""Seconds after which values are stale."""
_AHEAD = 5.0
"""Seconds a timestamp may lie in the future: clocks are read, not compared."""
_FILE_MAX = 256


class Meter:
    """`sample()` gives the load now, or None. `places` are (StaSysMo 2 directory, StaSysMo 1 directory)."""

    def __init__(
        self, mode: str, places: tuple[str, str] | None = None, wall: Callable[[], float] = time.time
    ) -> None:
        """`mode` is `auto`, `stasysmo` or `off`."""
        self._mode = mode
        self._new, self._old = places or default_places()
        self._wall = wall
        self._psutil: Any = None
        self._before: load.Times | None = None

    def sample(self) -> Metrics | None:
        """Never raises: a host without metrics is shown without them."""
        if self._mode == "off":
            return None
        now = self._wall()
        found = snapshot(self._new, now) or files(self._old, now)
        if found is None and self._mode == "auto":
            with contextlib.suppress(Exception):
                found = self._from_proc() if sys.platform == "linux" else self._measure()
        return found

    def _from_proc(self) -> Metrics:
        now = load.times(_read_proc("stat"))
        cpu = load.busy_share(self._before, now) if self._before else None
        self._before = now
        ram, swap = load.memory(_read_proc("meminfo"))
        return Metrics(cpu=cpu, ram=ram, swap=swap, load=round(os.getloadavg()[0], 2), cores=os.cpu_count())

    def _measure(self) -> Metrics:
        if self._psutil is None:
            self._psutil = _import_psutil()
            self._psutil.cpu_percent()  # the first call has nothing to compare with
            cpu = None
        else:
            cpu = self._psutil.cpu_percent()
        return Metrics(
            cpu=cpu,
            ram=self._psutil.virtual_memory().percent,
            swap=self._psutil.swap_memory().percent,
            load=round(os.getloadavg()[0], 2),
            cores=os.cpu_count(),
        )


def _read_proc(name: str) -> str:
    with open(f"/proc/{name}", encoding="ascii", errors="replace") as file:
        return file.read(64 * 1024)


def default_places() -> tuple[str, str]:
    """Where StaSysMo writes on this system."""
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Caches/stasysmo"), "/tmp/stasysmo"  # noqa: S108  (StaSysMo's choice)
    return "/run/stasysmo", "/dev/shm/stasysmo"  # noqa: S108


def snapshot(folder: str, now: float) -> Metrics | None:
    """StaSysMo 2's file, None when it's missing, stale or not one. `now`: seconds since the epoch."""
    words = _read(folder, "snapshot").get("snapshot", "").split()
    if len(words) != 7 or words[0] != "v1":
        return None
    try:
        at, cpu, ram, swap, load = (_number(word) for word in words[1:6])
        cores = int(words[6])
    except ValueError:
        return None
    if not _fresh(at, now) or not 1 <= cores <= 65536:
        return None
    return _metrics(cpu, ram, swap, load, cores)


def files(folder: str, now: float) -> Metrics | None:
    """StaSysMo 1's files: `cpu` and `ram` must be there, the others may be missing."""
    values: dict[str, float] = {}
    for name, text in _read(folder, "timestamp", "cpu", "ram", "swap", "load").items():
        with contextlib.suppress(ValueError):
            values[name] = _number(text)
    if not {"timestamp", "cpu", "ram"} <= values.keys() or not _fresh(values["timestamp"], now):
        return None
    return _metrics(values["cpu"], values["ram"], values.get("swap"), values.get("load"), os.cpu_count())


def _metrics(
    cpu: float, ram: float, swap: float | None, load: float | None, cores: int | None
) -> Metrics | None:
    percents = [value for value in (cpu, ram, swap) if value is not None]
    if not all(0 <= value <= 100 for value in percents) or (load is not None and not 0 <= load <= 1e6):
        return None
    return Metrics(cpu=cpu, ram=ram, swap=swap, load=load, cores=cores)


def _fresh(at: float, now: float) -> bool:
    return -_AHEAD <= now - at <= MAX_AGE


def _number(text: str) -> float:
    """A finite number; a decimal comma is taken too. Raises ValueError."""
    value = float(text.strip().replace(",", "."))
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("not finite")
    return value


def _read(folder: str, *names: str) -> dict[str, str]:
    """The short regular files among those named, no links; none at all of a directory that is a link or a stranger's,
    since anyone can make one in /tmp or /dev/shm. Never waits on a FIFO."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(directory).st_uid in (0, os.geteuid()):
                for name in names:
                    text = _read_file(directory, name)
                    if text is not None:
                        found[name] = text
        finally:
            os.close(directory)
    return found


def _read_file(directory: int, name: str) -> str | None:
    with contextlib.suppress(OSError):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return os.read(fd, _FILE_MAX).decode("ascii", "replace")
        finally:
            os.close(fd)
    return None


def _import_psutil() -> Any:
    """psutil without `subprocess`, which it needs only for its Popen class: a stand-in saves the memory."""
    absent = "subprocess" not in sys.modules
    if absent:
        sys.modules["subprocess"] = types.ModuleType("subprocess")
    try:
        import psutil
    finally:
        if absent:
            del sys.modules["subprocess"]
    return psutil
