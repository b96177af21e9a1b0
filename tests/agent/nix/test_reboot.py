"""Does it need a reboot, and may it be switched without one?"""

import json
from pathlib import Path

import pytest

from nixfleet_agent.nix.reboot import Reboot, reboot, switch_inhibitors
from tests.agent.nix.hosts import Host

EVERYTHING = ("kernel", "initrd", "kernel-modules", "kernel-params", "init", "systemd")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Booted into generation 1, of which the profile is too."""
    host = Host(tmp_path)
    system = host.system("one")
    host.generation(1, system)
    host.boot(system)
    return host


def test_the_same_system_needs_none(host: Host) -> None:
    assert reboot(host.root) == Reboot(state="no")


def test_another_system_with_the_same_kernel_needs_none(host: Host) -> None:
    new = host.system("two")
    host.generation(2, new)
    host.link("/run/current-system", new)
    assert reboot(host.root) == Reboot(state="no")


def test_a_new_kernel_in_the_profile_needs_one_even_before_the_switch(host: Host) -> None:
    host.generation(2, host.system("two", kernel="6.18.1"))
    assert reboot(host.root) == Reboot(state="required", reasons=("kernel", "initrd", "kernel-modules"))


@pytest.mark.parametrize("name", ["kernel", "initrd", "kernel-modules"])
def test_each_link_counts(host: Host, name: str) -> None:
    new = host.system("two")
    host.link(f"{new}/{name}", "/nix/store/other/bzImage")
    host.generation(2, new)
    assert reboot(host.root) == Reboot(state="required", reasons=(name,))


def test_kernel_parameters_count_by_content(host: Host) -> None:
    host.generation(2, host.system("two", params="quiet\n"))
    assert reboot(host.root).state == "no"
    host.generation(3, host.system("three", params="quiet splash"))
    assert reboot(host.root) == Reboot(state="required", reasons=("kernel-params",))


def test_another_init_interface_needs_one(host: Host) -> None:
    new = host.system("two")
    host.write(f"{new}/init-interface-version", "systemd 3")
    host.generation(2, new)
    assert reboot(host.root) == Reboot(state="required", reasons=("init",))


def test_the_switch_itself_may_say_so(host: Host) -> None:
    assert reboot(host.root, switch_exit=100) == Reboot(state="required", reasons=("init",))
    assert reboot(host.root, switch_exit=4).state == "no"
    assert reboot(host.root, switch_exit=0).state == "no"


def test_another_systemd_that_runs_is_advice(host: Host) -> None:
    new = host.system("two", systemd="259")
    host.generation(2, new)
    assert reboot(host.root).state == "no"  # not switched to yet
    host.link("/run/current-system", new)
    assert reboot(host.root) == Reboot(state="advised", reasons=("systemd",))


def test_need_is_more_than_advice(host: Host) -> None:
    new = host.system("two", systemd="259", params="other")
    host.generation(2, new)
    host.link("/run/current-system", new)
    assert reboot(host.root) == Reboot(state="required", reasons=("kernel-params", "systemd"))


@pytest.mark.parametrize("missing", ["/run/booted-system", "/nix/var/nix/profiles/system"])
def test_a_container_or_a_missing_profile_is_unknown(host: Host, missing: str) -> None:
    host.at(missing).unlink()
    found = reboot(host.root)
    assert found.state == "unknown"
    assert set(found.unknown) >= set(EVERYTHING[:5])


@pytest.mark.parametrize("name", ["kernel", "initrd", "kernel-modules", "kernel-params", "systemd"])
def test_whatever_is_missing_makes_it_unknown_and_never_no(host: Host, name: str) -> None:
    host.at(f"/nix/store/one-nixos-system/{name}").unlink()
    assert reboot(host.root) == Reboot(state="unknown", unknown=(name,))


def test_what_is_known_still_counts_when_something_is_missing(host: Host) -> None:
    new = host.system("two", kernel="6.18.1")
    host.at(f"{new}/kernel-params").unlink()
    host.generation(2, new)
    found = reboot(host.root)
    assert (found.state, found.unknown) == ("required", ("kernel-params",))


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        ({"a": "1", "b": "1"}, {"a": "1", "b": "1"}, ()),
        ({"a": "1", "b": "1"}, {"a": "2", "b": "2", "c": "3"}, ("a", "b")),
        ({"a": "1"}, {"b": "2"}, ()),
        ({}, {"a": "1"}, ()),
    ],
)
def test_inhibitors_are_what_both_have_and_differ_in(
    host: Host, here: dict[str, str], there: dict[str, str], found: tuple[str, ...]
) -> None:
    new = host.system("two")
    host.write("/nix/store/one-nixos-system/switch-inhibitors", json.dumps(here))
    host.write(f"{new}/switch-inhibitors", json.dumps(there))
    assert switch_inhibitors(host.root, new) == found


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{", "[" * 100_000, "/nix/store/a-list\n/nix/store/of-paths"]
)
def test_inhibitors_that_cannot_be_read_are_unknown(host: Host, text: str | None) -> None:
    new = host.system("two")
    for system in (new, "/nix/store/one-nixos-system"):
        kept = host.at(f"{system}/switch-inhibitors").read_text()
        if text is None:
            host.at(f"{system}/switch-inhibitors").unlink()
        else:
            host.write(f"{system}/switch-inhibitors", text)
        assert switch_inhibitors(host.root, new) is None
        host.write(f"{system}/switch-inhibitors", kept)
    assert switch_inhibitors(host.root, new) == ()
