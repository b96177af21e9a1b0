"""A host is never lost: switches on booted systemd, with real Nix and a system made for the test, that go well and badly."""

from collections.abc import Iterator

import pytest

from nixfleet_agent.units.installation import SERVICE
from nixfleet_protocol.messages import RunView
from tests.support.lab import until
from tests.support.nixhost import FILES
from tests.support.proxy import Proxy
from tests.systemd.conftest import Host, Site, new_name
from tests.systemd.machine import PROGRAM

pytestmark = [pytest.mark.long, pytest.mark.needs("systemd-nspawn", "mmdebstrap", "ip", "git")]

WINDOW = 8
PROFILE = "/nix/var/nix/profiles/system"
NIX_CONF = (
    "experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstituters =\n"
)
BOOT = f"""[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'ln -sfn "$(readlink -f {PROFILE})" /run/current-system'
[Install]
WantedBy=sysinit.target
"""
"""What stage 2 does on NixOS: the boot brings the profile's system."""
NEXT = "/opt/next/nixfleet-agent"
CONNECTED = '[ "$1" != test ] || ip link set eth0 up'
CUT = '[ "$1" != test ] || { echo cutting; ip link set eth0 down; }'
CHANGES_THE_AGENT = f"""
[ "$1" = test ] || exit 0
sed -i 's|^ExecStart={PROGRAM} |ExecStart={NEXT} |; s|^ExecStopPost={PROGRAM} |ExecStopPost={NEXT} |' \\
  /etc/systemd/system/nixfleet-agent.service /etc/systemd/system/nixfleet-agent-runner@.service
sed -i 's|^Description=.*|Description=The next NixFleet agent|' /etc/systemd/system/nixfleet-agent.service
systemctl daemon-reload
for i in $(seq 1 20); do echo line $i; sleep 0.05; done
"""


class NixOS:
    """A host whose system is built from a flake; `switch` commits a behaviour of its activation and switches to it."""

    def __init__(self, site: Site, **environment: str) -> None:
        machine = self.machine = site.machine
        machine.write("/etc/nix/nix.conf", NIX_CONF)
        machine.write("/etc/systemd/system/fake-boot.service", BOOT)
        machine.run("systemctl", "enable", "fake-boot.service")
        machine.install_program(NEXT, version="77.0.0")
        machine.run("sh", "-c", f"rm -f {PROFILE}* /run/current-system /calls; ip link set eth0 up")
        self.site, name = site, new_name()
        given = {"NIXFLEET_PLATFORM": "nixos", "NIXFLEET_CONFIRM_TIMEOUT": str(WINDOW)}
        self.host: Host = site.installed({"x": "true"}, name=name, **given, **environment)
        real = {"systemctl": '#!/bin/sh\nexec /usr/bin/systemctl "$@"\n'}
        self.host.commit(FILES | real | {"flake.nix": FILES["flake.nix"].replace("web1", name)})
        self.version = 0

    def begin(self, behaviour: str) -> str:
        self.version += 1
        self.host.commit({"version": f"{self.version}.0\n", "behaviour": behaviour})
        return self.host.dispatch("pull-switch")

    def switch(self, behaviour: str) -> RunView:
        return self.host.ended(self.begin(behaviour))

    @property
    def current(self) -> str:
        return self.machine.run("readlink", "-f", "/run/current-system").strip().rpartition("-")[2]

    @property
    def profile(self) -> str:
        return self.machine.run("readlink", "-f", PROFILE).strip().rpartition("-")[2]

    def settled(self) -> bool:
        """Nothing of a pending switch is left."""
        left = self.machine.run(
            "systemctl", "list-units", "--all", "--plain", "--no-legend", "nixfleet-confirm-*"
        )
        return not left and not self.machine.exists("/var/lib/nixfleet-agent/pending.json")

    def steps(self, run: RunView) -> dict[str, str]:
        return {step.name: step.outcome for step in run.outcome.steps} if run.outcome else {}


@pytest.fixture
def nixos(site: Site) -> Iterator[NixOS]:
    made = NixOS(site)
    yield made
    site.gate.accept()


def test_a_switch_that_replaces_the_agent_and_its_unit_is_confirmed_by_the_new_one(nixos: NixOS) -> None:
    first = nixos.switch(CONNECTED)
    assert (first.result, nixos.current, nixos.profile) == ("ok", "1.0", "1.0"), first.message
    old = nixos.machine.property(SERVICE, "MainPID")

    run = nixos.switch(CHANGES_THE_AGENT)

    assert (run.result, run.exit_code) == ("ok", 0), run.message
    assert nixos.steps(run)["confirm"] == "ok"
    assert (nixos.current, nixos.profile) == ("2.0", "2.0")
    assert nixos.site.client.host(nixos.host.name).agent_version == "77.0.0"
    assert not nixos.machine.exists(f"/proc/{old}/cmdline")  # the old one is gone
    assert nixos.machine.property(SERVICE, "Description") == "The next NixFleet agent"
    assert nixos.host.text(run.run_id).count(b"\nline ") == 20  # `text` asserts that no number is missing
    assert nixos.settled()
    assert nixos.switch(CONNECTED).result == "ok"  # and the new one works


def test_a_switch_that_cuts_the_network_is_rolled_back_by_itself(nixos: NixOS) -> None:
    assert nixos.switch(CONNECTED).result == "ok"

    run = nixos.switch(CUT)

    assert run.result == "rolled_back", run.message
    assert "the server is unreachable" in (run.message or "")
    assert b"cutting" in nixos.host.text(run.run_id)
    assert (nixos.current, nixos.profile) == ("1.0", "1.0")
    nixos.host.online()
    assert nixos.settled()
    again = nixos.host.ended(nixos.host.dispatch("switch"))
    assert again.result == "failed"
    assert "rolled back before" in (again.message or "")


def test_the_timer_rolls_back_when_the_runner_was_killed_in_the_window(nixos: NixOS) -> None:
    assert nixos.switch(CONNECTED).result == "ok"
    run_id = nixos.begin(CUT)
    until(lambda: nixos.current == "2.0", "the activation")
    until(lambda: '"activated": null' not in pending(nixos), "the end of the activation")

    nixos.machine.run("sh", "-c", f"kill -KILL {nixos.host.runner(run_id)}")
    run = nixos.host.ended(run_id)

    assert run.result == "rolled_back", run.message
    assert (nixos.current, nixos.profile) == ("1.0", "1.0")
    nixos.host.online()
    until(nixos.settled, "nothing left")


@pytest.mark.parametrize("hard", [False, True])
def test_a_reboot_inside_the_window_comes_back_to_the_old_system_and_says_so(
    hard: bool, nixos: NixOS
) -> None:
    assert nixos.switch(CONNECTED).result == "ok"
    run_id = nixos.begin(CUT)
    until(lambda: nixos.current == "2.0", "the activation")
    until(lambda: '"activated": null' not in pending(nixos), "the end of the activation")

    nixos.machine.reboot(hard=hard)
    nixos.machine.run("ip", "link", "set", "eth0", "up")  # as the old system's boot would
    nixos.host.online()
    run = nixos.host.ended(run_id)

    assert run.result == "rolled_back", run.message
    assert "restarted" in (run.message or "")
    assert (nixos.current, nixos.profile) == ("1.0", "1.0")
    assert nixos.settled()


def test_a_server_alone_that_is_killed_in_mid_switch_rolls_nothing_back(site: Site) -> None:
    elsewhere = Proxy(site.lab.server.port, host=site.machine.gateway)
    nixos = NixOS(site, NIXFLEET_PROBES=f"{site.machine.gateway}:{elsewhere.port}")
    assert nixos.switch(CONNECTED).result == "ok"
    run_id = nixos.begin(CONNECTED)
    until(lambda: nixos.current == "2.0", "the activation")
    site.gate.refuse()
    until(nixos.settled, "a decision")
    site.gate.accept()
    run = nixos.host.ended(run_id)
    elsewhere.close()

    assert run.result in ("unconfirmed", "ok"), run.message  # `ok`: the new agent was quicker than the cut
    assert (nixos.current, nixos.profile) == ("2.0", "2.0")


def pending(nixos: NixOS) -> str:
    """What is written down of the switch; without one, the text that means "not yet"."""
    found = nixos.machine.run("cat", "/var/lib/nixfleet-agent/pending.json", check=False)
    return found or '"activated": null'
