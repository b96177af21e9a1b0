"""One command joins a fleet and one leaves it, where systemd really starts what was written."""

import json

import pytest

from nixfleet_agent.units.installation import RUNNER, SERVICE, SOCKET, USER
from tests.systemd.conftest import SOURCES, Host, Site, new_name
from tests.systemd.machine import PROGRAM

pytestmark = [pytest.mark.long, pytest.mark.needs("systemd-nspawn", "mmdebstrap", "ip", "git")]


def test_an_enrolled_host_switches_as_root_and_leaves_nothing_when_it_goes(site: Site) -> None:
    machine = site.machine
    machine.run("systemctl", "disable", "--now", SERVICE, SOCKET, check=False)
    for unit in (SERVICE, SOCKET, RUNNER):
        machine.run("rm", "-f", f"/etc/systemd/system/{unit}")
    machine.run("sh", "-c", "rm -rf /etc/nixfleet /var/lib/nixfleet-agent*; systemctl daemon-reload")
    machine.run("userdel", USER, check=False)
    host = Host(site, new_name(), {"switch": "id -un"})
    made = site.lab.server._administer("enroll-token", "--host", host.name, "--json")
    url = f"http://{machine.gateway}:{site.gate.port}"

    words = ["--hostname", host.name, "--repo-url", f"{SOURCES}/{host.name}", "--platform", "script"]
    words += ["--set", "NIXFLEET_ALLOW_PLAIN_HTTP=1", "--set", "NIXFLEET_INTERVAL=1"]
    said = machine.run(PROGRAM, "enroll", *words, url, json.loads(made)["token"])
    host.online()
    run = host.ended(host.dispatch("pull-switch"))
    status = machine.run(PROGRAM, "status")
    pid = machine.property(SERVICE, "MainPID")
    owner = machine.run("stat", "-c", "%U", f"/proc/{pid}").strip()
    log = host.journal()
    left = machine.run(PROGRAM, "unenroll")
    present = machine.run(
        "sh", "-c", "ls -d /etc/nixfleet /var/lib/nixfleet-agent* /etc/systemd/system/nixfleet-agent*; true"
    )
    users = machine.run("cut", "-d:", "-f1", "/etc/passwd").split()
    # For the tests after this one
    machine.run("useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", USER, check=False)

    assert "enrolled as" in said
    assert run.result == "ok", log
    assert b"\nroot\n" in host.text(run.run_id)
    assert "connected" in status
    assert owner == USER
    assert "may read the token" not in log
    assert present == "", left
    assert USER not in users
