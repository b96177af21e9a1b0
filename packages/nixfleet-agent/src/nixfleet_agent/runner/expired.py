"""Deciding a pending switch whose runner has died: by the timer, by the next start, or after a reboot.

The same table decides as in the runner. What came of it is the run's result, so `settle` asks here first.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from nixfleet_agent import kinds, platforms
from nixfleet_agent.config import Config
from nixfleet_agent.files import Disk
from nixfleet_agent.lock import Held
from nixfleet_agent.runner import cgroup, history, pending, settle, timer
from nixfleet_agent.runner.decision import decide
from nixfleet_agent.runner.keeper import situation
from nixfleet_agent.runner.pending import Pending
from nixfleet_agent.system import boot_id, foreign

ROLLBACK_LIMIT = 1800.0
"""Seconds for the activation of the system before."""
_LOOK_EVERY = 1.0
WAIT: None = None
"""The outcome of a switch that is not to be decided yet."""
Outcome = tuple[str, str]
"""Result of the run and why, in one line."""


def main(config: Config, run_id: str, sleep: Callable[[float], None] = time.sleep) -> int:
    """`nixfleet-agent confirm-expired RUN`, started by the timer. Exit code 0: there is nothing left to decide.

    As long as the runner lives it decides itself, and this waits.
    """
    while True:
        made = pending.load(config)
        if made is None or made.run_id != run_id:
            return 0
        found = outcome(config, run_id)
        if found is not WAIT:
            sys.stderr.write(f"run {run_id}: {found[0]}: {found[1]}\n")
            return settle.main(config, run_id, 0, ended=found)
        sleep(_LOOK_EVERY)


def overdue(config: Config) -> None:
    """Decide what a dead runner left undecided, where no timer does and no server asks. Its run gets its result later."""
    made = pending.load(config)
    if made and not made.decided and (found := outcome(config, made.run_id)) is not WAIT:
        sys.stderr.write(f"run {made.run_id}: {found[0]}: {found[1]}\n")


def outcome(config: Config, run_id: str) -> Outcome | None:
    """What became of a run's switch, decided now if it is time; WAIT when it is not, or when its runner lives.

    Also of a run that has no pending switch: it was interrupted.
    """
    made = pending.load(config)
    if made is None or made.run_id != run_id:
        return "interrupted", ""
    try:
        lock = pending.lock(config)
    except (Held, OSError):
        return WAIT
    try:
        made = pending.load(config)  # its runner, or another, may have decided just before the lock was free
        if made is None or made.run_id != run_id:
            return "interrupted", ""
        if made.decided:
            return made.decided[0], made.decided[1]
        here = boot_id(config.files)
        if made.boot_id != here:
            found = _after_a_boot(config, made)
        elif made.activated is None:  # half an activation leaves services stopped: nothing to wait for
            settle.end_leftovers(run_id)
            found = _go_back(config, made, "the runner died during the activation")
        elif time.monotonic() < made.deadline:
            return WAIT
        else:
            found = _decide(config, made)
        timer.disarm(run_id)
        try:  # until the run has this as its result: whoever comes after a crash must not think of another
            pending.store(config, made._replace(decided=found), Disk())
        except OSError:
            pending.clear(config, Disk())
        pending.unroot_systems(made)
        return found
    finally:
        lock.release()


def _after_a_boot(config: Config, made: Pending) -> Outcome:
    """The new system was not the boot's default yet: a boot inside the window brings the old one by itself."""
    if _running(config) == made.old:
        return (
            "rolled_back",
            "the host restarted before the new system was confirmed, and runs the one before again",
        )
    return "interrupted", "the host restarted before the new system was confirmed"


def _decide(config: Config, made: Pending) -> Outcome:
    verdict = decide(situation(config, made, restarted=False))
    if verdict.keep:
        return (
            "interrupted",
            f"the runner died; the new system stays, but is not the default: {verdict.reason}",
        )
    return _go_back(config, made, f"the runner died; {verdict.reason}")


def _go_back(config: Config, made: Pending, reason: str) -> Outcome:
    if not made.old:
        return "interrupted", f"{reason}; there is no earlier system to return to"
    if not config.resident_user:
        cgroup.leave(f"{made.run_id}-back")  # an activation that restarts the agent must not end this
    why = roll_back(config, made.old)
    if made.new != made.old:
        history.refuse(config, made.new, reason)
    if why:
        return "failed", f"{reason}; the rollback failed too: {why}"
    return "rolled_back", f"rolled back: {reason}"


def roll_back(config: Config, system: str) -> str:
    """Activate the system before. Returns why that failed, or nothing. It is never rolled back itself."""
    way = _way(config)
    tree = config.repository or "/"
    own = None if way else kinds.program(tree, config.hostname, "rollback")
    if not way and not own:
        return "this host has no way back"
    try:
        done = subprocess.run(
            way.activate(system) if way else [str(own)],
            cwd="/" if way else tree,
            env={**foreign(), "NIXFLEET_HOSTNAME": config.hostname, **(way.env if way else {})},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=sys.stderr,
            timeout=ROLLBACK_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    active = way is not None and way.running() == system
    return "" if active or done.returncode == 0 else f"it failed with exit code {done.returncode}"


def _running(config: Config) -> str | None:
    way = _way(config)
    with contextlib.suppress(OSError):
        return way.running() if way else None
    return None


def _way(config: Config) -> Any:
    """How a host of generations is switched; None for other platforms."""
    make: Callable[[], Any] | None = getattr(platforms.of(config), "way", None)
    return make() if make else None
