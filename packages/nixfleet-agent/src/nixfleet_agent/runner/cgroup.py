"""Which systemd unit a process is in, who else is, and a way out of the agent's own."""

import contextlib
import os
import re
import subprocess
import time

_LINE = re.compile(r"^(?:0:|\d+:name=systemd):(/.*)$", re.MULTILINE)
"""The unified hierarchy and, where systemd still uses the first version, its own of that."""
_UNIT = re.compile(r"[A-Za-z0-9@_.:\\-]+\.(?:service|scope)")
_ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")
_BUS_TIMEOUT = 10.0


def path_of(pid: int) -> str | None:
    """A process's cgroup below the root of systemd's hierarchy, as `/system.slice/x.service`; None without systemd."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        found: list[str] = _LINE.findall(file.read())
        return max(found, key=lambda path: (_unit_in(path) is not None, len(path)), default=None)
    return None


def unit_of(pid: int) -> str | None:
    """The unit that a process belongs to; None when it is in none."""
    return _unit_in(path_of(pid) or "")


def _unit_in(path: str) -> str | None:
    return next((part for part in reversed(path.split("/")) if _UNIT.fullmatch(part)), None)


def directory_of(pid: int) -> str | None:
    """The directory of a process's unit in the file system of cgroups."""
    path, unit = path_of(pid), unit_of(pid)
    if path is None or unit is None:
        return None
    whole = path[: path.rindex(unit) + len(unit)]
    return next((root + whole for root in _ROOTS if os.path.isdir(root + whole)), None)


def members(directory: str | None) -> list[int]:
    """Process ids in a cgroup and all below it; none when it is gone."""
    found: list[int] = []
    for place, _, _ in os.walk(directory) if directory else ():
        with (
            contextlib.suppress(OSError),
            open(os.path.join(place, "cgroup.procs"), encoding="ascii") as file,
        ):
            found += [int(line) for line in file]
    return found


def leave(run_id: str) -> str | None:
    """Move this process out of its service's cgroup into a scope of its own, so that it outlives that service.

    `setsid` doesn't leave a cgroup. Returns why it could not be done, or None: then it is done, or there was no need.
    A manager that refuses (no bus, no right) leaves the unit's `KillMode=process` to keep the process alive.
    """
    unit = unit_of(os.getpid())
    if unit is None or not unit.endswith(".service") or unit.startswith("user@"):
        return None
    whose = "--user" if "/user@" in (path_of(os.getpid()) or "") else "--system"
    argv = ["busctl", whose, "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"]
    argv += ["org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))"]
    argv += [f"nixfleet-run-{run_id}.scope", "fail", "3"]
    argv += ["PIDs", "au", "1", str(os.getpid())]
    argv += ["Description", "s", f"NixFleet run {run_id}"]
    argv += ["CollectMode", "s", "inactive-or-failed", "0"]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_BUS_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{argv[0]}: {error}"
    if done.returncode:
        return f"{argv[0]}: {done.stderr.strip()[:200]}"
    end = time.monotonic() + _BUS_TIMEOUT
    while unit_of(os.getpid()) == unit:  # the call only queues the job that moves us
        if time.monotonic() > end:
            return "the manager did not move the process"
        time.sleep(0.01)
    return None
