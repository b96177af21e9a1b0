"""The same inside the real modules of NixOS, nix-darwin and home-manager, with a stand-in pkgs.

Only where NIXFLEET_NIX_SOURCES is set, see CONTRIBUTING.md: a clean machine has none of them.
"""

import plistlib
import re
from pathlib import Path

import pytest

from tests.nix.nix import AGENT, HERE, NIX, SERVER, SOURCES, UNITS, evaluate, expected, plain, user_unit

pytestmark = pytest.mark.needs("nix")

EXTRA = ("nixfleet-agent", "nixfleet-server")


def names(directory: Path) -> Path:
    """A file of every word that could name a package."""
    file = directory / "names"
    if not file.exists():
        words = set(EXTRA)
        for root in ("nixpkgs/nixos", "nix-darwin/modules", "home-manager/modules"):
            for source in (SOURCES / root).rglob("*.nix"):
                words.update(re.findall(r"[A-Za-z_][A-Za-z0-9_-]*", source.read_text(errors="replace")))
        file.write_text("\n".join(sorted(words)))
    return file


def in_nixos(module: str, config: str, wanted: tuple[str, ...], directory: Path) -> dict[str, str]:
    units = " ".join(f'"{name}" = c.systemd.units."{name}".text;' for name in wanted)
    found = evaluate(
        f"let c = (import {HERE}/real/nixos.nix {{ np = {SOURCES}/nixpkgs; names = {names(directory)}; module = {NIX}/{module}.nix;"
        f" config = {config}; }}).config; in {{ failed = map (a: a.message)"
        f" (builtins.filter (a: !a.assertion) c.assertions); units = {{ {units} }}; }}",
        directory,
    )
    assert found["failed"] == []
    return {name: plain("\n".join(_sections(text))) for name, text in found["units"].items()}


def _sections(text: str) -> list[str]:
    """Without the blank lines that the real renderer leaves."""
    lines = [line for line in text.splitlines() if line]
    return [part for line in lines for part in (["", line] if line.startswith("[") else [line])][1:]


def test_inside_the_real_nixos_modules_the_units_are_the_same(tmp_path: Path) -> None:
    found = in_nixos("agent-nixos", AGENT, UNITS, tmp_path)
    found |= in_nixos("server", SERVER, ("nixfleet-server.service",), tmp_path)
    for name, text in found.items():
        expected(name, text)


def test_inside_the_real_nix_darwin_modules_the_jobs_are_the_same(tmp_path: Path) -> None:
    found = evaluate(
        f"let c = (import {HERE}/real/darwin.nix {{ np = {SOURCES}/nixpkgs; names = {names(tmp_path)}; darwin = {SOURCES}/nix-darwin;"
        f" module = {NIX}/agent-darwin.nix; config = {AGENT}; }}).config; in {{ failed = map (a: a.message)"
        " (builtins.filter (a: !a.assertion) c.assertions); jobs = builtins.mapAttrs (_: f: f.text)"
        " c.environment.launchDaemons; }",
        tmp_path,
    )
    assert found["failed"] == []
    for name, label in (
        ("nixfleet-agent", "org.nixfleet.agent"),
        ("nixfleet-agent-runner", "org.nixfleet.agent-runner"),
    ):
        job = plistlib.loads(plain(found["jobs"][f"{label}.plist"]).encode())
        expected(f"{name}.plist", plistlib.dumps(job).decode())


@pytest.mark.parametrize("system", ["x86_64-linux", "aarch64-darwin"])
def test_inside_the_real_home_manager_modules_they_are_the_same(tmp_path: Path, system: str) -> None:
    what = "systemd.user.services" if system.endswith("linux") else "launchd.agents"
    found = evaluate(
        f"let c = (import {HERE}/real/home-manager.nix {{ np = {SOURCES}/nixpkgs; names = {names(tmp_path)}; hm = {SOURCES}/home-manager;"
        f' module = {NIX}/agent-home-manager.nix; config = {AGENT}; system = "{system}"; }}).config;'
        f" in c.{what}.nixfleet-agent",
        tmp_path,
    )
    if system.endswith("linux"):
        expected("home-manager.service", plain(user_unit(found)))
    else:
        job = {key: value for key, value in found["config"].items() if value is not None}
        expected("home-manager.plist", plain(plistlib.dumps(job).decode()))
