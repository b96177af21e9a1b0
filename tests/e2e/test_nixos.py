"""A NixOS host of real Nix, from the click to what the page is told: progress, outcome, facts, rollback, reboot."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from demo.processes import end_all_under
from nixfleet_protocol.messages.browser import CommandProgress, HostUpdate, RunUpdate
from tests.server.support import FakeBrowser
from tests.support.lab import Lab, lab, read_log, until
from tests.support.nixhost import NixHost

pytestmark = pytest.mark.needs("nix", "git")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path / "lab") as made:
        yield made


@pytest.fixture
def host(tmp_path: Path) -> NixHost:
    made = NixHost(tmp_path / "host")
    (made.root / "run/systemd/system").mkdir(parents=True)
    return made


def page(here: Lab) -> FakeBrowser:
    """What a page gets to see."""
    server: Any = SimpleNamespace(ws="ws" + here.server.url.removeprefix("http"))
    return FakeBrowser(cast("Any", server), token=here.token)


def test_a_switch_as_the_page_sees_it(here: Lab, host: NixHost) -> None:
    host.commit({"build": "sleep 1; echo half way; sleep 1\n"})
    here.nix_agent(host)
    with page(here) as browser:
        run = here.client.run("web1", "pull-switch")
        building = browser.expect(
            CommandProgress, lambda told: told.progress.nix is not None and told.progress.nix.building > 0
        ).progress
        assert building.phase == "build"
        assert building.nix
        assert building.nix.to_build > building.nix.built
        browser.expect(CommandProgress, lambda told: told.progress.phase in ("activate", "confirm"))
        end = browser.expect(RunUpdate, lambda update: update.state == "ended")
        assert (end.result, end.exit_code) == ("ok", 0), here.logs()
        fresh = browser.expect(HostUpdate, lambda update: update.facts.generation == "1")

    assert end.outcome
    steps = {step.name: step.outcome for step in end.outcome.steps}
    done = dict.fromkeys(("pull", "build", "activate", "confirm", "profile", "boot"), "ok")
    assert steps == done | {"compare": "skipped"}  # nothing ran before
    log = here.server_log(run.id).decode()
    assert "hello-1.0> half way" in log
    assert "@nix" not in log
    facts = fresh.facts
    assert (facts.system, facts.changed_outside, facts.behind) == ("normal", False, 0)
    assert facts.commit == facts.wanted_commit == end.commit
    assert [generation.number for generation in facts.generations] == [1]
    assert facts.store_free
    assert set(here.client.host("web1").commands) >= {"rollback", "reboot", "fetch", "check"}


@pytest.mark.long
def test_what_goes_wrong_is_told_with_its_cause(here: Lab, host: NixHost) -> None:
    here.nix_agent(host)
    assert here.ended(here.client.run("web1", "pull-switch").id).result == "ok", here.logs()
    host.commit({"build": "echo no luck; exit 3\n", "version": "2.0"})
    failed = here.ended(here.client.run("web1", "pull-switch").id)
    host.commit(
        {
            "build": "\n",
            "behaviour": "[ $1 = boot ] || { echo 'warning: the following units failed: web.service'; exit 4; }",
        }
    )
    (host.root / "failed").write_text("web.service loaded failed failed The web server\n")
    degraded = here.ended(here.client.run("web1", "pull-switch").id)

    assert failed.outcome
    assert [(one.name, "no luck" in one.log) for one in failed.outcome.failures] == [("hello-2.0", True)]
    assert (failed.result, failed.generation) == ("failed", "1")
    assert degraded.outcome
    assert (degraded.result, degraded.outcome.failed_units) == ("degraded", ("web.service",)), here.logs()
    until(
        lambda: here.client.host("web1").facts.failed_units == ("web.service",), "the failed unit as a fact"
    )
    back = here.ended(here.client.run("web1", "rollback", generation=1).id)
    assert (back.result, host.current, host.profile) == (
        "ok",
        "nixos-system-web1-1.0",
        "nixos-system-web1-1.0",
    )


@pytest.mark.long
def test_a_reboot_ends_well_when_the_host_is_back(here: Lab, host: NixHost) -> None:
    agent = here.nix_agent(host)
    assert here.ended(here.client.run("web1", "pull-switch").id).result == "ok", here.logs()
    run = here.client.run("web1", "reboot", reason="a new kernel")
    until((host.root / "reboot-asked").exists, "the system is asked for a reboot")
    until(lambda: b"going down" in here.server_log(run.id), "the announcement")

    agent.process.end(signal.SIGKILL)  # all at once, as a host goes down
    end_all_under(agent.directory)
    host.boots("second-boot")
    agent.start()

    end = here.ended(run.id)
    assert (end.result, end.exit_code) == ("ok", 0), here.logs()
    assert "has rebooted" in end.message
    assert b"a new kernel" in here.server_log(run.id)


@pytest.mark.long
def test_a_runner_killed_in_a_build_leaves_a_whole_log_and_the_old_system(here: Lab, host: NixHost) -> None:
    host.commit({"build": "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; sleep 0.005; done\n"})
    agent = here.nix_agent(host)
    run = here.client.run("web1", "pull-switch")
    until(lambda: here.client.get_run(run.id).view.lines > 50, "output of the build")
    pid = until(lambda: here.client.host("web1").command_pid, "a heartbeat with the runner's pid")
    os.kill(pid or 0, signal.SIGKILL)

    end = here.ended(run.id)
    assert (end.result, host.current) == ("interrupted", ""), here.logs()
    assert end.outcome
    assert [(step.name, step.outcome) for step in end.outcome.steps] == [("pull", "ok")]
    journal = (agent.journal(run.id) / "output").read_bytes()
    assert here.server_log(run.id) == journal
    lines = [record.data for record in read_log(journal) if record.data.startswith(b"hello-1.0> line")]
    assert lines == [b"hello-1.0> line %d" % number for number in range(1, len(lines) + 1)]

    host.commit({"build": "\n"})
    assert here.ended(here.client.run("web1", "pull-switch").id).result == "ok", here.logs()
    assert host.current == "nixos-system-web1-1.0"
