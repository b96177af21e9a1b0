"""Spec T13, checks: before a command offline, pending, already current, behind; after it achieved, in part, not."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from nixfleet_protocol.messages import Ack, Facts, Outcome, Step
from tests.server.support import FakeAgent, ServerProcess, problem, start
from tests.specs.served import served

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with served(tmp_path_factory.mktemp("t13")) as made:
        yield made


@pytest.fixture(scope="module")
def script(server: ServerProcess) -> str:
    return server.token()


@pytest.fixture
def api(server: ServerProcess, script: str) -> Iterator[httpx.Client]:
    with server.client(script) as client:
        yield client


def ended(
    api: httpx.Client, agent: FakeAgent, command: str, result: str = "ok", **fields: Any
) -> dict[str, Any]:
    """A run of this command with this end."""
    options = fields.pop("options", {})
    run_id = start(api, command, agent.name, **options)["run_id"]
    run = agent.take(command)
    agent.begin(run)
    agent.end(run, 0, result, **fields)
    agent.expect(Ack, lambda ack: ack.run_id == run_id and ack.ended)
    return dict(api.get(f"/api/v1/runs/{run_id}").json())


def test_before_offline_and_pending(server: ServerProcess, api: httpx.Client) -> None:
    token = server.host("t13-pre")
    path = "/api/v1/hosts/t13-pre/runs"
    assert problem(api.post(path, json={"command": "pull"})) == (409, "host_offline")
    with FakeAgent(server, token, "t13-pre") as agent:
        agent.register()
        start(api, "pull", "t13-pre")
        for _ in range(2):  # asking twice gives the same answer, and starts nothing
            assert problem(api.post(path, json={"command": "pull"})) == (409, "host_busy")
        agent.take()
        assert agent.quiet() == []


def test_before_already_current_unless_insisted(server: ServerProcess, api: httpx.Client) -> None:
    token = server.host("t13-current")
    facts = Facts(
        commit=NEW, configuration_revision=NEW, dirty=False, system="normal", wanted_commit=NEW, behind=0
    )
    with FakeAgent(server, token, "t13-current") as agent:
        agent.register(facts=facts)
        path = "/api/v1/hosts/t13-current/runs"
        for _ in range(2):
            answer = api.post(path, json={"command": "switch"})
            assert problem(answer) == (409, "already_current")
            assert "force" in answer.json()["detail"]
        assert agent.quiet() == []
        assert ended(api, agent, "switch", options={"force": True})["result"] == "ok"


def test_before_the_checkout_is_behind(server: ServerProcess, api: httpx.Client) -> None:
    token = server.host("t13-behind")
    with FakeAgent(server, token, "t13-behind") as agent:
        agent.register(facts=Facts(commit=OLD, wanted_commit=NEW, behind=2, branch="main"))
        run = start(api, "switch", "t13-behind")
        assert str(run["message"]).startswith("git_outdated: 2 commits behind main")


def test_after_the_goal_is_achieved_in_part_or_not(server: ServerProcess, api: httpx.Client) -> None:
    token = server.host("t13-post")
    with FakeAgent(server, token, "t13-post") as agent:
        agent.register(facts=Facts(commit=OLD, wanted_commit=NEW, behind=2))
        stuck = ended(api, agent, "pull", commit=OLD, message="pulled")
        assert stuck["result"] == "ok"
        assert "pulled; goal not achieved" in stuck["message"]
        assert ended(api, agent, "pull", commit=NEW)["message"] == "goal achieved"
        steps = (Step(name="pull", outcome="ok"), Step(name="build", outcome="failed"))
        partial = ended(api, agent, "pull-switch", "failed", outcome=Outcome(steps=steps))
        assert partial["message"] == "partial: pull done, build not"
        failed = ended(api, agent, "pull", "failed", exit_code=128, message="git: no route to host")
        assert (failed["exit_code"], failed["message"]) == (128, "git: no route to host")
