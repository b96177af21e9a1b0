"""A host joins and leaves with `enroll` and `unenroll`, and the units of the Nix modules run, on a booted systemd."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nixfleet_agent.units.installation import RUNNER, SERVICE, SOCKET, USER
from tests.nix.nix import AGENT, agent_units, standin
from tests.support.lab import until
from tests.systemd.conftest import SOURCES, Host, Site
from tests.systemd.machine import PROGRAM

pytestmark = [pytest.mark.long, pytest.mark.needs("systemd-nspawn", "mmdebstrap", "ip", "git", "nix")]
SLOW = "echo begun; for i in $(seq 1 30); do echo line $i; sleep 0.1; done; id -u"
LEFT = "/etc/nixfleet /var/lib/nixfleet-agent* /etc/systemd/system/nixfleet* /etc/systemd/system/*/nixfleet*"
_SERVER = """#!/opt/python/bin/{python} -P
import sys
sys.path[:0] = [f"/opt/src/nixfleet-{{part}}/src" for part in ("server", "web", "protocol")] + ["/opt/site"]
from nixfleet_server.cli import main
sys.exit(main())
"""


@pytest.fixture
def empty(site: Site) -> Iterator[Site]:
    """The machine without any agent, also afterwards."""

    def clear() -> None:
        site.machine.run("systemctl", "disable", "--now", SERVICE, SOCKET, check=False)
        site.machine.run(
            "sh", "-c", f"rm -rf {LEFT} /etc/nixfleet; systemctl daemon-reload; userdel {USER}", check=False
        )

    clear()
    yield site
    clear()
    site.machine.run("useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", USER)


def one_time_token(site: Site) -> str:
    admin = site.lab.server.add_token(f"enrolling-{uuid.uuid4().hex[:8]}", "admin")
    answer = httpx.post(
        f"{site.lab.server.url}/api/v1/enroll-tokens", json={}, headers={"Authorization": f"Bearer {admin}"}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def enroll(site: Site, host: Host, token: str) -> str:
    words = [PROGRAM, "enroll", f"http://{site.machine.gateway}:{site.gate.port}", token]
    words += ["--hostname", host.name, "--repo-url", f"{SOURCES}/{host.name}", "--platform", "script"]
    words += ["--set", "NIXFLEET_ALLOW_PLAIN_HTTP=1", "--set", "NIXFLEET_INTERVAL=1"]
    return site.machine.run("sh", "-c", 'umask 077; exec "$@"', "sh", *words)  # a careful root


def test_enroll_switch_restart_reboot_unenroll(empty: Site) -> None:
    site = empty
    host = Host(site, "joined", {"switch": SLOW})

    said = enroll(site, host, one_time_token(site))

    assert "enrolled as joined" in said
    host.online()
    assert site.machine.run("stat", "-c", "%U %a", "/etc/nixfleet/agent.token").strip() == f"{USER} 600"
    pid = site.machine.property(SERVICE, "MainPID")
    assert site.machine.run("stat", "-c", "%U", f"/proc/{pid}").strip() == USER

    run_id = host.dispatch("pull-switch")
    host.says(run_id, b"begun")
    site.machine.run("systemctl", "restart", SERVICE)
    assert host.ended(run_id).result == "ok"
    assert b"0" in host.text(run_id).splitlines(), "root did it"

    site.machine.reboot()
    until(lambda: site.machine.property(SERVICE, "ActiveState") == "active", "started by the boot")
    host.online()
    assert host.ended(host.dispatch("pull")).result == "ok"

    said = site.machine.run(PROGRAM, "unenroll")
    assert "host remove joined" in said
    assert site.machine.run("sh", "-c", f"ls -d {LEFT} 2>/dev/null", check=False) == ""
    assert USER not in site.machine.run("cat", "/etc/passwd", "/etc/group")
    assert site.machine.property(SERVICE, "LoadState") == "not-found"
    assert site.machine.property(SOCKET, "LoadState") == "not-found"


def test_a_used_token_and_a_running_command_are_told(empty: Site) -> None:
    site = empty
    host = Host(site, "second", {"switch": "echo begun; sleep 600"})
    token = one_time_token(site)
    enroll(site, host, token)
    host.online()
    run_id = host.dispatch("pull-switch")
    host.says(run_id, b"begun")

    refused = site.machine.run("sh", "-c", f"{PROGRAM} unenroll 2>&1; echo $?", check=False)
    assert "--force" in refused
    site.machine.run(PROGRAM, "unenroll", "--force")
    assert (
        site.machine.run("systemctl", "list-units", "--plain", "--no-legend", RUNNER.replace("@", "@*")) == ""
    )

    again = site.machine.run(
        "sh",
        "-c",
        f"{PROGRAM} enroll http://{site.machine.gateway}:{site.gate.port} {token} --hostname third"
        " --set NIXFLEET_ALLOW_PLAIN_HTTP=1 2>&1; echo code $?",
        check=False,
    )
    assert "code 4" in again
    assert "enroll-token" in again
    assert site.machine.run("sh", "-c", f"ls -d {LEFT} 2>/dev/null", check=False) == ""


def test_the_units_of_the_nixos_module_run(empty: Site, tmp_path: Path) -> None:
    site = empty
    host = Host(site, "nix-units", {"switch": SLOW})
    config = (
        AGENT.replace("https://fleet.example.org/a%20b", f"http://{site.machine.gateway}:{site.gate.port}")
        .replace("/run/agenix/nixfleet-token", "/etc/nixfleet/secret")
        .replace("git@git.example.org:me/machines.git", f"{SOURCES}/{host.name}")
        .replace('repository.sshKeyFile = "/run/agenix/deploy-key";', 'platform = "script"; interval = 1;')
        .replace('hostname = "web1"', f'hostname = "{host.name}"')
        .replace("NIXFLEET_CONFIRM_TIMEOUT = 120;", "NIXFLEET_ALLOW_PLAIN_HTTP = true;")
    )
    made = standin("agent-nixos", config, tmp_path)
    assert made["failed"] == []
    site.machine.run("useradd", "--system", "--user-group", USER)
    site.machine.write("/etc/nixfleet/secret", site.lab.server.add_host(host.name), 0o400)  # root's alone
    site.machine.install_program("/nix/store/nixfleet-agent/bin/nixfleet-agent")
    for name, text in agent_units(made).items():
        site.machine.write(f"/etc/systemd/system/{name}", text)
    site.machine.run("systemctl", "daemon-reload")
    site.machine.run("systemctl", "enable", "--now", SOCKET, SERVICE)
    host.online()

    run_id = host.dispatch("pull-switch")
    host.says(run_id, b"begun")
    site.machine.run("systemctl", "restart", SERVICE)

    assert host.ended(run_id).result == "ok", host.journal()
    assert b"0" in host.text(run_id).splitlines(), "root did it"


def test_the_server_s_unit_serves_closed_in_as_it_is(empty: Site) -> None:
    machine = empty.machine
    program = "/nix/store/nixfleet-server/bin/nixfleet-server"
    machine.run("useradd", "--system", "--user-group", "nixfleet-server", check=False)
    machine.write(
        program, _SERVER.format(python=f"python{sys.version_info.major}.{sys.version_info.minor}"), 0o755
    )
    hashed = machine.run("sh", "-c", f"echo correct horse | {program} hash-password")
    machine.write("/run/agenix/nixfleet-hash", hashed, 0o400)
    unit = (Path(__file__).parents[1] / "nix" / "expected" / "nixfleet-server.service").read_text()
    machine.write("/etc/systemd/system/nixfleet-server.service", unit)
    try:
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "nixfleet-server.service")
        ready = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/readyz').status)"

        def answers() -> bool:
            return machine.run("python3", "-c", ready, check=False).strip() == "200"

        until(answers, "the server is ready")
        login = (
            "import urllib.request as r; q = r.Request('http://127.0.0.1:8000/api/v1/session',"
            ' b\'{"password": "correct horse"}\', {"Content-Type": "application/json"}); print(r.urlopen(q).status)'
        )
        assert machine.run("python3", "-c", login).strip() == "200"
        added = ["env", "NIXFLEET_DATA_DIR=/var/lib/nixfleet-server", program, "host", "add", "web1"]
        machine.run(*added, user="nixfleet-server")
        machine.run("systemctl", "restart", "nixfleet-server.service")
        until(answers, "the server is ready again")
        assert machine.property("nixfleet-server.service", "Result") == "success"
        assert machine.run("stat", "-c", "%a %U", "/var/lib/nixfleet-server").strip() == "700 nixfleet-server"
    finally:
        machine.run("systemctl", "stop", "nixfleet-server.service", check=False)
        machine.run(
            "sh",
            "-c",
            "rm -rf /etc/systemd/system/nixfleet-server.service /var/lib/nixfleet-server",
            check=False,
        )
