"""What launchd is told, by its recorded words, and a fake `launchctl` that does to the agent what the real one does."""

import plistlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nixfleet_agent.config import load
from nixfleet_agent.enroll import supervisor
from nixfleet_agent.runner import resident
from nixfleet_agent.units import Installation, files
from nixfleet_agent.units.installation import LABEL, RUNNER_LABEL
from tests.agent.conftest import Agent
from tests.agent.fake_server import FakeServer

LAUNCHCTL = """#!/bin/sh
echo "$@" >>{calls}
[ "$1" != kickstart ] || [ ! -s {pid} ] || kill -KILL $(cat {pid})
exit {code}
"""
SYSTEM = Installation(program="/opt/nixfleet/bin/nixfleet-agent", supervisor="launchd")


def launchctl(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *, pid: int | None = None, code: int = 0
) -> Path:
    """Put the fake one on PATH; the file of its calls."""
    calls, number = directory / "calls", directory / "pid"
    number.write_text(str(pid or ""))
    program = directory / "bin" / "launchctl"
    program.parent.mkdir()
    program.write_text(LAUNCHCTL.format(calls=calls, pid=number, code=code))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return calls


def test_after_a_switch_the_job_is_kicked_and_the_agent_is_new(
    server: FakeServer, agent: Callable[..., Agent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = agent()
    server.connected()
    config = load({**one.env, "NIXFLEET_RESIDENT_USER": "root"})
    server.wait(lambda: resident.look(config).opened, "its word that it is registered")
    assert one.process
    calls = launchctl(tmp_path, monkeypatch, pid=one.process.pid)
    monkeypatch.setattr(sys, "platform", "darwin")

    assert resident.restart(config)

    assert calls.read_text() == f"kickstart -k system/{LABEL}\n"
    assert one.process.wait(20) == -9
    assert resident.look(config) == resident.Seen()  # what a dead agent said counts for nothing


def test_where_launchd_refuses_the_agent_is_asked_to_connect_anew(
    server: FakeServer, agent: Callable[..., Agent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = agent()
    server.connected()
    launchctl(tmp_path, monkeypatch, code=113)
    monkeypatch.setattr(sys, "platform", "darwin")

    assert not resident.restart(load(one.env))
    server.connected(2)


def test_the_jobs_are_loaded_and_removed_by_the_names_in_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    made = files(SYSTEM)
    labels = [plistlib.loads(text.encode())["Label"] for text in made.values()]

    assert labels == [LABEL, RUNNER_LABEL]
    assert supervisor.start(SYSTEM) == [["launchctl", "bootstrap", "system", path] for path in made]
    assert supervisor.stop(SYSTEM) == [["launchctl", "bootout", f"system/{label}"] for label in labels]


def test_a_bootout_that_ends_the_process_group_leaves_a_runner_alone() -> None:
    """Both jobs give up their group; that runners leave it is in the tests of spawned and inetd-started ones."""
    for text in files(SYSTEM).values():
        assert plistlib.loads(text.encode())["AbandonProcessGroup"] is True
