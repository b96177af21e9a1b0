"""The resident as a runner sees it: what its status file says, and how to have it start anew.

The file is the resident's: it is read as a stranger's. It can say that the server was reached, and never what runs.
"""

import contextlib
import json
import os
import stat
import subprocess
import sys
from typing import NamedTuple

from nixfleet_agent.config import Config
from nixfleet_agent.doorbell import ring_once
from nixfleet_agent.lock import is_held
from nixfleet_agent.runner import cgroup
from nixfleet_agent.units.installation import LABEL, SERVICE

STATUS_MAX = 64 * 1024
_RESTART_TIMEOUT = 30.0


class Seen(NamedTuple):
    """Times are those of the monotonic clock of this boot, in seconds; None for what isn't so."""

    pid: int | None = None
    started: float | None = None
    """When the resident's process began."""
    opened: float | None = None
    """When the connection was opened on which it is registered now."""
    lost: float | None = None
    """When it was last seen to have no connection any more."""
    goodbye: float | None = None
    """Until when the server had asked it to stay away."""
    version: str | None = None
    """Of the agent that runs."""


def look(config: Config) -> Seen:
    """The status as it is now; nothing, when it can't be read or isn't one."""
    path = os.path.join(config.resident_dir, "status.json")
    with contextlib.suppress(OSError, ValueError, RecursionError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return Seen()
            body = json.loads(file.read(STATUS_MAX))
        if isinstance(body, dict) and is_held(os.path.join(config.resident_dir, "agent.lock")):
            pid = body.get("pid")
            version = body.get("version")
            return Seen(
                pid if isinstance(pid, int) and pid > 1 else None,
                started=_time(body.get("started")),
                opened=_time(body.get("opened")),
                lost=_time(body.get("lost")),
                goodbye=_time(body.get("goodbye")),
                version=version if isinstance(version, str) else None,
            )
    return Seen()


def restart(config: Config, *, connect: bool = True) -> bool:
    """Have the resident start anew, from what is installed now. False: it was only (`connect`) asked to connect anew."""
    pid = look(config).pid
    unit = SERVICE if config.resident_user else (cgroup.unit_of(pid) if pid else None)
    argv: list[str] = []
    if sys.platform == "darwin":
        domain = "system" if config.resident_user else f"gui/{os.getuid()}"
        argv = ["launchctl", "kickstart", "-k", f"{domain}/{LABEL}"]
    elif unit and unit.endswith(".service") and os.path.isdir("/run/systemd/system"):
        whose = (
            ["--user"] if pid and not config.resident_user and "/user@" in (cgroup.path_of(pid) or "") else []
        )
        if config.resident_user or _leads(whose, unit, pid):
            argv = ["systemctl", *whose, "restart", "--no-block", unit]
    if argv:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_RESTART_TIMEOUT
            )
            if done.returncode == 0:
                return True
    if connect:
        ring_once(config.resident_dir, "reconnect")
    return False


def _leads(whose: list[str], unit: str, pid: int | None) -> bool:
    """Whether the unit is the resident's own, and not one of somebody who started it besides other things."""
    argv = ["systemctl", *whose, "show", "--property=MainPID", "--value", unit]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_RESTART_TIMEOUT
        )
        return done.stdout.strip() == str(pid).encode()
    return False


def _time(value: object) -> float | None:
    with contextlib.suppress(OverflowError):  # a whole number of hundreds of digits
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None
