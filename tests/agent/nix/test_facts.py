"""What each kind of host is, read from its files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nixfleet_agent.nix.deployed import Left
from nixfleet_agent.nix.facts import Generation, HostFacts, Kernels, home_manager, nix_darwin, nixos
from nixfleet_agent.nix.reboot import Reboot
from tests.agent.nix.hosts import PROFILES, Host

REVISION = "d96b37bbeb9840f1c0ebfe90585ef5067b69bbb3"
COMMIT = "a" * 40


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_nixos_host(host: Host) -> None:
    old, new = host.system("old", kernel="6.12.40"), host.system("new")
    version = "25.11.20260407.d96b37b"
    host.versions(new, nixosVersion=version, nixpkgsRevision=REVISION, configurationRevision=COMMIT)
    host.generation(9, old, at=1_700_000_000_123)
    host.generation(10, new, at=1_700_000_100_456)
    host.boot(old)
    host.link("/run/current-system", new)
    host.write("/proc/sys/kernel/osrelease", "6.12.40\n")
    left = Left(action="switch", profile=new, current=new)
    assert nixos(host.root, left) == HostFacts(
        os="NixOS",
        os_version=version,
        nixpkgs_revision=REVISION,
        configuration_revision=COMMIT,
        profile=new,
        current=new,
        booted=old,
        generation=10,
        generations=(
            Generation(number=9, store_path=old, created_at=1_700_000_000_123, selected=False),
            Generation(number=10, store_path=new, created_at=1_700_000_100_456, selected=True),
        ),
        kernels=Kernels(running="6.12.40", booted="6.12.40", current="6.12.41", profile="6.12.41"),
        reboot=Reboot(state="required", reasons=("kernel", "initrd", "kernel-modules")),
        state="normal",
        changed_outside=False,
    )


def test_a_host_that_tells_nothing(host: Host) -> None:
    for facts in (nixos(host.root), nix_darwin(host.root), home_manager(host.root, "/home/x", "x")):
        assert (facts.profile, facts.current, facts.os_version, facts.generation) == (None,) * 4
        assert facts.generations == ()
        assert facts.state == "unknown"
        assert facts.reboot.state == "unknown"
        assert facts.changed_outside is None


def test_nixos_without_a_revision_says_so(host: Host) -> None:
    system = host.system("one")
    host.versions(system, nixosVersion="25.11pre-git")
    host.boot(system)
    facts = nixos(host.root)
    assert (facts.os_version, facts.nixpkgs_revision, facts.configuration_revision) == (
        "25.11pre-git",
        None,
        None,
    )


@pytest.mark.parametrize("script", [None, "no json here", '{"nixosVersion": broken}', '{"nixosVersion": 7}'])
def test_the_version_is_found_elsewhere_when_the_script_does_not_tell(host: Host, script: str | None) -> None:
    system = host.system("one")
    host.boot(system)
    host.write(f"{system}/nixos-version", "25.11-label")
    if script is not None:
        host.write(f"{system}/sw/bin/nixos-version", script)
    assert nixos(host.root).os_version == "25.11-label"
    host.write(f"{system}/etc/os-release", 'NAME=NixOS\n# a comment\nBUILD_ID="25.11.2026.abc"\n')
    assert nixos(host.root).os_version == "25.11.2026.abc"


def test_generations_are_sorted_by_number_and_dated_by_their_link(host: Host) -> None:
    system = host.system("one")
    os.utime(host.at(system), (1, 1))  # everything in the store is dated 1970
    for number in (2, 10, 1, 9):
        host.generation(number, system, at=1_700_000_000_000 + number)
    host.link(f"{PROFILES}/system-11-link", "/nix/store/deleted")
    for name in (
        "system-x-link",
        "system-1-link-old",
        "system--1-link",
        "system-3",
        "system-٣-link",
        "other-4-link",
    ):
        host.link(f"{PROFILES}/{name}", system)
    found = nixos(host.root).generations
    assert [generation.number for generation in found] == [1, 2, 9, 10, 11]
    assert [generation.created_at for generation in found[:4]] == [
        1_700_000_000_000 + n for n in (1, 2, 9, 10)
    ]
    assert [generation.number for generation in found if generation.selected] == [9]
    assert found[-1].store_path is None


def test_profiles_of_other_tools_are_named(host: Host) -> None:
    system = host.system("one")
    host.boot(system)
    host.generation(3, system, profile=f"{PROFILES}/system-profiles/comin")
    assert nixos(host.root).other_profiles == (("comin", system),)


def test_a_specialisation_of_the_profile_is_no_drift(host: Host) -> None:
    system, special = host.system("one"), host.system("one-gaming")
    host.link(f"{system}/specialisation/gaming", special)
    host.generation(1, system)
    host.boot(special)
    facts = nixos(host.root, Left(action="switch", profile=system, current=system))
    assert (facts.specialisation, facts.state, facts.changed_outside) == ("gaming", "normal", False)
    host.boot(system)
    assert nixos(host.root).specialisation is None


def test_two_kernels_in_one_system_are_no_answer(host: Host) -> None:
    host.boot(host.system("one"))
    host.at("/nix/store/m6.12.41-kernel-modules/lib/modules/6.6.6").mkdir()
    assert nixos(host.root).kernels.current is None


def test_a_mac(host: Host) -> None:
    system = "/nix/store/x-darwin-system-25.11"
    host.write(
        f"{system}/darwin-version.json",
        f'{{"darwinLabel":"25.11.abc","nixpkgsRevision":"{REVISION}","configurationRevision":"{COMMIT}-dirty"}}',
    )
    host.write(
        "/System/Library/CoreServices/SystemVersion.plist",
        "<plist><dict><key>ProductName</key><string>macOS</string>\n"
        "<key>ProductVersion</key>\n\t<string>15.6.1</string></dict></plist>",
    )
    host.generation(4, system)
    host.link("/run/current-system", system)
    facts = nix_darwin(host.root, Left(action="switch", profile=system, current=system))
    assert (facts.os, facts.os_version, facts.label) == ("macOS", "15.6.1", "25.11.abc")
    assert (facts.nixpkgs_revision, facts.configuration_revision) == (REVISION, f"{COMMIT}-dirty")
    assert (facts.profile, facts.current, facts.booted, facts.generation) == (system, system, None, 4)
    assert (facts.state, facts.changed_outside) == ("normal", False)
    assert facts.reboot == Reboot(state="unknown")


HOME = "/home/ada"
LOCAL = f"{HOME}/.local/state"


@pytest.mark.parametrize(
    ("state_home", "profiles"),
    [(None, f"{LOCAL}/nix/profiles"), ("/xdg", "/xdg/nix/profiles"), (None, f"{PROFILES}/per-user/ada")],
)
def test_a_home(host: Host, state_home: str | None, profiles: str) -> None:
    old, new = "/nix/store/o-home-manager-generation", "/nix/store/n-home-manager-generation"
    host.write(f"{new}/hm-version", "25.11-pre\n")
    host.at(old).mkdir()
    host.write("/etc/os-release", "NAME='Fedora Linux'\nVERSION_ID=43\n")
    host.generation(1, old, profile=f"{profiles}/home-manager")
    host.generation(2, new, profile=f"{profiles}/home-manager")
    host.link(f"{state_home or LOCAL}/home-manager/gcroots/current-home", new)
    facts = home_manager(host.root, HOME, "ada", state_home)
    assert (facts.os, facts.os_version, facts.label) == ("Fedora Linux", "43", "25.11-pre")
    assert (facts.profile, facts.current, facts.generation) == (new, new, 2)
    assert [generation.store_path for generation in facts.generations] == [old, new]
    assert (facts.state, facts.booted, facts.changed_outside) == ("normal", None, None)


def test_the_directory_decides_where_homes_are_kept_even_when_empty(host: Host) -> None:
    host.generation(1, "/nix/store/x", profile=f"{PROFILES}/per-user/ada/home-manager")
    assert home_manager(host.root, HOME, "ada").generation == 1
    host.at(f"{LOCAL}/nix/profiles").mkdir(parents=True)
    assert home_manager(host.root, HOME, "ada").generation is None


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, nixfleet_agent.nix.facts; "
        "print([m for m in ('subprocess', 'pydantic', 'asyncio', 'ssl', 'xml', 'pathlib') if m in sys.modules])"
    )
    # -S: without it the packages' own .pth files import what they like.
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_machine_itself_can_be_read() -> None:
    """Whatever this machine is, nothing is raised."""
    root = Host(Path("/")).root
    for facts in (nixos(root), nix_darwin(root), home_manager(root, str(Path.home()), "root")):
        assert isinstance(facts, HostFacts)
