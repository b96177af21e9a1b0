"""Spec T08, a host's own tests: all pass, some fail, none there, stopped, and the host visible meanwhile."""

from pathlib import Path

import pytest

from demo.processes import Agent
from nixfleet_protocol.messages import ProgressState
from tests.agent.conftest import Repo
from tests.support.lab import Lab, until

NAME = "t08-web"
GOOD, BAD = "#!/bin/sh\nsleep 0.3\n", "#!/bin/sh\necho why it failed\nexit 4\n"
WAITS = "#!/bin/sh\nwhile ! [ -e ../go ]; do sleep 0.1; done\n"


@pytest.fixture(scope="module")
def origin(fleet: Lab) -> Repo:
    return Repo(fleet.directory / "t08-origin")


@pytest.fixture(scope="module")
def web(fleet: Lab, origin: Repo) -> Agent:
    origin.commit({"switch": GOOD})
    token = fleet.server.add_host(NAME)
    directory: Path = fleet.directory / NAME
    agent = Agent(directory, NAME, fleet.server.url, token, str(origin.path), {"NIXFLEET_INTERVAL": "0.5"})
    fleet.agents.append(agent)
    agent.start()
    fleet.online(NAME)
    return agent


def suite(fleet: Lab, origin: Repo, scripts: dict[str, str]) -> None:
    """These are the host's tests from now on."""
    folder = origin.path / "hosts" / NAME / "tests"
    for old in folder.glob("*"):
        old.unlink()
    origin.commit({f"hosts/{NAME}/tests/{name}": text for name, text in scripts.items()})
    assert fleet.client.run(NAME, "pull").wait(60).result == "ok"


def test_all_pass(fleet: Lab, web: Agent, origin: Repo) -> None:
    """What is no T*.sh is not run: real folders also hold notes and run-all scripts; numbers may come twice."""
    others = {"README.md": "text", "run-all-tests.sh": BAD, "helper.sh": BAD}
    suite(fleet, origin, {f"T{n}.sh": GOOD for n in ("01-a", "01-b", "02", "03", "04")} | others)

    run = fleet.client.run(NAME, "test").wait(60)

    assert (run.result, run.exit_code, run.message) == ("ok", 0, "5/5 pass")
    assert run.tests
    assert (run.tests.total, run.tests.passed, run.tests.failed) == (5, 5, 0)


def test_some_fail_and_are_named_also_when_the_last_one_passes(fleet: Lab, web: Agent, origin: Repo) -> None:
    suite(fleet, origin, {"T01.sh": BAD, "T02.sh": GOOD, "T03.sh": BAD, "T04.sh": GOOD, "T05.sh": GOOD})

    run = fleet.client.run(NAME, "test").wait(60)

    assert (run.result, run.exit_code) == ("failed", 1)
    assert run.message == "3/5 pass, 2 fail: T01.sh, T03.sh"
    assert run.tests
    assert [(f.name, f.exit_code, f.output) for f in run.tests.failures] == [
        ("T01.sh", 4, "why it failed\n"),
        ("T03.sh", 4, "why it failed\n"),
    ]


@pytest.mark.parametrize(
    "scripts", [{}, {"README.md": "text", "run-all-tests.sh": BAD}], ids=["none", "others"]
)
def test_no_tests_is_no_failure(fleet: Lab, web: Agent, origin: Repo, scripts: dict[str, str]) -> None:
    suite(fleet, origin, scripts)

    run = fleet.client.run(NAME, "test").wait(60)

    assert (run.result, run.exit_code, run.message) == ("ok", 0, "no tests")


def test_a_stop_keeps_the_partial_results_and_the_host_is_seen_meanwhile(
    fleet: Lab, web: Agent, origin: Repo
) -> None:
    (web.state / "go").unlink(missing_ok=True)
    suite(fleet, origin, {"T01.sh": GOOD, "T02.sh": GOOD, "T03.sh": WAITS, "T04.sh": GOOD, "T05.sh": GOOD})
    run = fleet.client.run(NAME, "test")

    def progress() -> ProgressState | None:
        state = fleet.client.get_run(run.id).view.progress
        return state if state and state.current == 2 else None

    seen = until(progress, "two of five done")
    assert (seen.total, seen.passed, seen.failed) == (5, 2, 0)
    beats = set()
    until(lambda: beats.add(fleet.client.host(NAME).last_seen_at) or len(beats) > 3, "heartbeats meanwhile")
    host = fleet.client.host(NAME)
    assert (host.presence, host.pending_command) == ("online", "test")
    run.stop()

    view = fleet.ended(run.id)

    assert (view.result, view.message) == ("stopped", "stopped by user (2/5)")
    assert view.tests
    assert (view.tests.total, view.tests.passed, view.tests.failed) == (5, 2, 0)
