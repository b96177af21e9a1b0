"""The dead man's timer: a transient unit that outlives the runner, the agent, a reload and a re-execution of systemd.

Not a reboot: after one the old system runs by itself, and the next start of the agent says so.
"""

import contextlib
import os
import subprocess

from nixfleet_agent.launch import program

_TIMEOUT = 15.0
_SECRET = ("NIXFLEET_TOKEN",)
_NEEDED = ("PATH", "HOME", "USER", "XDG_STATE_HOME")
"""What decides besides the agent's own variables where its state is: the user's manager may have others."""


def arm(run_id: str, seconds: float) -> str | None:
    """Have `confirm-expired RUN` started after so long, in place of an earlier timer. Returns why it can't be, or None."""
    if not os.path.isdir("/run/systemd/system"):
        return "there is no systemd"
    disarm(run_id)
    given = {
        name: value
        for name, value in os.environ.items()
        if name in _NEEDED or (name.startswith("NIXFLEET_") and not name.startswith(_SECRET))
    }
    argv = ["systemd-run", *_whose(), "--quiet", "--collect", f"--unit={_unit(run_id)}"]
    argv += [f"--on-active={seconds:.0f}s", "--timer-property=AccuracySec=1s", "--property=KillMode=mixed"]
    argv += [f"--setenv={name}={value}" for name, value in given.items()]
    return _run([*argv, *program(), "confirm-expired", run_id])


def disarm(run_id: str) -> None:
    """The timer, not what it has started already."""
    _run(["systemctl", *_whose(), "stop", f"{_unit(run_id)}.timer"])


def stopping() -> bool:
    """Whether the host is going down."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        argv = ["systemctl", "is-system-running"]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
        return done.stdout.strip() == "stopping"
    return False


def _unit(run_id: str) -> str:
    return f"nixfleet-confirm-{run_id}"


def _whose() -> list[str]:
    return [] if os.geteuid() == 0 else ["--user"]


def _run(argv: list[str]) -> str | None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
        return None if done.returncode == 0 else done.stderr.strip()[:200]
    return f"{argv[0]} can't be run"
