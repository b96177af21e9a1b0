"""Ending a run whose host is away: it is told when it is back, whatever the server or it went through meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nixfleet_protocol.messages import Ack, CommandMessage, KnownRun
from nixfleet_server.domain.runs import RESEND_LIMIT_MS
from nixfleet_server.live import life
from tests.server.support import FakeAgent, Peer, ServerProcess, ServerThread, problem, serving, start, until

WAITS = "web1 is not connected; it is told as soon as it is back"


def view(api: httpx.Client, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/v1/runs/{run_id}").json()
    return found


def left(server: Peer, token: str, api: httpx.Client, command: str = "pull", *, begun: bool = True) -> str:
    """A run whose host went away; gives its id."""
    with FakeAgent(server, token) as agent:
        agent.register()
        run_id = str(start(api, command)["run_id"])
        if begun:
            agent.begin(agent.take())
            until(lambda: view(api, run_id)["state"] == "running", "it runs")
    until(lambda: not api.get("/api/v1/hosts/web1").json()["connected"], "it is away")
    return run_id


def listed(run_id: str) -> KnownRun:
    return KnownRun(run_id=run_id, command="pull", ended=False, last_seq=0)


def stop(api: httpx.Client, run_id: str) -> dict[str, Any]:
    answer = api.post(f"/api/v1/runs/{run_id}/stop")
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


def ends(api: httpx.Client, run_id: str) -> dict[str, Any]:
    return until(lambda: (found := view(api, run_id))["state"] == "ended" and found, "it ends")


def stops(api: httpx.Client) -> int:
    return sum(run["command"] == "stop" for run in api.get("/api/v1/runs").json()["runs"])


def obey(agent: FakeAgent, run_id: str) -> CommandMessage:
    """Do what a stop of this run asks for."""
    told = agent.take("stop")
    assert told.options.target == run_id
    agent.begin(told)
    agent.end(CommandMessage(run_id=run_id, command="pull"), 0, "stopped")
    agent.end(told, 0)
    agent.expect(Ack, lambda ack: ack.run_id == told.run_id and ack.ended)
    return told


def test_a_host_is_told_when_it_is_back(server: ServerThread, api: httpx.Client, web1: str) -> None:
    run_id = left(server, web1, api)
    asked = stop(api, run_id)
    assert (asked["command"], asked["state"], asked["options"]["target"]) == ("stop", "sent", run_id)
    assert asked["message"] == WAITS
    again = stop(api, run_id)
    assert (again["run_id"], again["message"]) == (asked["run_id"], WAITS), (
        "asked for again it is the same one"
    )
    with FakeAgent(server, web1) as agent:
        agent.register(listed(run_id))
        told = agent.take("stop")
        assert (told.run_id, told.options.target) == (asked["run_id"], run_id)
        agent.begin(told)
        until(lambda: view(api, told.run_id)["state"] == "running", "it is at it")
        assert view(api, told.run_id)["message"] == "", "it was told"
        agent.end(CommandMessage(run_id=run_id, command="pull"), 0, "stopped")
        agent.end(told, 0)
    assert (ends(api, run_id)["result"], ends(api, told.run_id)["result"]) == ("stopped", "ok")
    assert problem(api.post(f"/api/v1/runs/{run_id}/stop")) == (409, "not_running")


def test_what_the_host_never_heard_of_is_not_begun(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    run_id = left(server, web1, api, "switch", begun=False)
    asked = stop(api, run_id)
    with FakeAgent(server, web1) as agent:
        agent.register()
        told = agent.take()
        assert (told.command, told.run_id) == ("stop", asked["run_id"])
        agent.end(told, 0, "failed", message=f"nothing to stop: run {run_id} is not running")
        assert (ends(api, run_id)["result"], ends(api, told.run_id)["result"]) == ("stopped", "ok")
        assert not any(isinstance(message, CommandMessage) for message in agent.quiet())
        assert start(api)["state"] == "sent", "the host is free"


def test_a_disk_that_refuses_begins_nothing_either(
    server: ServerThread, api: httpx.Client, web1: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left(server, web1, api, "switch", begun=False)
    stop_id = stop(api, run_id)["run_id"]
    nothing = {"status": "failed", "message": "nothing to stop"}

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken, FakeAgent(server, web1) as agent:
        agent.register()
        broken.setattr(life, "_end", full)
        agent.end(agent.take("stop"), 0, **nothing)
        assert agent.closed()[0] == 1013
    assert (view(api, run_id)["state"], view(api, stop_id)["state"]) == ("sent", "sent")
    with FakeAgent(server, web1) as agent:
        agent.register(KnownRun(run_id=stop_id, command="stop", ended=True, last_seq=0))
        agent.end(CommandMessage(run_id=stop_id, command="stop"), 0, **nothing)
        assert (ends(api, run_id)["result"], ends(api, stop_id)["result"]) == ("stopped", "ok")
        assert not any(isinstance(message, CommandMessage) for message in agent.quiet())


def test_what_the_host_was_just_beginning_is_followed_to_its_end(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    """An agent that is launching a run does not list it yet."""
    run_id = left(server, web1, api, "switch", begun=False)
    stop(api, run_id)
    with FakeAgent(server, web1) as agent:
        agent.register()
        told = agent.take("stop")
        run = CommandMessage(run_id=run_id, command="switch")
        agent.begin(run)
        agent.output(run, 1, 2)
        until(lambda: view(api, run_id)["state"] == "running", "it runs")
        agent.end(told, 0, "failed", message="it can't be stopped now")
        assert ends(api, told.run_id)["result"] == "failed"
        agent.end(run, 2)
        assert (ends(api, run_id)["result"], view(api, run_id)["lines"]) == ("ok", 2)


def test_it_is_kept_over_a_restart_of_the_server(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        token, script = server.host(), server.token()
        with server.client(script) as api:
            run_id = left(server, token, api)
            asked = stop(api, run_id)
        server.end()
        server.start()
        with server.client(script) as api:
            assert stop(api, run_id)["run_id"] == asked["run_id"]
            with FakeAgent(server, token) as agent:
                agent.register(listed(run_id))
                assert obey(agent, run_id).run_id == asked["run_id"]
            assert ends(api, run_id)["result"] == "stopped"
    finally:
        server.end()


def test_it_is_kept_however_long_the_host_is_away(
    server: ServerThread, api: httpx.Client, web1: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left(server, web1, api)
    stop(api, run_id)
    assert server.context is not None
    hub = server.context.hub
    now = hub.now
    monkeypatch.setattr(hub, "now", lambda: now() + 3 * RESEND_LIMIT_MS)
    with FakeAgent(server, web1) as agent:
        agent.register(listed(run_id))
        obey(agent, run_id)
    assert ends(api, run_id)["result"] == "stopped"


def test_a_stop_of_a_host_that_is_away_names_its_run_or_is_refused(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    run_id = left(server, web1, api)
    assert problem(api.post("/api/v1/hosts/web1/runs", json={"command": "stop"})) == (409, "host_offline")
    asked = stop(api, run_id)
    refused = api.post(f"/api/v1/runs/{asked['run_id']}/stop")
    assert problem(refused) == (409, "not_running")
    assert "can't be taken back" in refused.json()["detail"]


def test_a_stop_that_is_sent_again_is_never_of_another_run(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        run_id = start(api)["run_id"]
        agent.begin(agent.take())
        assert start(api, "stop")["options"]["target"] == run_id


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[ServerThread]:
    with serving(tmp_path / "data", env={"NIXFLEET_TIMEOUTS": "pull=1/1"}) as server:
        yield server


def test_a_time_out_is_told_once_when_the_host_is_back(hasty: ServerThread) -> None:
    token, script = hasty.host(), hasty.token()
    with hasty.client(script) as api:
        run_id = left(hasty, token, api)
        until(lambda: stops(api) == 1, "its time is over")
        assert hasty.context is not None
        for run in hasty.context.hub.runs.values():
            run.due = run.due and 0.0  # again, as minutes later
        until(lambda: hasty.context and hasty.context.hub.runs[run_id].due, "it was looked at again")
        assert stops(api) == 1
        with FakeAgent(hasty, token) as agent:
            agent.register(listed(run_id))
            obey(agent, run_id)
        assert ends(api, run_id)["result"] == "timed_out"
