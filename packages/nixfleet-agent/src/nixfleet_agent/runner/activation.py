"""What an activation's exit code and output mean, in words.

NixOS's switch-to-configuration: 0 done; 1 a check before it refused, or the boot loader failed; 2 the activation script
failed; 4 units failed, the configuration is active; 100 only a reboot can bring it; 101 it panicked. Anything else, and 2
and 4 too, may also be the number of a system error that it died of: then its output and the current system tell.
"""

import os
import re
from typing import NamedTuple

from nixfleet_agent.nix.text import plain

_UNITS = re.compile(r"the following units failed:\s*(.+)")
_LOCKED = re.compile(r"could not acquire lock", re.IGNORECASE)
_SCRIPT = re.compile(r"failed to run activate script|activation script.*failed", re.IGNORECASE)
_INHIBITED = re.compile(r"switch inhibitor", re.IGNORECASE)
_LOCK_ERRNO = 11
"""EWOULDBLOCK on Linux, as the older, Perl one exits when the lock is held."""


class Judgement(NamedTuple):
    """`kind`: `ok`; `degraded` (active, but not all of it works); `reboot` (only a boot brings it); `locked` and
    `failed` (not active)."""

    kind: str
    message: str
    units: tuple[str, ...] = ()


def failed_units(output: bytes) -> tuple[str, ...]:
    """Names of the units that switch-to-configuration says have failed, in its order."""
    text = plain(output.decode(errors="replace"))
    names = [name.strip() for found in _UNITS.findall(text) for name in found.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def judge_nixos(code: int, output: bytes, active: bool) -> Judgement:
    """`output`: the end of what it wrote, long enough for the list of failed units; `active`: it runs the new system."""
    text = plain(output.decode(errors="replace"))
    units = failed_units(output)
    if code == 0:
        return Judgement("ok", "activated")
    if _LOCKED.search(text) or (code == _LOCK_ERRNO and not active):
        return Judgement("locked", "another switch is going on on this host (it holds the lock of switches)")
    if code == 100:
        return Judgement("reboot", "only a reboot can bring this system: its init is another one")
    if units and (active or code == 4):
        return Judgement(
            "degraded", f"active, but {count(len(units), 'unit')} failed: {', '.join(units)}", units
        )
    if code == 4 and active:
        return Judgement("degraded", "active, but units failed")
    if code == 2 and active:
        return Judgement("degraded", "active, but a part of the activation script failed", units)
    return Judgement("failed", _reason(code, text), units)


def judge_plain(code: int, output: bytes, active: bool) -> Judgement:
    """nix-darwin's and home-manager's `activate`: 0 or not. A part that failed leaves the rest undone."""
    if code == 0:
        return Judgement("ok", "activated")
    return Judgement("failed", f"the activation failed with exit code {code}{_last_words(output)}")


def count(number: int, noun: str) -> str:
    """`1 unit`, `2 units`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _reason(code: int, text: str) -> str:
    if _INHIBITED.search(text):
        return "the new system may not be switched to without a reboot (switch inhibitors)"
    if code == 2 and _SCRIPT.search(text):
        return "the activation script failed"
    words = _FAILED.get(code)
    if words is None and code < 128:
        words = f"the activation died of a system error: {os.strerror(code)}"
    return f"{words or 'the activation was killed'} (exit code {code}){_last_words(text.encode())}"


_FAILED = {
    1: "a check before the activation failed, nothing was changed",
    2: "the activation script failed",
    4: "the activation was interrupted",
    101: "switch-to-configuration itself crashed",
}


def _last_words(output: bytes) -> str:
    lines = [line.strip() for line in plain(output.decode(errors="replace")).splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return f": {last[:300]}" if last else ""
