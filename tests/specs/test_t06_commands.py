"""Spec T06, commands over the API: accepted, refused, stored, stopped."""

from collections.abc import Iterator

import httpx
import pytest

from nixfleet_protocol import messages
from nixfleet_protocol.messages import Ack, Progress, ProgressState
from nixfleet_protocol.messages.browser import CommandProgress, HostUpdate
from tests.server.support import FakeAgent, FakeBrowser, ServerProcess, problem, start, until
from tests.specs.served import served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with served(tmp_path_factory.mktemp("t06")) as made:
        yield made


@pytest.fixture(scope="module")
def script(server: ServerProcess) -> str:
    return server.token()


@pytest.fixture
def api(server: ServerProcess, script: str) -> Iterator[httpx.Client]:
    with server.client(script) as client:
        yield client


def test_a_pull_for_a_host_that_is_away_is_queued_on_request(
    server: ServerProcess, api: httpx.Client
) -> None:
    token = server.host("t06-away")
    refused = api.post("/api/v1/hosts/t06-away/runs", json={"command": "pull"})
    assert problem(refused) == (409, "host_offline")
    queued = start(api, "pull", "t06-away", queue=True)
    assert (queued["state"], queued["command"]) == ("queued", "pull")
    with FakeAgent(server, token, "t06-away") as agent:
        agent.register()
        assert agent.take().run_id == queued["run_id"]


def test_who_may_not_is_told_401_or_403(server: ServerProcess) -> None:
    server.host("t06-scope")
    path, body = "/api/v1/hosts/t06-scope/runs", {"command": "pull"}
    with server.client() as stranger, server.client(server.token("reader", "read")) as reader:
        assert problem(stranger.post(path, json=body)) == (401, "not_authenticated")
        assert problem(reader.post(path, json=body)) == (403, "scope")


def test_a_switch_from_its_start_to_its_stored_end(
    server: ServerProcess, script: str, api: httpx.Client
) -> None:
    token = server.host("t06-switch")
    with FakeAgent(server, token, "t06-switch") as agent, FakeBrowser(server, token=script) as browser:
        agent.register()
        run_id = start(api, "switch", "t06-switch")["run_id"]
        run = agent.take()
        agent.begin(run)
        browser.expect(HostUpdate, lambda host: host.pending_command == "switch")
        agent.output(run, 1, 3)
        agent.end(run, 3, message="switched to generation 7", generation="7", commit="c" * 40)
        browser.expect(HostUpdate, lambda host: host.host_id == "t06-switch" and host.pending_command is None)
        view = api.get(f"/api/v1/runs/{run_id}").json()
        assert (view["result"], view["generation"], view["commit"]) == ("ok", "7", "c" * 40)
        assert "switched to generation 7" in view["message"]
        assert len(api.get(f"/api/v1/runs/{run_id}/log").json()["records"]) == 3


def test_how_far_a_test_is_is_shown_and_its_report_is_stored(
    server: ServerProcess, script: str, api: httpx.Client
) -> None:
    token = server.host("t06-test")
    with FakeAgent(server, token, "t06-test") as agent, FakeBrowser(server, token=script) as browser:
        agent.register()
        run_id = start(api, "test", "t06-test")["run_id"]
        run = agent.take()
        agent.begin(run)
        progress = ProgressState(phase="test", current=3, total=10, passed=2, failed=1)
        agent.send(Progress(run_id=run.run_id, command="test", progress=progress))
        assert browser.expect(CommandProgress).progress == progress
        assert api.get(f"/api/v1/runs/{run_id}").json()["progress"]["current"] == 3
        agent.end(run, 0, "failed", tests=messages.TestReport(total=10, passed=9, failed=1))
        agent.expect(Ack, lambda ack: ack.ended)
        view = api.get(f"/api/v1/runs/{run_id}").json()
        assert (view["tests"]["passed"], view["tests"]["failed"], view["progress"]) == (9, 1, None)


def test_a_run_is_stopped_and_its_host_is_ready_again(server: ServerProcess, api: httpx.Client) -> None:
    token = server.host("t06-stop")
    with FakeAgent(server, token, "t06-stop") as agent:
        agent.register()
        run_id = start(api, "switch", "t06-stop")["run_id"]
        run = agent.take("switch")
        agent.begin(run)
        assert problem(api.post("/api/v1/hosts/t06-stop/runs", json={"command": "pull"})) == (
            409,
            "host_busy",
        )
        assert api.post(f"/api/v1/runs/{run_id}/stop").status_code == 201
        stop = agent.take("stop")
        assert stop.options.target == run_id
        agent.end(run, 0, "stopped", exit_code=130)
        agent.end(stop, 0)
        until(lambda: api.get("/api/v1/hosts/t06-stop").json()["pending_command"] is None, "it is ready")
        assert api.get(f"/api/v1/runs/{run_id}").json()["result"] == "stopped"
        start(api, "pull", "t06-stop")
