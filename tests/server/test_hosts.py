"""Adding, changing and removing hosts and their tokens, while agents and watchers are connected."""

import time

import httpx
import pytest

from nixfleet_protocol.messages import Goodbye
from nixfleet_protocol.messages.browser import HostRemoved, HostUpdate, Snapshot
from nixfleet_server.domain.flapping import ALIVE, TURNS, WINDOW, flapping, replaced
from tests.server.support import FakeAgent, FakeBrowser, ServerThread, problem, start, until


def test_a_host_from_its_adding_to_its_removal(server: ServerThread, boss: httpx.Client) -> None:
    with FakeBrowser(server, token=server.token("watcher", "read")) as watcher:
        watcher.expect(Snapshot)
        answer = boss.post("/api/v1/hosts", json={"host_id": "db1", "criticality": "high", "notes": "rack 3"})
        assert answer.status_code == 201
        token = answer.json()["token"]
        seen = watcher.expect(HostUpdate)
        assert (seen.host_id, seen.criticality, seen.notes, seen.presence) == ("db1", "high", "rack 3", "new")
        assert seen.created_at
        assert abs(seen.created_at / 1000 - time.time()) < 60
        assert problem(boss.post("/api/v1/hosts", json={"host_id": "DB1"})) == (409, "host_exists")
        assert problem(boss.post("/api/v1/hosts", json={"host_id": "-x"}))[1] == "invalid"
        with FakeAgent(server, token, "db1") as agent:
            agent.register()
            run_id = start(boss, "switch", "db1")["run_id"]
            agent.take()
            changed = boss.patch("/api/v1/hosts/db1", json={"notes": ""}).json()
            assert (changed["notes"], changed["criticality"]) == ("", "high")
            assert boss.patch("/api/v1/hosts/db1", json={"criticality": "low"}).json()["criticality"] == "low"
            watcher.expect(HostUpdate, lambda host: host.criticality == "low")
            assert boss.delete("/api/v1/hosts/db1").status_code == 204
            assert agent.expect(Goodbye).reason == "removed"
            assert agent.closed()[0] == 1008
        assert watcher.expect(HostRemoved).host_id == "db1"
    until(lambda: boss.get(f"/api/v1/runs/{run_id}").json()["result"] == "lost", "the run is given up")
    for answer in (
        boss.get("/api/v1/hosts/db1"),
        boss.delete("/api/v1/hosts/db1"),
        boss.patch("/api/v1/hosts/db1", json={}),
        boss.post("/api/v1/hosts/db1/token", json={}),
        boss.delete("/api/v1/hosts/db1/token"),
    ):
        assert problem(answer) == (404, "no_such_host")


def test_during_the_overlap_both_tokens_work_and_then_only_the_new_one(
    server: ServerThread, boss: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        answer = boss.post("/api/v1/hosts/web1/token", json={"overlap": 3600}).json()
        until_ = boss.get("/api/v1/hosts/web1").json()["token_overlap_until"]
        assert until_ == answer["overlap_until"]
        agent.heartbeat()  # it is not disconnected
        assert agent.quiet() == []
    with FakeAgent(server, web1) as agent:
        agent.register()
        real = server.hub.now
        server.hub.now = lambda: real() + 3601 * 1000
        assert agent.expect(Goodbye).reason == "revoked"
        assert agent.closed()[0] == 1008
    with pytest.raises(Exception, match="401"):
        FakeAgent(server, web1)
    with FakeAgent(server, answer["token"]) as agent:
        agent.register()


def test_without_overlap_and_when_revoked_the_connection_ends_at_once(
    server: ServerThread, boss: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        token = boss.post("/api/v1/hosts/web1/token", json={"overlap": 0}).json()["token"]
        assert agent.expect(Goodbye).reason == "revoked"
        assert agent.closed()[0] == 1008
    with FakeAgent(server, token) as agent:
        agent.register()
        boss.post("/api/v1/hosts/web1/token", json={})
        assert boss.delete("/api/v1/hosts/web1/token").status_code == 204
        assert agent.expect(Goodbye).reason == "revoked"
    for dead in (web1, token):
        with pytest.raises(Exception, match="401"):
            FakeAgent(server, dead)


def test_two_agents_that_take_turns_are_shown(server: ServerThread, boss: httpx.Client, web1: str) -> None:
    for turn in range(TURNS):
        assert boss.get("/api/v1/hosts/web1").json()["flapping"] is False, turn
        with FakeAgent(server, web1) as one, FakeAgent(server, web1) as other:
            one.register()
            other.register()
            assert one.expect(Goodbye).reason == "replaced"
        until(lambda: not boss.get("/api/v1/hosts/web1").json()["connected"], "disconnected")
    assert boss.get("/api/v1/hosts/web1").json()["flapping"] is True
    with FakeBrowser(server, token=server.token("watcher", "read")) as watcher:
        assert watcher.expect(Snapshot).hosts[0].flapping
        real = server.hub.monotonic
        server.hub.monotonic = lambda: real() + WINDOW + 1
        assert watcher.expect(HostUpdate).flapping is False


def test_a_dead_connection_that_is_replaced_is_no_second_agent() -> None:
    times: tuple[float, ...] = ()
    for turn in range(100):
        times = replaced(times, ALIVE + 0.1, float(turn))
    assert not flapping(times, 100.0)
    for turn in range(TURNS):
        assert not flapping(times, 100.0 + turn)
        times = replaced(times, 1.0, 100.0 + turn)
    assert flapping(times, 100.0 + TURNS)
    assert not flapping(times, 100.0 + TURNS + WINDOW)


def test_only_an_admin_may(server: ServerThread, api: httpx.Client, web1: str) -> None:
    for method, path, body in (
        ("POST", "/hosts", {"host_id": "x"}),
        ("PATCH", "/hosts/web1", {"notes": "x"}),
        ("DELETE", "/hosts/web1", None),
        ("POST", "/hosts/web1/token", {}),
        ("DELETE", "/hosts/web1/token", None),
    ):
        assert problem(api.request(method, f"/api/v1{path}", json=body)) == (403, "scope")
    with FakeAgent(server, web1) as agent:
        agent.register()
