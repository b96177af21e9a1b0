"""Spec T09, the agent's own clone: made by itself and private, cleaned, repaired, over SSH with one key; and a checkout."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.processes import Agent
from tests.agent.conftest import Repo
from tests.support.lab import Lab, until
from tests.support.sshd import Sshd

SWITCH = "#!/bin/sh\ncat content\n"


@pytest.fixture(scope="module")
def origin(fleet: Lab) -> Repo:
    made = Repo(fleet.directory / "t09-origin")
    made.commit({"switch": SWITCH, "content": "first"})
    return made


def start(fleet: Lab, name: str, repository: str, **extra: str) -> Agent:
    token = fleet.server.add_host(name)
    agent = Agent(
        fleet.directory / name, name, fleet.server.url, token, repository, {"NIXFLEET_INTERVAL": "1"} | extra
    )
    fleet.agents.append(agent)
    agent.start()
    fleet.online(name)
    return agent


def clone(agent: Agent) -> Path:
    return agent.state / "repo"


def cloned(fleet: Lab, agent: Agent) -> None:
    """Wait for the clone that an agent makes at its start."""
    until(
        lambda: (f := fleet.client.host(agent.name).facts) and (f.commit or f.repo_error),
        "a clone, or why not",
    )


@pytest.fixture(scope="module")
def web(fleet: Lab, origin: Repo) -> Agent:
    agent = start(fleet, "t09-web", str(origin.path))
    cloned(fleet, agent)
    return agent


def pull(fleet: Lab, name: str) -> str | None:
    run = fleet.client.run(name, "pull").wait(60)
    assert run.result == "ok", run.message
    return run.commit


def test_the_clone_is_made_at_start_is_private_and_its_commit_is_told(
    fleet: Lab, web: Agent, origin: Repo
) -> None:
    assert clone(web).stat().st_mode & 0o777 == 0o700
    assert web.state.stat().st_mode & 0o777 == 0o700
    commit = origin.commit({"content": "second"})
    assert pull(fleet, web.name) == commit
    until(lambda: (f := fleet.client.host(web.name).facts) and f.commit == commit, "the commit as a fact")


def test_dirt_is_cleaned_by_a_pull(fleet: Lab, web: Agent, origin: Repo) -> None:
    """A changed tracked file, a staged one, an untracked one: the upstream's state wins (original bug 13)."""
    tree = clone(web)
    (tree / "content").write_text("changed here")
    (tree / "flake.lock").write_text("staged here")
    subprocess.run(["git", "add", "flake.lock"], cwd=tree, check=True)
    (tree / "junk").mkdir()
    (tree / "junk" / "file").write_text("untracked")
    origin.commit({"flake.lock": "theirs", "content": "third"})

    pull(fleet, web.name)

    assert (tree / "content").read_text() == "third"
    assert (tree / "flake.lock").read_text() == "theirs"
    assert not (tree / "junk").exists()


def test_pull_switch_runs_what_was_pulled(fleet: Lab, web: Agent, origin: Repo) -> None:
    origin.commit({"content": "what was pulled"})

    run = fleet.client.run(web.name, "pull-switch").wait(60)

    assert run.result == "ok"
    assert b"what was pulled" in b"".join(fleet.client.raw_log(run.run_id))
    assert run.generation


@pytest.mark.parametrize("emptied", [True, False], ids=["objects emptied", "git directory gone"])
def test_a_damaged_clone_is_made_anew(fleet: Lab, web: Agent, origin: Repo, emptied: bool) -> None:
    broken = clone(web) / ".git" / ("objects" if emptied else "")
    shutil.rmtree(broken)
    if emptied:
        broken.mkdir()

    assert pull(fleet, web.name) == origin.git("rev-parse", "HEAD")


def test_a_changed_address_makes_a_new_clone(fleet: Lab, web: Agent, origin: Repo) -> None:
    other = Repo(fleet.directory / "t09-other")
    commit = other.commit({"switch": SWITCH, "content": "elsewhere"})
    agent = start(fleet, "t09-moves", str(origin.path))
    cloned(fleet, agent)
    agent.process.end()
    agent.process.environment["NIXFLEET_REPO_URL"] = str(other.path)
    agent.start()
    fleet.online(agent.name)

    assert pull(fleet, agent.name) == commit


def test_a_clone_that_fails_leaves_the_host_visible_with_the_reason(fleet: Lab, tmp_path: Path) -> None:
    agent = start(fleet, "t09-noclone", str(tmp_path / "nowhere"))
    cloned(fleet, agent)

    host = fleet.client.host(agent.name)

    assert host.presence == "online"
    assert host.facts
    assert "nowhere" in (host.facts.repo_error or "")
    run = fleet.client.run(agent.name, "switch").wait(60)
    assert run.result == "failed"
    assert "nowhere" in run.message


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    made = Sshd(tmp_path_factory.mktemp("sshd"))
    yield made
    made.stop()


@pytest.mark.needs("sshd", "ssh")
def test_over_ssh_the_given_key_opens_and_another_is_told_as_refused(
    fleet: Lab, origin: Repo, sshd: Sshd
) -> None:
    agent = start(fleet, "t09-ssh", sshd.url(origin.path), NIXFLEET_SSH_KEY=str(sshd.user_key))
    cloned(fleet, agent)
    assert pull(fleet, agent.name) == origin.git("rev-parse", "HEAD")

    stranger = start(fleet, "t09-stranger", sshd.url(origin.path), NIXFLEET_SSH_KEY=str(sshd.other_key))
    cloned(fleet, stranger)
    facts = fleet.client.host(stranger.name).facts
    assert facts
    assert "Permission denied (publickey)" in (facts.repo_error or "")


def test_a_checkout_of_the_user_s_own_is_used_where_it_is(fleet: Lab, origin: Repo) -> None:
    mine = fleet.directory / "t09-mine"
    origin.git("clone", "--quiet", str(origin.path), str(mine))
    (mine / "notes").write_text("keep me")
    token = fleet.server.add_host("t09-legacy")
    agent = Agent(
        fleet.directory / "t09-legacy",
        "t09-legacy",
        fleet.server.url,
        token,
        "",
        {"NIXFLEET_REPO_DIR": str(mine)},
    )
    fleet.agents.append(agent)
    agent.start()
    fleet.online(agent.name)
    commit = origin.commit({"content": "for a checkout"})

    assert pull(fleet, agent.name) == commit
    assert (mine / "notes").read_text() == "keep me"
    assert not clone(agent).exists()
