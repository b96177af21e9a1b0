"""nix-darwin and home-manager, with real Nix and systems that behave as theirs do; macOS's own programs are stand-ins."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nixfleet_agent import facts
from nixfleet_agent.config import load
from nixfleet_agent.runner import deploy, guard
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.guard import Verdict
from tests.support.inprocess import Ran, run
from tests.support.nixhost import NixHost

pytestmark = pytest.mark.needs("nix", "git")
KINDS = ("nix-darwin", "home-manager")
NAMES = {"nix-darwin": "darwin-system-web1", "home-manager": "home-system-web1"}
CALLS = {"nix-darwin": "darwin activate", "home-manager": "home activate"}


class Host(NixHost):
    """One of the two kinds."""

    def __init__(self, directory: Path, kind: str) -> None:
        super().__init__(directory)
        (self.root / "etc/NIXOS").unlink()
        self.kind = kind
        if kind != "home-manager":
            self.profile_link = self.root / "nix/var/nix/profiles/system"
            self.current_link = self.root / "run/current-system"
        else:
            state = self.root / str(self.home).lstrip("/") / ".local/state"
            (state / "nix/profiles").mkdir(parents=True)
            self.profile_link = state / "nix/profiles/home-manager"
            self.current_link = state / "home-manager/gcroots/current-home"
        state_dir = directory / "state"
        state_dir.mkdir(mode=0o700)
        self.variables = {
            **self.environment,
            "NIXFLEET_HOSTNAME": "web1",
            "NIXFLEET_STATE_DIR": str(state_dir),
            "NIXFLEET_REPO_DIR": str(self.repository),
            "NIXFLEET_ROOT": str(self.root),
            "NIXFLEET_PLATFORM": kind,
            "NIXFLEET_CONFIRM_TIMEOUT": "0",
        }

    def run(self, command: str, **options: object) -> Ran:
        return run(self.variables, command, **options)

    def versions(self) -> tuple[str, str]:
        """Of what runs and of the profile."""
        links = (self.current_link, self.profile_link)
        current, profile = (
            link.resolve().name.rpartition("-")[2] if link.is_symlink() else "" for link in links
        )
        return current, profile


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, request.param)
    for name in ("HOME", "USER"):
        monkeypatch.setenv(name, made.environment[name])
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return made


def test_a_switch_activates_once_and_keeps_it(host: Host) -> None:
    ran = host.run("switch")

    assert (ran.status, ran.message) == ("ok", "generation 1: activated"), ran.log
    kept = ["profile"] if host.kind == "nix-darwin" else []
    assert [name for name, _ in ran.steps] == ["build", "compare", "activate", "confirm", *kept]
    assert host.calls == [f"{CALLS[host.kind]} {NAMES[host.kind]}-1.0"]
    assert host.versions() == ("1.0", "1.0")
    found = facts.gather(load(host.variables, connects=False))
    assert (found.generation, found.system) == ("1", "normal")
    assert found.reboot in (None, "unknown")


def test_a_failed_activation_is_a_failed_switch(host: Host) -> None:
    host.run("switch")
    host.commit({"version": "2.0", "behaviour": "[ $version = 1.0 ] || { echo no plist >&2; exit 1; }"})
    ran = host.run("switch")

    assert ran.status in ("failed", "rolled_back")
    assert "no plist" in ran.message
    assert host.versions() == ("1.0", "1.0")


def test_what_cuts_the_host_off_is_taken_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubtful(guard.NoGuard):
        def wait(self, context: Context) -> Verdict:
            return Verdict(keep=False, confirmed=False, reason="no server")

    host.run("switch")
    host.commit({"version": "2.0"})
    monkeypatch.setattr(deploy, "guard_of", lambda context: Doubtful())
    ran = host.run("switch")

    assert (ran.status, ran.message) == ("rolled_back", "rolled back: no server")
    assert host.versions() == ("1.0", "1.0")


def test_rollback_and_check(host: Host) -> None:
    for version in ("1.0", "2.0"):
        host.commit({"version": version})
        host.run("switch")
    assert host.run("rollback").status == "ok"
    assert host.versions() == ("1.0", "1.0")

    before = host.calls
    ran = host.run("check")
    assert (ran.status, [name for name, _ in ran.steps]) == ("ok", ["build", "compare"])
    assert "hello: 1.0 → 2.0" in ran.outcome.changes
    assert host.calls == before


def test_a_home_that_the_flake_does_not_name_lists_those_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, "home-manager")
    monkeypatch.setenv("HOME", host.environment["HOME"])
    monkeypatch.setenv("USER", "ann")
    ran = host.run("switch")

    assert ran.status == "failed"
    assert "named ann@web1, ann, web1; it has: root@web1" in ran.message


ATTRIBUTES = {
    "nixos": 'nixosConfigurations."web1".config.system.build.toplevel',
    "nix-darwin": 'darwinConfigurations."web1".system',
    "home-manager": 'homeConfigurations."root@web1".activationPackage',
}
SETS_PROFILE = ("nixos", "nix-darwin")


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_exactly_these_programs_are_run(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each argument of Nix, and none of the rebuild tools, which set the profile first and pipe their activation."""
    host = Host(tmp_path, kind)
    for name in ("HOME", "USER"):
        monkeypatch.setenv(name, host.environment[name])
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    programs, asked = tmp_path / "programs", tmp_path / "asked"
    programs.mkdir()
    strangers = ("nixos-rebuild", "darwin-rebuild", "home-manager", "systemd-run", "sudo")
    for name in ("nix", "nix-env", *strangers):
        go_on = "exit 1" if name in strangers else f'exec {shutil.which(name)} "$@"'
        (programs / name).write_text(
            f"#!/bin/sh\n{{ printf '%s' {name}; printf '|%s' \"$@\"; echo; }} >> {asked}\n{go_on}\n"
        )
        (programs / name).chmod(0o755)
    host.variables["PATH"] = f"{programs}:{host.variables['PATH']}"
    assert host.run("switch").status == "ok"
    calls = [line.split("|") for line in asked.read_text().splitlines()]

    nix = ["nix", "--extra-experimental-features", "nix-command flakes"]
    eval_names = [*nix, "eval", "--json", "--no-write-lock-file", ".#homeConfigurations"]
    build = [
        *nix,
        "build",
        "--verbose",
        "--log-format",
        "internal-json",
        "--no-write-lock-file",
        "--out-link",
    ]
    built = f"{tmp_path}/state/built"
    profile = str(host.root / "nix/var/nix/profiles/system")
    if kind == "home-manager":
        assert calls.pop(0) == [*eval_names, "--apply", "builtins.attrNames"]
    assert calls.pop(0) == [*build, built, f".#{ATTRIBUTES[kind]}"]
    set_profile = calls.pop(0)
    assert not calls
    assert (set_profile[2] == profile) == (kind in SETS_PROFILE)  # a home's own activation sets its profile
    assert set_profile[0::3] == ["nix-env", "--set"]
    assert Path(set_profile[4]).resolve() == Path(built).resolve()


LAUNCHCTL = """#!/bin/sh
# As launchd: bootout ends the job's whole process group.
echo "launchctl $*" >> {log}
case "$1" in bootout) kill -KILL -"$(cat {group})" ;; esac
"""


AGENT = """
import os, sys, time
from nixfleet_agent.config import load
from nixfleet_agent.events import Request
from nixfleet_agent.launch import Spawn
from nixfleet_protocol.messages import Options
Spawn(load(connects=False), dict(os.environ)).launch(Request(sys.argv[1], "switch", Options()))
time.sleep(600)
"""


def test_a_runner_survives_the_bootout_of_its_agent(tmp_path: Path) -> None:
    """Original bugs 4 to 7: launchd ends the agent's process group in the middle of the activation."""
    host = Host(tmp_path, "nix-darwin")
    programs = tmp_path / "programs"
    programs.mkdir()
    group, log = tmp_path / "group", tmp_path / "launchctl.log"
    (programs / "launchctl").write_text(LAUNCHCTL.format(log=log, group=group))
    (programs / "launchctl").chmod(0o755)
    host.commit(
        {
            "behaviour": "launchctl bootout system/org.nixos.nixfleet-agent; sleep 1; "
            "launchctl bootstrap system /Library/LaunchDaemons/org.nixos.nixfleet-agent.plist"
        }
    )
    run_id = "c" * 32
    # As an agent: the leader of a process group that starts a runner as `launch.Spawn` does.
    agent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            AGENT,
            run_id,
        ],
        env={**host.variables, "PATH": f"{programs}:{os.environ['PATH']}"},
        start_new_session=True,
    )
    try:
        group.write_text(str(agent.pid))
        assert agent.wait(60) == -signal.SIGKILL
        result = tmp_path / "state/runs" / run_id / "result.json"
        end = time.monotonic() + 60
        while not result.exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert '"status": "ok"' in result.read_text()
        assert [line.split()[1] for line in log.read_text().splitlines()] == ["bootout", "bootstrap"]
        assert host.versions() == ("1.0", "1.0")
    finally:
        for process in psutil.process_iter():
            try:
                if process.environ().get("NIXFLEET_STATE_DIR") == host.variables["NIXFLEET_STATE_DIR"]:
                    process.kill()
            except (psutil.Error, OSError):
                continue
        agent.poll() is None and agent.kill()
        agent.wait(10)
