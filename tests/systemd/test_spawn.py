"""Runners that the agent starts itself: a restart of its unit in mid-switch leaves them alone."""

import json
from collections.abc import Iterator

import pytest

from tests.support.lab import until
from tests.systemd.conftest import SPAWNING, Host, Site

pytestmark = [pytest.mark.long, pytest.mark.needs("systemd-nspawn", "mmdebstrap", "ip", "git")]

SLOW = "echo begun; for i in $(seq 1 30); do echo line $i; sleep 0.1; done; cat /proc/self/cgroup"
NO_BUS = "/opt/no-bus"
"""A PATH with all that a run needs but busctl."""


@pytest.fixture
def alice(site: Site) -> Iterator[str]:
    """A user with a manager of her own, logged in or not."""
    machine = site.machine
    if not machine.exists("/home/alice"):
        machine.run("useradd", "--create-home", "alice")
        machine.run("systemctl", "start", f"user@{machine.run('id', '-u', 'alice').strip()}.service")
    yield "alice"
    site.manage("alice", "stop", SPAWNING)


@pytest.fixture
def root(site: Site) -> Iterator[str]:
    yield "root"
    site.manage("root", "stop", SPAWNING)


def restarted_in_mid_switch(site: Site, user: str, host: Host) -> str:
    """The run's log, after its agent was restarted while it ran, and it ended well; no line is missing."""
    run_id = host.dispatch("pull-switch")
    host.says(run_id, b"begun")
    before = site.manage(user, "show", "--value", "--property=MainPID", SPAWNING)

    site.manage(user, "restart", SPAWNING)

    assert site.manage(user, "show", "--value", "--property=MainPID", SPAWNING) != before
    run = host.ended(run_id)
    assert (run.result, run.exit_code) == ("ok", 0), run.message
    text = host.text(run_id).decode()
    assert text.count("\nline ") == 30
    return text


def test_a_user_s_run_survives_systemctl_user_restart_in_its_own_scope(site: Site, alice: str) -> None:
    host = site.spawning({"switch": SLOW}, user=alice, settings={"KillMode": "control-group"})

    text = restarted_in_mid_switch(site, alice, host)

    assert "/nixfleet-run-" in text
    assert "nixfleet-spawning.service" not in text


def test_without_a_bus_the_unit_s_kill_mode_keeps_the_run(site: Site, alice: str) -> None:
    site.machine.run(
        "sh",
        "-c",
        f"mkdir -p {NO_BUS}; for p in git sh seq sleep cat env; do ln -sf $(command -v $p) {NO_BUS}; done",
    )
    host = site.spawning({"switch": SLOW}, user=alice, settings={"Environment": f"PATH={NO_BUS}"})

    text = restarted_in_mid_switch(site, alice, host)

    assert "nixfleet-spawning.service" in text


def test_a_plain_system_unit_s_run_survives_its_restart(site: Site, root: str) -> None:
    host = site.spawning({"switch": SLOW}, user=root, settings={"KillMode": "control-group"})

    text = restarted_in_mid_switch(site, root, host)

    assert "/nixfleet-run-" in text


def test_a_stop_reaches_a_run_in_its_scope(site: Site, root: str) -> None:
    host = site.spawning(
        {"switch": "echo begun; setsid sleep 6432 & sleep 6432"},
        user=root,
        settings={"KillMode": "control-group"},
    )
    run_id = host.dispatch("pull-switch")
    host.says(run_id, b"begun")
    unit = json.loads(site.machine.run("cat", f"/root/state/runs/{run_id}/runner.json"))["unit"]
    assert unit == f"nixfleet-run-{run_id}.scope"

    site.client.get_run(run_id).stop()

    assert host.ended(run_id).result == "stopped"
    until(
        lambda: not site.machine.run("systemctl", "list-units", "--plain", "--no-legend", unit),
        "an empty scope",
    )
