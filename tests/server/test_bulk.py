"""One command on many hosts: one run each, so many at a time, over restarts of the server too."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from nixfleet_protocol.messages import Ack
from tests.server.support import FakeAgent, Peer, ServerProcess, ServerThread, problem, start, until

NAMES = ("db1", "web1", "web2")


def begin(api: httpx.Client, hosts: tuple[str, ...] = NAMES, **fields: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/runs", json={"hosts": hosts, "command": "pull"} | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def states(api: httpx.Client, bulk: dict[str, Any]) -> list[str]:
    """For each host: its run's result or state, else the problem, else nothing."""
    items = api.get(f"/api/v1/bulk/{bulk['bulk_id']}").json()["items"]
    return [
        (item["run"]["result"] or item["run"]["state"]) if item["run"] else item["problem"] for item in items
    ]


def connect(stack: ExitStack, server: Peer, tokens: dict[str, str]) -> dict[str, FakeAgent]:
    agents = {name: stack.enter_context(FakeAgent(server, token, name)) for name, token in tokens.items()}
    for agent in agents.values():
        agent.register()
    return agents


@pytest.fixture
def fleet(server: ServerThread) -> Iterator[dict[str, FakeAgent]]:
    with ExitStack() as stack:
        yield connect(stack, server, {name: server.host(name) for name in NAMES})


def finish(agent: FakeAgent, result: str = "ok") -> None:
    run = agent.take()
    agent.begin(run)
    agent.end(run, 0, result)
    agent.expect(Ack, lambda ack: ack.ended)


def test_every_host_gets_its_run(api: httpx.Client, fleet: dict[str, FakeAgent]) -> None:
    bulk = begin(api)
    assert [item["host_id"] for item in bulk["items"]] == list(NAMES)
    assert {item["run"]["bulk_id"] for item in bulk["items"]} == {bulk["bulk_id"]}
    for agent in fleet.values():
        finish(agent)
    until(lambda: api.get(f"/api/v1/bulk/{bulk['bulk_id']}").json()["state"] == "ended", "all have ended")
    assert states(api, bulk) == ["ok", "ok", "ok"]


def test_so_many_at_a_time_in_the_order_given(api: httpx.Client, fleet: dict[str, FakeAgent]) -> None:
    bulk = begin(api, concurrency=1)
    assert states(api, bulk) == ["sent", "", ""]
    assert fleet["web1"].quiet() == []
    finish(fleet["db1"])
    until(lambda: states(api, bulk) == ["ok", "sent", ""], "the next begins")
    finish(fleet["web1"], "failed")
    finish(fleet["web2"])
    until(lambda: states(api, bulk) == ["ok", "failed", "ok"], "a failure alone stops nothing")


def test_after_a_failure_nothing_more_begins(api: httpx.Client, fleet: dict[str, FakeAgent]) -> None:
    bulk = begin(api, concurrency=1, stop_on_failure=True)
    finish(fleet["db1"], "failed")
    until(lambda: states(api, bulk) == ["failed", "cancelled", "cancelled"], "the rest is cancelled")
    assert fleet["web1"].quiet() == []
    assert api.get(f"/api/v1/bulk/{bulk['bulk_id']}").json()["state"] == "ended"


def test_a_host_that_can_not_drops_out(
    server: ServerThread, api: httpx.Client, fleet: dict[str, FakeAgent]
) -> None:
    server.host("away")
    server.call(lambda: setattr(server.context.bulks, "_until", 0.0))  # type: ignore[union-attr]
    start(api, "switch", "web1")
    bulk = begin(api, ("away", "web1", "nobody", "db1"), concurrency=1, stop_on_failure=True)
    assert states(api, bulk) == ["host_offline", "host_busy", "no_such_host", "sent"]
    assert "away" in bulk["items"][0]["detail"]
    finish(fleet["db1"])
    until(lambda: api.get(f"/api/v1/bulk/{bulk['bulk_id']}").json()["state"] == "ended", "it ends")


def test_who_waits_for_its_host_holds_nobody_up_and_is_cancelled_with_the_rest(
    server: ServerThread, api: httpx.Client, fleet: dict[str, FakeAgent]
) -> None:
    server.host("away")
    bulk = begin(api, ("away", "db1", "web1"), concurrency=1, stop_on_failure=True, options={"queue": True})
    until(lambda: states(api, bulk) == ["queued", "sent", ""], "db1 begins")
    finish(fleet["db1"], "failed")
    until(lambda: states(api, bulk) == ["stopped", "failed", "cancelled"], "nothing more begins")


def test_all_of_it_is_stopped(server: ServerThread, api: httpx.Client) -> None:
    tokens = {name: server.host(name) for name in NAMES}
    server.host("away")
    hosts = ("away", "db1", "web1", "web2")
    with ExitStack() as stack:
        fleet = connect(stack, server, tokens)
        bulk = begin(api, hosts, concurrency=2, options={"queue": True})
        until(lambda: states(api, bulk) == ["queued", "sent", "sent", ""], "two begin")
        run = fleet["db1"].take()
        fleet["db1"].begin(run)
        fleet["web1"].__exit__()  # it is told when it is back
        until(lambda: not api.get("/api/v1/hosts/web1").json()["connected"], "web1 is gone")
        stop = f"/api/v1/bulk/{bulk['bulk_id']}/stop"
        answer = api.post(stop)
        assert answer.status_code == 200
        until(lambda: states(api, bulk) == ["stopped", "running", "sent", "cancelled"], "nothing more begins")
        assert (
            "before this one began" in api.get(f"/api/v1/bulk/{bulk['bulk_id']}").json()["items"][3]["detail"]
        )
        asked = fleet["db1"].take("stop")
        assert asked.options.target == run.run_id
        fleet["db1"].end(asked, 0)
        fleet["db1"].end(run, 0, "stopped")
        with FakeAgent(server, tokens["web1"], "web1") as back:
            back.register()
            back.end(back.take("stop"), 0, "failed", message="nothing to stop")  # it had not heard of it
            until(
                lambda: states(api, bulk) == ["stopped", "stopped", "stopped", "cancelled"], "all have ended"
            )
        assert fleet["web2"].quiet() == []
        assert api.post(stop).json()["state"] == "ended", "stopped twice is stopped"
        assert problem(api.post(f"/api/v1/bulk/{'0' * 32}/stop")) == (404, "no_such_bulk")


def test_it_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        tokens, script = {name: server.host(name) for name in NAMES}, server.token()
        with ExitStack() as stack, server.client(script) as api:
            agents = connect(stack, server, tokens)
            bulk = begin(api, concurrency=1)
            run = agents["db1"].take()
            server.end()
        server.start()
        with ExitStack() as stack, server.client(script) as api:
            assert states(api, bulk) == ["sent", "", ""]
            agents = connect(stack, server, tokens)
            again = agents["db1"].take()
            assert again.run_id == run.run_id, "its own run, not a second one"
            agents["db1"].end(again, 0)
            for name in ("web1", "web2"):
                finish(agents[name])
            until(lambda: states(api, bulk) == ["ok", "ok", "ok"], "the others have had their turn")
            assert len(api.get("/api/v1/runs").json()["runs"]) == 3
    finally:
        server.end()


def test_hosts_on_their_way_back_after_a_start_are_waited_for(
    server: ServerThread, api: httpx.Client
) -> None:
    token = server.host("late")
    bulk = begin(api, ("late",))
    assert states(api, bulk) == [""]
    with FakeAgent(server, token, "late") as agent:
        agent.register()
        finish(agent)
    until(lambda: states(api, bulk) == ["ok"], "it was waited for")


def test_what_can_not_be_right(api: httpx.Client, fleet: dict[str, FakeAgent]) -> None:
    for body, code in (
        ({"hosts": [], "command": "pull"}, "invalid"),
        ({"hosts": ["db1", "db1"], "command": "pull"}, "invalid"),
        ({"hosts": ["db1"], "command": "explode"}, "unknown_command"),
        ({"hosts": ["db1"], "command": "pull", "options": {"generation": 3}}, "invalid"),
        ({"hosts": ["db1"], "command": "pull", "concurrency": -1}, "invalid"),
    ):
        assert problem(api.post("/api/v1/runs", json=body)) == (422, code)
    assert problem(api.get(f"/api/v1/bulk/{'0' * 32}")) == (404, "no_such_bulk")
    assert api.get("/api/v1/runs").json()["runs"] == []
