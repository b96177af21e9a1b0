"""What NixFleet did to a host, in small files of the state directory: how it left it, which systems it had to take back."""

import contextlib
import json
import os
import time
from typing import Any, Literal

from nixfleet_agent.config import Config
from nixfleet_agent.files import Disk, read_json
from nixfleet_agent.nix.deployed import Left
from nixfleet_agent.nix.facts import generations
from nixfleet_agent.nix.root import Root
from nixfleet_agent.system import boot_id

Action = Literal["switch", "boot", "test"]
_LEFT, _REFUSED = "left.json", "refused.json"
_REFUSED_MAX = 32
_ACTIONS: dict[Any, Action] = {"switch": "switch", "boot": "boot", "test": "test"}


def left_as(config: Config, root: Root, action: Action, profile: str, current: str, code: int) -> None:
    """Write down how the host is left after a switch that exited with `code`. Best effort: it's for display only."""
    body = {
        "action": action,
        "profile": root.resolve(profile),
        "current": root.resolve(current),
        "switch_exit": code,
        "boot_id": boot_id(root),
    }
    _store(config, _LEFT, body)


def left(config: Config) -> tuple[Left | None, int | None]:
    """How NixFleet left the host, and what the last switch since it booted exited with."""
    body = read_json(os.path.join(config.state_dir, _LEFT)) or {}
    action, profile, current = _ACTIONS.get(body.get("action")), body.get("profile"), body.get("current")
    code = body.get("switch_exit") if body.get("boot_id") == boot_id(config.files) else None
    found = None
    if action and isinstance(profile, str) and isinstance(current, str):
        found = Left(action=action, profile=profile, current=current)
    return found, code if isinstance(code, int) else None


def refuse(config: Config, system: str, reason: str) -> None:
    """The system had to be rolled back: not again by itself."""
    known = read_json(os.path.join(config.state_dir, _REFUSED)) or {}
    known.pop(system, None)
    known[system] = {"reason": reason, "at": time.time_ns() // 1_000_000}
    _store(config, _REFUSED, dict(list(known.items())[-_REFUSED_MAX:]))


def refused(config: Config, system: str) -> str | None:
    """Why the system was rolled back, if it was."""
    found = (read_json(os.path.join(config.state_dir, _REFUSED)) or {}).get(system)
    return str(found.get("reason") or "for an unknown reason") if isinstance(found, dict) else None


def number(root: Root, profile: str) -> int | None:
    """The number of the profile's generation."""
    return next((found.number for found in generations(root, profile) if found.selected), None)


def _store(config: Config, name: str, body: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        Disk().replace(os.path.join(config.state_dir, name), json.dumps(body).encode())
