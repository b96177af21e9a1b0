"""What the modules make of an operator's ten lines: units and jobs, and what they refuse."""

import plistlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nixfleet_agent.units import Installation, launchd, systemd
from tests.nix.nix import (
    AGENT,
    HERE,
    SERVER,
    UNITS,
    agent_units,
    expected,
    failed,
    nixos_unit,
    standin,
    user_unit,
)

pytestmark = pytest.mark.needs("nix")


def test_the_agent_on_nixos(tmp_path: Path) -> None:
    made = standin("agent-nixos", AGENT, tmp_path)
    assert made["failed"] == []
    for name, text in agent_units(made).items():
        expected(name, text)
    assert made["users"]["users"]["nixfleet-agent"]["isSystemUser"] is True


def test_the_server_on_nixos(tmp_path: Path) -> None:
    made = standin("server", SERVER, tmp_path)
    assert made["failed"] == []
    expected("nixfleet-server.service", nixos_unit(made["services"]["nixfleet-server"]))


def test_the_agent_with_home_manager_on_linux(tmp_path: Path) -> None:
    made = standin("agent-home-manager", AGENT, tmp_path)
    assert made["failed"] == []
    expected("home-manager.service", user_unit(made["user"]["nixfleet-agent"]))


def test_the_agent_with_home_manager_on_macos(tmp_path: Path) -> None:
    made = standin("agent-home-manager", AGENT, tmp_path, "aarch64-darwin")
    job = made["agents"]["nixfleet-agent"]["config"]
    assert made["agents"]["nixfleet-agent"]["enable"] is True
    expected("home-manager.plist", plistlib.dumps(job).decode())


def test_the_agent_under_nix_darwin(tmp_path: Path) -> None:
    made = standin("agent-darwin", AGENT, tmp_path, "aarch64-darwin")
    assert made["failed"] == []
    for name, daemon in made["daemons"].items():
        expected(f"{name}.plist", plistlib.dumps(darwin_job(daemon)).decode())


def darwin_job(daemon: dict[str, Any]) -> dict[str, Any]:
    """As nix-darwin makes it."""
    waiting = f"/bin/wait4path /nix/store && exec {daemon['command']}"
    return daemon["serviceConfig"] | {
        "ProgramArguments": ["/bin/sh", "-c", waiting],
        "EnvironmentVariables": daemon["environment"],
    }


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for name in (*UNITS, "nixfleet-server.service"):
        text = (HERE / "expected" / name).read_text()
        for program in ("nixfleet-agent", "nixfleet-server"):
            text = text.replace(f"/nix/store/{program}/bin/{program}", "/usr/bin/env")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [
            "systemd-analyze",
            "--man=no",
            "verify",
            *(tmp_path / name for name in (*UNITS, "nixfleet-server.service")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert [line for line in done.stderr.splitlines() if "nixfleet" in line] == []


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize(
    ("unit", "most"), [("nixfleet-agent.service", 2.0), ("nixfleet-server.service", 2.0)]
)
def test_what_listens_to_the_network_is_closed_in(unit: str, most: float) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", HERE / "expected" / unit],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert float(done.stdout.split("exposure level for")[1].split()[1]) <= most


def test_units_of_the_modules_and_of_enroll_say_the_same(tmp_path: Path) -> None:
    """Settings that only one of them has: the environment (NixOS by options, enroll by file) and the credential."""
    program = "/nix/store/nixfleet-agent/bin/nixfleet-agent"
    theirs = systemd.units(Installation(program=program))
    for name, text in agent_units(standin("agent-nixos", AGENT, tmp_path)).items():
        here = {
            line
            for line in text.splitlines()
            if "=" in line and not line.startswith(("Environment=", "LoadC"))
        }
        there = {line for line in systemd.render(theirs[name]).splitlines() if "=" in line}
        there = {line for line in there if not line.startswith("Environment=")}
        assert there <= here, name
        assert here - there <= {"X-StopIfChanged=false"}, name
    daemons = standin("agent-darwin", AGENT, tmp_path, "aarch64-darwin")["daemons"]
    jobs = launchd.jobs(Installation(program=program, supervisor="launchd"))
    for daemon, label in (
        ("nixfleet-agent", "org.nixfleet.agent"),
        ("nixfleet-agent-runner", "org.nixfleet.agent-runner"),
    ):
        job = {k: v for k, v in jobs[label].items() if k not in ("EnvironmentVariables", "ProgramArguments")}
        assert daemons[daemon]["serviceConfig"] == job


ENABLED = 'enable = true; url = "https://x.example"; tokenFile = "/run/t"; repository.url = "git@x:y";'
REFUSED = {
    "url is not set": 'enable = true; tokenFile = "/run/t"; repository.url = "git@x:y";',
    "tokenFile is not set": 'enable = true; url = "https://x.example"; repository.url = "git@x:y";',
    "repository.url is not set": 'enable = true; url = "https://x.example"; tokenFile = "/run/t";',
    "are both set": f'{ENABLED} repository.path = "/etc/nixos";',
    "url is plain HTTP": 'enable = true; url = "http://x.example"; tokenFile = "/t"; repository.url = "git@x:y";',
    "tokenFile is in the Nix store": (
        'enable = true; url = "https://x.example"; tokenFile = builtins.storeDir + "/abc-t"; repository.url = "git@x:y";'
    ),
    "sshKeyFile is in the Nix store": f'{ENABLED} repository.sshKeyFile = builtins.storeDir + "/abc-key";',
    "use tokenFile": f'{ENABLED} settings.NIXFLEET_TOKEN = "nfa_secret";',
    "use url": f'{ENABLED} settings.NIXFLEET_URL = "https://y.example";',
    "begins with NIXFLEET_": f'{ENABLED} settings.PATH = "/x";',
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_would_not_work_is_refused_in_words(tmp_path: Path, told: str) -> None:
    [message] = failed("agent-nixos", f"{{ services.nixfleet-agent = {{ {REFUSED[told]} }}; }}", tmp_path)
    assert told in message
    assert "nfa_secret" not in message


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "ws://localhost:1"])
def test_plain_http_to_this_host_or_on_the_operators_word(tmp_path: Path, url: str) -> None:
    rest = 'enable = true; tokenFile = "/t"; repository.url = "git@x:y";'
    for config in (
        f'url = "{url}"; {rest}',
        f'url = "http://x"; {rest} settings.NIXFLEET_ALLOW_PLAIN_HTTP = true;',
    ):
        assert failed("agent-nixos", f"{{ services.nixfleet-agent = {{ {config} }}; }}", tmp_path) == []


def test_a_module_that_is_not_enabled_does_nothing(tmp_path: Path) -> None:
    for module in ("agent-nixos", "server"):
        made = standin(module, "{ }", tmp_path)
        assert (made["services"], made["sockets"], made["users"], made["failed"]) == ({}, {}, {}, [])
