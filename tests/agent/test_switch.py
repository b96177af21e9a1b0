"""Switches of a NixOS host with real Nix: built, activated, kept or taken back, and told step by step."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nixfleet_agent import facts
from nixfleet_agent.config import Config, load
from nixfleet_agent.runner import deploy, guard
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.guard import Verdict
from tests.support import inprocess
from tests.support.inprocess import Ran
from tests.support.nixhost import NixHost

pytestmark = pytest.mark.needs("nix", "git")


class Host(NixHost):
    """Runs commands in this process, as a runner does."""

    def variables(self) -> dict[str, str]:
        state = self.root.parent / "state"
        state.mkdir(exist_ok=True, mode=0o700)
        given = {
            "NIXFLEET_HOSTNAME": "web1",
            "NIXFLEET_STATE_DIR": str(state),
            "NIXFLEET_REPO_DIR": str(self.repository),
            "NIXFLEET_ROOT": str(self.root),
            "NIXFLEET_CONFIRM_TIMEOUT": "0",
        }
        return {**self.environment, **given}

    def config(self) -> Config:
        return load(self.variables(), connects=False)

    def run(self, command: str, more: dict[str, str] | None = None, **options: Any) -> Ran:
        return inprocess.run({**self.variables(), **(more or {})}, command, **options)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_switch_is_told_in_steps_and_leaves_one_generation(host: Host) -> None:
    ran = host.run("switch")

    assert (ran.status, ran.message) == ("ok", "generation 1: activated"), ran.log
    assert ran.steps == [
        ("build", "ok"),
        ("compare", "skipped"),
        ("activate", "ok"),
        ("confirm", "skipped"),
        ("profile", "ok"),
        ("boot", "ok"),
    ]
    assert host.current == host.profile == host.boot_default == "nixos-system-web1-1.0"
    assert ran.outcome.store_path
    assert ran.outcome.store_path.startswith("/nix/store/")
    assert "hello-1.0> configuring" in ran.log
    notes = [
        line.partition(":")[0]
        for line in ran.log
        if line.startswith(("build: ", "activate: ", "profile: ", "boot: "))
    ]
    assert notes == ["build", "activate", "profile", "boot"], "each step is a part of the log"
    assert not [line for line in ran.log if line.startswith("@nix")]
    assert host.calls == ["nixos test nixos-system-web1-1.0", "nixos boot nixos-system-web1-1.0"]
    assert [(one.number, one.current, one.version) for one in facts.gather(host.config()).generations] == [
        (1, True, "1.0")
    ]


def test_what_a_switch_changed_is_told_and_is_never_a_reason_to_fail(host: Host) -> None:
    host.run("switch")
    host.commit({"version": "2.0"})
    ran = host.run("switch")
    assert (ran.status, dict(ran.steps)["compare"]) == ("ok", "ok")
    assert "hello: 1.0 → 2.0" in ran.outcome.changes
    assert "compare: what changes" in ran.log

    host.commit({"version": "3.0"})
    nix = host.root.parent / "no-diff/nix"
    nix.parent.mkdir()
    nix.write_text(
        f'#!/bin/sh\ncase "$*" in *diff-closures*) echo no store >&2; exit 1;; esac\nexec {shutil.which("nix")} "$@"\n'
    )
    nix.chmod(0o755)
    ran = host.run("switch", {"PATH": f"{nix.parent}:{os.environ['PATH']}"})
    assert (ran.status, ran.message) == ("ok", "generation 3: activated"), ran.log
    assert (dict(ran.steps)["compare"], ran.outcome.changes) == ("skipped", "")


def test_failed_units_are_degraded_not_failed(host: Host) -> None:
    host.commit(
        {
            "behaviour": "[ $1 = boot ] || { echo 'warning: the following units failed: a.service, b.service' >&2; exit 4; }"
        }
    )
    ran = host.run("switch")

    assert (ran.status, ran.result.exit_code) == ("degraded", 4)
    assert ran.outcome.failed_units == ("a.service", "b.service")
    assert "2 units failed: a.service, b.service" in ran.message
    assert dict(ran.steps) == {
        "build": "ok",
        "compare": "skipped",
        "activate": "degraded",
        "confirm": "skipped",
        "profile": "ok",
        "boot": "ok",
    }
    assert host.current == host.profile  # it runs, so it is kept


def test_a_failing_build_names_the_derivation_with_its_last_words(host: Host) -> None:
    host.run("switch")
    host.commit(
        {"build": "for i in 1 2 3; do echo line $i; done; echo no luck >&2; exit 3", "version": "2.0"}
    )
    ran = host.run("switch")

    assert ran.status == "failed"
    assert ran.message.startswith("the build failed: hello-2.0: ")
    (failure,) = ran.outcome.failures
    assert failure.name == "hello-2.0"
    assert failure.derivation.endswith("-hello-2.0.drv")
    assert failure.log.splitlines()[-2:] == ["line 3", "no luck"]
    assert ran.steps == [("build", "failed")]
    assert host.current == host.profile == "nixos-system-web1-1.0"


def test_a_configuration_that_does_not_evaluate_says_why(host: Host) -> None:
    host.commit({"system.nix": '{ kind }: throw "the disk is not set"'})
    ran = host.run("switch")

    assert ran.status == "failed"
    assert "the disk is not set" in ran.message
    assert ran.steps == [("build", "failed")]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("rm -f $root/run/current-system; echo 'Could not acquire lock' >&2; exit 11", "another switch"),
        ("rm -f $root/run/current-system; echo pre-switch check failed >&2; exit 1", "nothing was changed"),
        ("rm -f $root/run/current-system; exit 101", "crashed"),
        ("rm -f $root/run/current-system; exit 2", "the activation script failed"),
    ],
)
def test_an_activation_that_did_not_begin_leaves_all_as_it_was(
    host: Host, behaviour: str, words: str
) -> None:
    host.commit({"behaviour": behaviour})
    ran = host.run("switch")

    assert (ran.status, words in ran.message) == ("failed", True), ran.message
    assert ran.steps == [("build", "ok"), ("compare", "skipped"), ("activate", "failed")]
    assert (host.profile, host.boot_default) == ("", "")


def test_an_activation_that_broke_in_the_middle_is_taken_back(host: Host) -> None:
    host.run("switch")
    host.commit({"version": "2.0", "behaviour": "echo panicked >&2; exit 101"})
    ran = host.run("switch")

    assert (ran.status, ran.result.exit_code) == ("rolled_back", 101)
    assert ran.steps == [("build", "ok"), ("compare", "ok"), ("activate", "failed"), ("rollback", "ok")]
    assert host.current == host.profile == host.boot_default == "nixos-system-web1-1.0"


def test_a_part_of_the_activation_script_that_failed_is_degraded_when_the_system_runs(host: Host) -> None:
    host.commit({"behaviour": "[ $1 = boot ] || exit 2"})
    ran = host.run("switch")

    assert (ran.status, ran.result.exit_code) == ("degraded", 2)
    assert host.current == host.profile


def test_what_only_a_reboot_brings_is_made_ready_for_it(host: Host) -> None:
    host.run("switch")
    host.boots("second-boot")
    host.commit(
        {
            "version": "2.0",
            "behaviour": "[ $1 = boot ] || { ln -sfn $(cat $root/boots) $root/run/current-system; exit 100; }",
        }
    )
    (host.root / "boots").write_text(str((host.root / "run/booted-system").readlink()))
    ran = host.run("switch")

    assert ran.status == "ok", ran.log
    assert "next boot" in ran.message
    assert ran.outcome.reboot == "required"
    assert (host.current, host.profile, host.boot_default) == (
        "nixos-system-web1-1.0",
        "nixos-system-web1-2.0",
        "nixos-system-web1-2.0",
    )
    assert facts.gather(host.config()).system == "staged"


def test_a_boot_entry_that_fails_leaves_it_active_and_says_so(host: Host) -> None:
    host.commit({"behaviour": "[ $1 != boot ] || { echo no space on /boot >&2; exit 1; }"})
    ran = host.run("switch")

    assert ran.status == "degraded"
    assert "active, not the default" in ran.message
    assert "no space on /boot" in ran.message
    assert ran.steps[-1] == ("boot", "failed")


class Doubtful(guard.NoGuard):
    """A guard that says what a test tells it, and remembers what it was asked."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.calls: list[object] = []

    def prepare(self, old: str, new: str) -> None:
        self.calls.append(("prepare", old.rpartition("-")[2], new.rpartition("-")[2]))

    def activated(self) -> None:
        self.calls.append("activated")

    def wait(self, context: Context) -> Verdict:
        return self.verdict

    def settle(self, outcome: str) -> None:
        self.calls.append(outcome)


def watched(monkeypatch: pytest.MonkeyPatch, keep: bool, confirmed: bool) -> Doubtful:
    made = Doubtful(Verdict(keep, confirmed, "the server was not reached"))
    monkeypatch.setattr(deploy, "guard_of", lambda context: made)
    return made


def test_a_system_that_cuts_the_host_off_is_taken_back_and_then_refused(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run("switch")
    host.commit({"version": "2.0"})
    doubtful = watched(monkeypatch, keep=False, confirmed=False)
    ran = host.run("switch")

    assert (ran.status, ran.message) == (
        "rolled_back",
        "rolled back: the server was not reached",
    )
    assert [name for name, _ in ran.steps] == ["build", "compare", "activate", "confirm", "rollback"]
    assert doubtful.calls == [("prepare", "1.0", "2.0"), "activated", "rolled_back"]
    assert host.current == host.profile == host.boot_default == "nixos-system-web1-1.0"

    again = host.run("switch")
    assert again.status == "failed"
    assert "rolled back before (the server was not reached)" in again.message
    assert host.calls[-1] == "nixos test nixos-system-web1-1.0"

    watched(monkeypatch, keep=True, confirmed=True)
    assert host.run("switch", force=True).status == "ok"
    assert host.current == "nixos-system-web1-2.0"


def test_kept_without_a_word_from_the_server_is_unconfirmed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubtful = watched(monkeypatch, keep=True, confirmed=False)
    ran = host.run("switch")

    assert (ran.status, "the server was not reached" in ran.message) == ("unconfirmed", True)
    assert doubtful.calls == [("prepare", "", "1.0"), "activated", "unconfirmed"]
    assert host.current == host.profile


def test_a_stop_in_the_activation_waits_for_its_end_and_then_goes_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run("switch")
    host.commit({"version": "2.0", "behaviour": "[ $version = 1.0 ] || sleep 1; echo whole"})
    began = Context.run

    def stopped_at_once(context: Context, argv: list[str], *rest: Any, **more: Any) -> Any:
        context.stop_asked = context.stop_asked or argv[-1] == "test"
        return began(context, argv, *rest, **more)

    monkeypatch.setattr(Context, "run", stopped_at_once)
    ran = host.run("switch")

    assert ran.status == "stopped", (ran.message, ran.log)
    assert "whole" in ran.log
    assert ran.steps == [
        ("build", "ok"),
        ("compare", "ok"),
        ("activate", "ok"),
        ("confirm", "stopped"),
        ("rollback", "ok"),
    ]
    assert host.current == host.profile == host.boot_default == "nixos-system-web1-1.0"


def test_rollback_to_the_one_before_and_to_any_listed(host: Host) -> None:
    for version in ("1.0", "2.0", "3.0"):
        host.commit({"version": version})
        assert host.run("switch").status == "ok"

    back = host.run("rollback")
    assert (back.status, back.message) == ("ok", "generation 2: activated")
    assert [name for name, _ in back.steps] == ["activate", "confirm", "profile", "boot"]
    assert host.current == host.profile == host.boot_default == "nixos-system-web1-2.0"

    host.run("rollback", generation=3)
    assert host.current == host.profile == host.boot_default == "nixos-system-web1-3.0"

    missing = host.run("rollback", generation=9)
    assert missing.message == "there is no generation 9: this host has 1, 2, 3"
    host.run("rollback", generation=1)
    assert host.run("rollback").message == "there is no earlier generation to return to"


def test_a_rollback_needs_no_repository(host: Host) -> None:
    for version in ("1.0", "2.0"):
        host.commit({"version": version})
        host.run("switch")
    assert host.run("rollback", {"NIXFLEET_REPO_DIR": ""}).status == "ok"
    assert host.current == "nixos-system-web1-1.0"


def test_a_check_tells_what_would_change_and_changes_nothing(host: Host) -> None:
    host.run("switch")
    host.boots("second-boot")
    before = (host.current, host.profile, host.boot_default)
    calls = len(host.calls)
    host.commit({"version": "2.0"})
    ran = host.run("check")

    assert ran.status == "ok", ran.log
    assert [name for name, _ in ran.steps] == ["build", "units", "compare"]
    assert "hello: 1.0 → 2.0" in ran.outcome.changes
    assert "hello.service" in ran.outcome.units
    assert (ran.outcome.reboot, "kernel" in ran.outcome.reboot_reasons) == ("required", True)
    assert (host.current, host.profile, host.boot_default) == before
    assert host.calls[calls:] == ["nixos dry-activate nixos-system-web1-2.0"]


def test_a_check_of_a_generation_tells_what_returning_to_it_would_change(host: Host) -> None:
    for version in ("1.0", "2.0", "3.0"):
        host.commit({"version": version})
        host.run("switch")
    calls = len(host.calls)
    ran = host.run("check", generation=1)

    assert (ran.status, ran.message) == ("ok", "3 packages would change"), ran.log
    assert [name for name, _ in ran.steps] == ["units", "compare"]
    assert "hello: 3.0 → 1.0" in ran.outcome.changes
    assert host.current == host.profile == "nixos-system-web1-3.0"
    assert host.calls[calls:] == ["nixos dry-activate nixos-system-web1-1.0"]
    assert host.run("check", generation=3).message == "nothing would change"
    assert host.run("check", generation=9).message == "there is no generation 9: this host has 1, 2, 3"
    assert (
        host.run("check", generation=1, ref="main").message == "check takes a ref or a generation, not both"
    )
    alone = host.run("check", {"NIXFLEET_REPO_DIR": ""}, generation=2)
    assert "hello: 3.0 → 2.0" in alone.outcome.changes  # as a rollback, it needs no repository


def test_what_another_hand_changed_is_seen(host: Host) -> None:
    host.run("switch")
    known = facts.gather(host.config())
    assert (known.system, known.changed_outside, known.nixpkgs_version) == ("normal", False, "1.0")
    link = host.root / "run/current-system"
    other = host.root / "nix/store/00000000000000000000000000000000-other"
    other.mkdir()
    link.unlink()
    link.symlink_to(other)

    found = facts.gather(host.config())
    assert (found.system, found.changed_outside) == ("drift", True)


def test_facts_build_and_evaluate_nothing(host: Host, tmp_path: Path) -> None:
    """Original bug 14: an agent that asked Nix by itself made small hosts unresponsive."""
    host.run("switch")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("nix", "nix-build", "nix-env", "nix-instantiate"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/asked\n")
        (programs / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "nixfleet_agent", "facts"],
        env={**host.variables(), "PATH": f"{programs}:{os.environ['PATH']}"},
        check=False,
    )

    assert done.returncode == 0
    assert not (tmp_path / "asked").exists()
    stored = json.loads((tmp_path / "state/facts.json").read_text())
    assert stored["profile_path"] == stored["store_path"]
