"""Runs that wait for their host, and runs whose time is over."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from nixfleet_protocol.messages import Ack, CommandMessage, KnownRun
from tests.server.support import FakeAgent, ServerProcess, ServerThread, problem, serving, start, until


def view(api: httpx.Client, run_id: str) -> dict[str, object]:
    return dict(api.get(f"/api/v1/runs/{run_id}").json())


def ends(api: httpx.Client, run_id: str) -> dict[str, object]:
    return until(lambda: (v := view(api, run_id))["state"] == "ended" and v, "the run ends")


def test_what_waits_is_sent_in_order_when_the_host_comes(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    first = start(api, "pull", queue=True)
    second = start(api, "switch", queue=True)
    assert (first["state"], second["state"]) == ("queued", "queued")
    assert first["expires_at"] > first["created_at"]  # type: ignore[operator]
    host = api.get("/api/v1/hosts/web1").json()
    assert (host["queued"], host["pending_command"], host["presence"]) == (2, None, "new")
    with FakeAgent(server, web1) as agent:
        agent.register()
        run = agent.take()
        assert run.run_id == first["run_id"]
        agent.begin(run)
        assert agent.quiet() == [], "the second waits until the first has ended"
        assert api.get("/api/v1/hosts/web1").json()["queued"] == 1
        agent.end(run, 0)
        assert agent.take().run_id == second["run_id"]
        assert view(api, str(second["run_id"]))["state"] == "sent"
        assert view(api, str(first["run_id"]))["result"] == "ok"


def test_a_busy_host_keeps_for_later_what_is_asked_to_wait(api: httpx.Client, agent: FakeAgent) -> None:
    start(api, "switch")
    run = agent.take()
    later = start(api, "pull", queue=True)
    assert later["state"] == "queued"
    agent.end(run, 0)
    assert agent.take().run_id == later["run_id"]


def test_a_queued_run_survives_a_kill_of_the_server(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        token, script = server.host(), server.token()
        with server.client(script) as api:
            run_ids = [start(api, command, queue=True)["run_id"] for command in ("pull", "switch")]
            server.end()
            server.start()
        with server.client(script) as api:
            assert api.get("/api/v1/hosts/web1").json()["queued"] == 2
            with FakeAgent(server, token) as agent:
                agent.register()
                for run_id in run_ids:
                    run = agent.take()
                    assert run.run_id == run_id
                    agent.end(run, 0)
                    agent.expect(Ack, lambda ack: ack.ended)
    finally:
        server.end()


def test_a_queued_run_is_given_up_when_its_host_does_not_come(api: httpx.Client, web1: str) -> None:
    run_id = str(start(api, queue=True, expires=0.5)["run_id"])
    ended = ends(api, run_id)
    assert (ended["result"], ended["lines"]) == ("expired", 0)
    assert "web1" in str(ended["message"])
    assert api.get("/api/v1/hosts/web1").json()["queued"] == 0


def test_a_queued_run_can_be_taken_out(server: ServerThread, api: httpx.Client, web1: str) -> None:
    run_id = str(start(api, queue=True)["run_id"])
    answer = api.post(f"/api/v1/runs/{run_id}/stop")
    assert answer.status_code == 201
    assert (answer.json()["run_id"], answer.json()["result"]) == (run_id, "stopped")
    with FakeAgent(server, web1) as agent:
        agent.register()
        assert agent.quiet() == []
    assert problem(api.post(f"/api/v1/runs/{run_id}/stop")) == (409, "not_running")


def test_what_a_host_turns_out_unable_to_do_is_rejected(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    run_id, after = (str(start(api, command, queue=True)["run_id"]) for command in ("rollback", "pull"))
    with FakeAgent(server, web1) as agent:
        agent.register()
        assert agent.take().run_id == after, "the queue goes on behind it"
    assert ends(api, run_id)["result"] == "rejected"


def test_a_queue_has_an_end(api: httpx.Client, web1: str) -> None:
    body = {"command": "pull", "options": {"queue": True}}
    for _ in range(32):
        assert api.post("/api/v1/hosts/web1/runs", json=body).status_code == 201
    assert problem(api.post("/api/v1/hosts/web1/runs", json=body)) == (409, "queue_full")


def test_an_agent_that_knows_a_queued_run_already_goes_on_with_it(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    """As after a restored backup: to send it again would start it twice."""
    run_id = str(start(api, queue=True)["run_id"])
    with FakeAgent(server, web1) as agent:
        (held,) = agent.register(KnownRun(run_id=run_id, command="switch", ended=False, last_seq=0)).runs
        assert not held.ended
        assert agent.quiet() == []
        run = CommandMessage(run_id=run_id, command="switch")
        agent.begin(run)
        until(lambda: view(api, run_id)["state"] == "running", "it runs")
        host = api.get("/api/v1/hosts/web1").json()
        assert (host["queued"], host["run_id"]) == (0, run_id)
        agent.end(run, 0)
        assert ends(api, run_id)["result"] == "ok"


def test_what_could_not_be_sent_for_want_of_room_is_sent_later_and_once(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a bulk dispatch's: that a run could not be sent yet is no reason to start another."""
    start(api, "pull")
    run = agent.take()
    later = start(api, "pull", queue=True, expires=3600)
    failures = []

    def full(*_: object) -> None:
        failures.append(1)
        raise OperationalError("UPDATE", None, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as disk:
        disk.setattr("nixfleet_server.store.runs.send", full)
        agent.end(run, 0)
        agent.expect(Ack, lambda ack: ack.ended)
        until(lambda: failures, "it is tried")
        until(lambda: server.hub.hosts["web1"].send_again, "it waits")
        assert server.hub.runs[str(later["run_id"])].due is not None, "it still expires"
        bulk = api.post(
            "/api/v1/runs", json={"hosts": ["web1"], "command": "pull", "options": {"queue": True}}
        )
        assert bulk.status_code == 201, bulk.text
        own = bulk.json()["items"][0]["run"]["run_id"]
        assert agent.quiet(1.5) == []
    for run_id in (later["run_id"], own):
        run = agent.take()
        assert run.run_id == run_id
        agent.end(run, 0)
    assert ends(api, own)["result"] == "ok"
    assert len(api.get("/api/v1/runs").json()["runs"]) == 3


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[ServerThread]:
    with serving(tmp_path / "data", env={"NIXFLEET_TIMEOUTS": "switch=1/1,test=1/0,pull=600/900"}) as server:
        yield server


def test_a_run_whose_time_is_over_is_stopped_and_ends_as_timed_out(hasty: ServerThread) -> None:
    token, script = hasty.host(), hasty.token()
    with FakeAgent(hasty, token) as agent, hasty.client(script) as api:
        agent.register()
        run_id = str(start(api)["run_id"])
        run = agent.take()
        agent.begin(run)
        stop = agent.take("stop")
        assert stop.options.target == run_id
        agent.end(run, 0, "stopped", exit_code=143, message="stopped by SIGTERM")
        ended = ends(api, run_id)
        assert ended["result"] == "timed_out"
        assert "longer than it may" in str(ended["message"])
        assert "SIGTERM" in str(ended["message"])
        assert view(api, stop.run_id)["started_by"] == "time-out"


def test_a_run_that_ends_well_after_all_is_no_time_out(hasty: ServerThread) -> None:
    token, script = hasty.host(), hasty.token()
    with FakeAgent(hasty, token) as agent, hasty.client(script) as api:
        agent.register()
        run_id = str(start(api)["run_id"])
        run = agent.take()
        agent.begin(run)
        agent.take("stop")
        agent.end(run, 0)
        assert ends(api, run_id)["result"] == "ok"


def test_the_operator_decides_about_a_slow_run(hasty: ServerThread) -> None:
    token, script = hasty.host(), hasty.token()
    with FakeAgent(hasty, token) as agent, hasty.client(script) as api:
        agent.register()
        run_id = str(start(api, "pull")["run_id"])
        path = f"/api/v1/runs/{run_id}/timeout"
        assert problem(api.post(path, json={"action": "wait"})) == (409, "not_running")
        run = agent.take()
        agent.begin(run)
        before = until(lambda: (v := view(api, run_id))["state"] == "running" and v, "it runs")
        assert before["warn_at"] - before["created_at"] >= 600_000  # type: ignore[operator]
        waited = api.post(path, json={"action": "wait", "seconds": 1000}).json()
        assert waited["warn_at"] > before["warn_at"]
        assert waited["timeout_at"] == before["timeout_at"] + 1_000_000  # type: ignore[operator]
        assert problem(api.post(path, json={"action": "wait", "seconds": 0})) == (422, "invalid")
        ignored = api.post(path, json={"action": "ignore"}).json()
        assert (ignored["warn_at"], ignored["timeout_at"]) == (None, None)
        assert view(api, run_id)["timeout_at"] is None
        stop = api.post(path, json={"action": "stop"}).json()
        assert (stop["command"], stop["options"]["target"]) == ("stop", run_id)
        agent.end(agent.take("stop"), 0)
        agent.end(run, 0, "stopped")
        assert ends(api, run_id)["result"] == "stopped", "the operator's word is no time-out"
        nobody = f"/api/v1/runs/{'0' * 32}/timeout"
        assert problem(api.post(nobody, json={"action": "wait"})) == (404, "no_such_run")


def test_waiting_longer_takes_a_time_out_back(hasty: ServerThread) -> None:
    token, script = hasty.host(), hasty.token()
    with FakeAgent(hasty, token) as agent, hasty.client(script) as api:
        agent.register()
        run_id = str(start(api)["run_id"])
        run = agent.take()
        agent.begin(run)
        until(lambda: view(api, run_id)["state"] == "running", "it runs")
        api.post(f"/api/v1/runs/{run_id}/timeout", json={"action": "ignore"})
        assert agent.quiet(2.5) == [], "nobody stops it any more"


def test_a_new_host_is_no_reason_to_stop_a_slow_run_once_more(hasty: ServerThread) -> None:
    token, script = hasty.host(), hasty.token("boss", "admin")
    with FakeAgent(hasty, token) as agent, hasty.client(script) as api:
        agent.register()
        start(api)
        agent.begin(agent.take())
        agent.take("stop")
        assert api.post("/api/v1/hosts", json={"host_id": "web2"}).status_code == 201
        assert agent.quiet(2.0) == []
