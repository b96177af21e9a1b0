"""What a host built with Nix is: versions, revision, generations, and the system that is wanted, running and booted.

Read from files and links alone: no program is run, nothing is built, nothing is evaluated. A fact that can't be read is
None. Systems are compared by store path; a version label may be the same for two different systems.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nixfleet_agent import kinds
from nixfleet_agent.nix.deployed import Left, State, Systems
from nixfleet_agent.nix.reboot import BOOTED, CURRENT, PROFILE, Reboot, reboot
from nixfleet_agent.nix.root import Root

_PROFILES = "/nix/var/nix/profiles"
_MACOS_VERSION = "/System/Library/CoreServices/SystemVersion.plist"
_VERSION_JSON = re.compile(r'\{[^{}]*"nixosVersion"[^{}]*\}')
_PRODUCT = re.compile(r"<key>ProductVersion</key>\s*<string>([^<]{1,64})</string>")
_UNKNOWN = Reboot(state="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One generation of a profile."""

    number: int
    store_path: str | None
    """None if it was deleted from the store but not from the profile."""
    created_at: int | None
    """When it was made, ms since the epoch."""
    selected: bool
    """The profile points at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """Versions, as `6.12.41`. They differ from each other where a reboot is due."""

    running: str | None = None
    booted: str | None = None
    current: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """A NixOS, nix-darwin or home-manager host. Systems are given as store paths."""

    os: str | None = None
    os_version: str | None = None
    label: str | None = None
    """The version label of nix-darwin or home-manager."""
    nixpkgs_revision: str | None = None
    configuration_revision: str | None = None
    """Commit the configuration was built from, if its flake sets it."""
    profile: str | None = None
    current: str | None = None
    booted: str | None = None
    specialisation: str | None = None
    """Name of the profile's specialisation that runs, if one does."""
    generation: int | None = None
    """Number of the profile's generation."""
    generations: tuple[Generation, ...] = ()
    """Rising by number."""
    other_profiles: tuple[tuple[str, str], ...] = ()
    """Name and store path of each profile that another tool keeps in `system-profiles`."""
    kernels: Kernels = Kernels()
    reboot: Reboot = _UNKNOWN
    state: State = "unknown"
    changed_outside: bool | None = None


def nixos(root: Root, left: Left | None = None, switch_exit: int | None = None) -> HostFacts:
    """Facts of a NixOS host. `left`: how NixFleet left it; `switch_exit`: of the last switch since it booted."""
    versions = _json(root.read(f"{CURRENT}/sw/bin/nixos-version"), _VERSION_JSON)
    release = _os_release(root, f"{CURRENT}/etc/os-release")
    now = Systems.read(root, PROFILE, CURRENT, root.resolve(BOOTED))
    return HostFacts(
        os="NixOS",
        os_version=_text(versions, "nixosVersion")
        or release.get("BUILD_ID")
        or root.read(f"{CURRENT}/nixos-version"),
        nixpkgs_revision=_text(versions, "nixpkgsRevision"),
        configuration_revision=_text(versions, "configurationRevision"),
        profile=now.profile,
        current=now.current,
        booted=now.booted,
        specialisation=now.specialisation,
        generation=_selected(root, PROFILE),
        generations=generations(root, PROFILE),
        other_profiles=_other_profiles(root),
        kernels=Kernels(
            running=root.read("/proc/sys/kernel/osrelease"),
            booted=_kernel(root, BOOTED),
            current=_kernel(root, CURRENT),
            profile=_kernel(root, PROFILE),
        ),
        reboot=reboot(root, switch_exit),
        state=now.state(left),
        changed_outside=now.changed_outside(left),
    )


def nix_darwin(root: Root, left: Left | None = None) -> HostFacts:
    """Facts of a Mac with nix-darwin. There is no booted system, so whether it needs a reboot is unknown."""
    versions = _json(root.read(f"{CURRENT}/darwin-version.json"))
    now = Systems.read(root, PROFILE, CURRENT, None)
    return HostFacts(
        os="macOS",
        os_version=_macos_version(root),
        label=_text(versions, "darwinLabel"),
        nixpkgs_revision=_text(versions, "nixpkgsRevision"),
        configuration_revision=_text(versions, "configurationRevision"),
        profile=now.profile,
        current=now.current,
        generation=_selected(root, PROFILE),
        generations=generations(root, PROFILE),
        other_profiles=_other_profiles(root),
        state=now.state(left),
        changed_outside=now.changed_outside(left),
    )


def home_manager(
    root: Root, home: str, user: str, state_home: str | None = None, left: Left | None = None
) -> HostFacts:
    """Facts of a user's home-manager. `state_home` is XDG_STATE_HOME, by default `~/.local/state`."""
    state_home = state_home or f"{home}/.local/state"
    profile = kinds.home_profile(root, state_home, user)
    now = Systems.read(root, profile, kinds.home_current(state_home), None)
    mac = _macos_version(root)
    release = {} if mac else _os_release(root, "/etc/os-release")
    return HostFacts(
        os="macOS" if mac else release.get("NAME"),
        os_version=mac or release.get("VERSION_ID"),
        label=root.read(f"{profile}/hm-version"),
        profile=now.profile,
        current=now.current,
        generation=_selected(root, profile),
        generations=generations(root, profile),
        state=now.state(left),
        changed_outside=now.changed_outside(left),
    )


def generations(root: Root, profile: str) -> tuple[Generation, ...]:
    """All generations of a profile (the path of its link), rising by number."""
    directory, _, name = profile.rpartition("/")
    selected = _selected(root, profile)
    found = []
    for entry in root.names(directory) or ():
        number = _number(entry, name)
        if number is not None:
            path = f"{directory}/{entry}"
            found.append(
                Generation(
                    number=number,
                    store_path=root.resolve(path),
                    created_at=root.changed_at(path),
                    selected=number == selected,
                )
            )
    return tuple(sorted(found, key=lambda generation: generation.number))


def _selected(root: Root, profile: str) -> int | None:
    target = root.link(profile)
    return _number(target.rpartition("/")[2], profile.rpartition("/")[2]) if target else None


def _number(entry: str, profile: str) -> int | None:
    digits = entry.removeprefix(f"{profile}-").removesuffix("-link")
    plain = digits.isascii() and digits.isdigit() and len(digits) < 10
    return int(digits) if plain and entry == f"{profile}-{digits}-link" else None


def _other_profiles(root: Root) -> tuple[tuple[str, str], ...]:
    found = root.links(f"{_PROFILES}/system-profiles")
    return tuple((name, path) for name, path in found if not re.search(r"-\d+-link$", name))


def _kernel(root: Root, system: str) -> str | None:
    names = root.names(f"{system}/kernel-modules/lib/modules")
    return names[0] if names is not None and len(names) == 1 else None


def _macos_version(root: Root) -> str | None:
    found = _PRODUCT.search(root.read(_MACOS_VERSION) or "")
    return found[1].strip() if found else None


def _os_release(root: Root, path: str) -> dict[str, str]:
    return dict(_pairs(root.read(path) or ""))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            yield key, value.strip("\"'")


def _json(text: str | None, pattern: re.Pattern[str] | None = None) -> dict[str, object]:
    if text is not None and pattern is not None:
        found = pattern.search(text)
        text = found[0] if found else None
    try:
        data = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _text(data: dict[str, object], key: str) -> str | None:
    value = data.get(key)
    return value if isinstance(value, str) and value else None
