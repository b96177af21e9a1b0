"""Whether a NixOS host needs a reboot, and why; whether it may be switched without one. Missing is never "no"."""

import json
from dataclasses import dataclass
from typing import Literal

from nixfleet_agent.nix.root import Root

BOOTED = "/run/booted-system"
CURRENT = "/run/current-system"
PROFILE = "/nix/var/nix/profiles/system"
_LINKS = ("kernel", "initrd", "kernel-modules")
_REBOOT_REQUIRED = 100  # exit code of switch-to-configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot:
    """Whether the running system differs from what a boot would bring in a way that only a boot mends.

    `advised`: works without, but something long-running is still the old one. `unknown`: nothing speaks for a reboot,
    but not everything could be compared.
    """

    state: Literal["required", "advised", "no", "unknown"]
    reasons: tuple[str, ...] = ()
    """Of `kernel`, `initrd`, `kernel-modules`, `kernel-params`, `init`, `systemd`."""
    unknown: tuple[str, ...] = ()
    """Which of these could not be compared."""


def reboot(root: Root, switch_exit: int | None = None, system: str = PROFILE) -> Reboot:
    """Compare the booted system with the profile, or another system that is to be its next.

    `switch_exit` is what the last switch since the boot exited with.
    """
    current = CURRENT if system == PROFILE else system
    differs: dict[str, bool | None] = {}
    for name in _LINKS:
        differs[name] = _differ(root.link(f"{BOOTED}/{name}"), root.link(f"{system}/{name}"))
    differs["kernel-params"] = _differ(
        root.read(f"{BOOTED}/kernel-params"), root.read(f"{system}/kernel-params")
    )
    interface = "init-interface-version"
    differs["init"] = _differ(root.read(f"{BOOTED}/{interface}"), root.read(f"{system}/{interface}"))
    if switch_exit == _REBOOT_REQUIRED:
        differs["init"] = True
    required = tuple(name for name, different in differs.items() if different)
    # The switch re-executes PID 1, so this alone is no need.
    differs["systemd"] = _differ(root.link(f"{BOOTED}/systemd"), root.link(f"{current}/systemd"))
    advised = ("systemd",) if differs["systemd"] else ()
    unknown = tuple(name for name, different in differs.items() if different is None)
    return Reboot(
        state="required" if required else "advised" if advised else "unknown" if unknown else "no",
        reasons=required + advised,
        unknown=unknown,
    )


def switch_inhibitors(root: Root, new: str) -> tuple[str, ...] | None:
    """What forbids switching from the current system to `new` (a store path) without a reboot, by name.

    Empty: nothing does. None: unknown, since one of the two systems doesn't say. A name that only one of them has
    doesn't count.
    """
    here, there = (_inhibitors(root, system) for system in (CURRENT, new))
    if here is None or there is None:
        return None
    return tuple(sorted(name for name in here.keys() & there.keys() if here[name] != there[name]))


def _inhibitors(root: Root, system: str) -> dict[str, object] | None:
    text = root.read(f"{system}/switch-inhibitors")
    try:
        found = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _differ(one: str | None, other: str | None) -> bool | None:
    return None if one is None or other is None else one != other
