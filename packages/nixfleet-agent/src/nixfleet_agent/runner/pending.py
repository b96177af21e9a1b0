"""A switch that nobody has confirmed yet: STATE_DIR/pending.json, durable before the activation begins.

It is what a runner's death leaves: who finds it knows which system to return to. The resident can read it and not write it.
"""

import contextlib
import json
import os
from typing import Any, NamedTuple

from nixfleet_agent.config import Config
from nixfleet_agent.files import Disk, read_json
from nixfleet_agent.lock import Lock

GCROOTS = "/nix/var/nix/gcroots"


class Pending(NamedTuple):
    """`deadline` and `activated` are seconds of the monotonic clock of the boot `boot_id`."""

    run_id: str
    old: str
    """The system to return to; empty when there is none."""
    new: str
    boot_id: str | None
    armed: bool
    deadline: float
    """When somebody else may decide, should the runner have died."""
    activated: float | None = None
    """When the activation ended; None while it goes on."""
    healthy: bool = True
    """The health check passed before."""
    goodbye: float | None = None
    """Until when the server had asked the agent before this one to stay away."""
    timer: bool = False
    """A timer of systemd's stands by."""
    decided: tuple[str, str] | None = None
    """What became of it, and why, where that was decided after its runner's death and is not the run's result yet."""


def store(config: Config, pending: Pending, disk: Disk) -> None:
    """Durably. Raises OSError."""
    disk.replace(_path(config), json.dumps(pending._asdict()).encode())


def load(config: Config) -> Pending | None:
    """The pending switch, None when there is none."""
    body: dict[str, Any] = read_json(_path(config)) or {}
    known = {name: body[name] for name in Pending._fields if name in body}  # another version's may have more
    with contextlib.suppress(TypeError):
        return Pending(**known) if known else None
    return None


def told(config: Config, run_id: str, disk: Disk) -> None:
    """The run has its result: what was decided about its switch is no longer needed. Never raises."""
    made = load(config)
    if made and made.run_id == run_id and made.decided:
        clear(config, disk)


def clear(config: Config, disk: Disk) -> None:
    """It is decided. Never raises."""
    with contextlib.suppress(OSError):
        os.unlink(_path(config))
        disk.sync(config.state_dir)


def lock(config: Config) -> Lock:
    """Held by whoever decides; closed to the resident, who might hold it for ever. Raises Held, OSError."""
    return Lock(os.path.join(config.state_dir, "pending.lock"), mode=0o600)


def root_systems(pending: Pending) -> None:
    """Keep both systems from the garbage collector. Best effort: profile and current system hold them as well."""
    for name, system in _roots(pending):
        with contextlib.suppress(OSError):
            os.symlink(system, name)


def unroot_systems(pending: Pending) -> None:
    for name, _ in _roots(pending):
        with contextlib.suppress(OSError):
            os.unlink(name)


def _roots(pending: Pending) -> list[tuple[str, str]]:
    systems = {"old": pending.old, "new": pending.new}
    return [
        (f"{GCROOTS}/nixfleet-{pending.run_id}-{name}", path)
        for name, path in systems.items()
        if path.startswith("/nix/store/")
    ]


def _path(config: Config) -> str:
    return os.path.join(config.state_dir, "pending.json")
