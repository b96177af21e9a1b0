"""Kinds of hosts: how one is recognised, and which commands each can do. For the resident too: nothing heavy here."""

import os
from collections.abc import Mapping

from nixfleet_agent.nix.root import Root

_EVERYWHERE = ("pull", "switch", "pull-switch", "test", "stop", "restart", "fetch", "update")
COMMANDS: dict[str, tuple[str, ...]] = {
    "nixos": (*_EVERYWHERE, "check", "rollback", "reboot"),
    "nix-darwin": (*_EVERYWHERE, "check", "rollback", "reboot"),
    "home-manager": (*_EVERYWHERE, "check", "rollback"),
    "script": (*_EVERYWHERE, "reboot"),
}
"""What each kind can do."""
ABLE = "commands.json"
"""File of the state directory where root says which commands this host can do, for a resident that can't look."""
OPTIONAL = {"script": ("rollback", "check")}
"""What it can do besides where the repository has a program of that name for it."""


def detect(env: Mapping[str, str], root: Root) -> str:
    """The kind of this host, by what is installed on it."""
    if root.resolve("/etc/NIXOS"):
        return "nixos"
    if root.resolve("/run/current-system/darwin-version.json"):
        return "nix-darwin"
    if root.link(home_profile(root, _state(env), env.get("USER", ""))):
        return "home-manager"
    return "script"


def _state(env: Mapping[str, str]) -> str:
    return env.get("XDG_STATE_HOME") or f"{env.get('HOME', '')}/.local/state"


def home_profile(root: Root, state: str, user: str) -> str:
    """home-manager's profile of a user, whose XDG_STATE_HOME is `state`."""
    profiles = f"{state}/nix/profiles"
    if root.names(profiles) is None:  # home-manager's own rule: the directory decides, not the profile in it
        profiles = f"/nix/var/nix/profiles/per-user/{user}"
    return f"{profiles}/home-manager"


def home_current(state: str) -> str:
    """The generation of home-manager that is active."""
    return f"{state}/home-manager/gcroots/current-home"


def marks(platform: str, env: Mapping[str, str], root: Root) -> tuple[str, ...]:
    """Links that change whenever the host's system does."""
    if platform == "home-manager":
        state = _state(env)
        return (home_current(state), home_profile(root, state, env.get("USER", "")))
    if platform in ("nixos", "nix-darwin"):
        return ("/run/current-system", "/nix/var/nix/profiles/system")
    return ()


def program(tree: str, hostname: str, name: str) -> str | None:
    """The repository's own program of this name: the host's, else the one for all; None when there is none."""
    places = (os.path.join(tree, "hosts", hostname, name), os.path.join(tree, name))
    return next((place for place in places if os.path.isfile(place)), None)


def commands(platform: str, tree: str | None, hostname: str) -> tuple[str, ...]:
    """What this host can do, as it says in `register`."""
    more = tuple(name for name in OPTIONAL.get(platform, ()) if tree and program(tree, hostname, name))
    return COMMANDS[platform] + more


def is_nix(platform: str) -> bool:
    """Whether hosts of this kind are built by Nix."""
    return platform != "script"


def can(platform: str, command: str) -> bool:
    """Whether a host of this kind may be able to do it."""
    return command in COMMANDS[platform] or command in OPTIONAL.get(platform, ())
