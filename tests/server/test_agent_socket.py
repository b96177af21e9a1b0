"""The contract with agents: registration, acknowledgements, ends, resumption, faults."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from sqlmodel import Session
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nixfleet_protocol import limits
from nixfleet_protocol.messages import (
    Ack,
    CommandMessage,
    Facts,
    Goodbye,
    KnownRun,
    Metrics,
    Options,
    Ping,
    Pong,
    Register,
    Status,
)
from nixfleet_server.clock import wall_clock
from nixfleet_server.logs.files import Files
from nixfleet_server.store import hosts
from tests.server.support import FakeAgent, ServerThread, new_run_id, output, serving, start, until


def log_of(server: ServerThread, run_id: str) -> list[bytes]:
    return (server.data / "logs" / f"{run_id}.log").read_bytes().splitlines()


def run_of(api: httpx.Client, run_id: str) -> dict:
    return api.get(f"/api/v1/runs/{run_id}").json()


def test_a_wrong_or_missing_token_gets_401_and_no_socket(server: ServerThread, web1: str) -> None:
    for token in ("nfa_wrong", "", web1[:-1]):
        with pytest.raises(InvalidStatus) as refused:
            FakeAgent(server, token)
        assert refused.value.response.status_code == 401
        assert json.loads(refused.value.response.body)["code"] == "not_authenticated"


def test_a_run_from_dispatch_to_its_acknowledged_end(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    view = start(api, "switch", reason="kernel fix")
    assert (view["state"], view["started_by"], view["lines"]) == ("sent", "script", 0)
    run = agent.take("switch")
    assert run == CommandMessage(
        run_id=view["run_id"], command="switch", options=Options(reason="kernel fix")
    )
    agent.begin(run)
    agent.output(run, 1, 250)
    agent.expect(Ack, lambda ack: ack.seq == 250 and not ack.ended)
    agent.end(run, 250, generation="7", commit="a" * 40, message="done")
    assert agent.expect(Ack, lambda ack: ack.ended) == Ack(run_id=run.run_id, seq=250, ended=True)
    ended = run_of(api, run.run_id)
    assert (ended["state"], ended["result"], ended["exit_code"], ended["lines"]) == ("ended", "ok", 0, 250)
    assert (ended["generation"], ended["commit"], ended["message"]) == ("7", "a" * 40, "done")
    assert log_of(server, run.run_id)[9] == b"10 1700000000010 o line 10"
    assert len(log_of(server, run.run_id)) == 250


def test_a_run_without_output_ends(api: httpx.Client, agent: FakeAgent) -> None:
    start(api, "pull")
    run = agent.take()
    agent.end(run, 0, "failed", exit_code=3)
    agent.expect(Ack, lambda ack: ack.ended and ack.seq == 0)
    assert run_of(api, run.run_id)["exit_code"] == 3
    assert api.get(f"/api/v1/runs/{run.run_id}/log").json()["complete"] is True


def test_duplicates_are_dropped_and_acknowledged_again(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    start(api)
    run = agent.take()
    agent.output(run, 1, 10)
    agent.expect(Ack, lambda ack: ack.seq == 10)
    agent.output(run, 5, 12)
    agent.expect(Ack, lambda ack: ack.seq == 12)
    agent.output(run, 1, 3)
    assert agent.expect(Ack).seq == 12
    assert [int(line.split()[0]) for line in log_of(server, run.run_id)] == list(range(1, 13))


def test_a_gap_closes_the_connection_and_resuming_fills_it(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        start(api)
        run = agent.take()
        agent.output(run, 1, 3)
        agent.expect(Ack, lambda ack: ack.seq == 3)
        agent.output(run, 5, 6)
        code, reason = agent.closed()
        assert code == 1008
        assert "5" in reason
        assert "4" in reason
    with FakeAgent(server, web1) as agent:
        known = KnownRun(run_id=run.run_id, command="switch", ended=True, last_seq=6)
        (held,) = agent.register(known).runs
        assert (held.have, held.ended) == (3, False)
        agent.output(run, 4, 6)
        agent.end(run, 6)
        agent.expect(Ack, lambda ack: ack.ended)
    assert len(log_of(server, run.run_id)) == 6


def test_an_end_before_its_output_is_a_fault(api: httpx.Client, agent: FakeAgent) -> None:
    start(api)
    run = agent.take()
    agent.output(run, 1, 2)
    agent.end(run, 3)
    assert agent.closed()[0] == 1008
    assert run_of(api, run.run_id)["state"] == "sent"


def test_a_run_ends_once_and_a_second_result_changes_nothing(api: httpx.Client, agent: FakeAgent) -> None:
    start(api)
    run = agent.take()
    agent.end(run, 0, "failed", exit_code=1)
    agent.expect(Ack, lambda ack: ack.ended)
    agent.end(run, 0, "ok", exit_code=0)
    agent.expect(Ack, lambda ack: ack.ended)
    agent.begin(run)
    agent.expect(Ack, lambda ack: ack.ended)
    assert (run_of(api, run.run_id)["result"], run_of(api, run.run_id)["state"]) == ("failed", "ended")


def test_a_result_listed_again_after_a_lost_acknowledgement_is_forgotten(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        start(api)
        run = agent.take()
        agent.output(run, 1, 4)
        agent.end(run, 4)
        agent.expect(Ack, lambda ack: ack.ended)
    with FakeAgent(server, web1) as agent:
        (held,) = agent.register(KnownRun(run_id=run.run_id, command="switch", ended=True, last_seq=4)).runs
    assert (held.have, held.ended) == (4, True)


def test_an_undelivered_command_is_sent_again_under_the_same_id(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        run_id = start(api)["run_id"]
    until(
        lambda: api.get("/api/v1/hosts/web1").json()["presence"] == "unreachable",
        "unreachable while a run is under way",
    )
    with FakeAgent(server, web1) as agent:
        agent.register()
        assert agent.take().run_id == run_id
    with FakeAgent(server, web1) as agent:  # it took the command this time: it is not sent a third time
        agent.register(KnownRun(run_id=run_id, command="switch", ended=False, last_seq=0))
        assert not [message for message in agent.quiet() if isinstance(message, CommandMessage)]


def test_a_running_run_the_agent_no_longer_knows_is_interrupted(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        start(api)
        run = agent.take()
        agent.begin(run)
        agent.output(run, 1, 5)
        agent.expect(Ack, lambda ack: ack.seq == 5)
    with FakeAgent(server, web1) as agent:
        agent.register()
        until(lambda: run_of(api, run.run_id)["state"] == "ended", "the run ends")
    ended = run_of(api, run.run_id)
    assert (ended["result"], ended["lines"]) == ("interrupted", 5)
    assert "no longer knows" in ended["message"]


def test_a_run_only_the_agent_knows_is_adopted(server: ServerThread, api: httpx.Client, web1: str) -> None:
    run_id = new_run_id()
    run = CommandMessage(run_id=run_id, command="pull")
    with FakeAgent(server, web1) as agent:
        (held,) = agent.register(KnownRun(run_id=run_id, command="pull", ended=True, last_seq=2)).runs
        assert (held.have, held.ended) == (0, False)
        agent.output(run, 1, 2)
        agent.end(run, 2)
        agent.expect(Ack, lambda ack: ack.ended)
    view = run_of(api, run_id)
    assert (view["started_by"], view["result"], view["host_id"]) == ("agent", "ok", "web1")


def test_a_host_that_makes_up_runs_gets_few_adopted(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    held = []
    for _ in range(2):  # coming back gains nothing
        known = [KnownRun(run_id=new_run_id(), command="pull", ended=False, last_seq=0) for _ in range(40)]
        with FakeAgent(server, web1) as agent:
            held += agent.register(*known).runs
    assert [run.ended for run in held].count(False) == limits.ADOPTED_MAX
    assert len(held) == 80
    assert len(api.get("/api/v1/runs?limit=1000").json()["runs"]) == limits.ADOPTED_MAX


def test_a_log_longer_than_an_agent_may_keep_costs_the_connection(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    start(api)
    run = agent.take()
    server.hub.runs[run.run_id].log_max = 1000
    agent.output(run, 1, 9, "x" * 98 + "{}")
    agent.expect(Ack, lambda ack: ack.seq == 9)
    agent.output(run, 10, 11, "x" * 98)
    code, reason = agent.closed()
    assert (code, "1000 bytes" in reason) == (1008, True)
    assert len(log_of(server, run.run_id)) == 9
    assert run_of(api, run.run_id)["lines"] == 9


def test_what_came_with_a_gap_is_taken_when_it_comes_again(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register()
        start(api)
        run = agent.take()
        agent.send(output(run, 1, "one"), output(run, 2, "two"), output(run, 4, "four"))
        assert agent.closed()[0] == 1008
    with FakeAgent(server, web1) as agent:
        (held,) = agent.register(KnownRun(run_id=run.run_id, command="switch", ended=True, last_seq=4)).runs
        agent.output(run, held.have + 1, 4)
        agent.end(run, 4)
        agent.expect(Ack, lambda ack: ack.ended)
    assert [int(line.split()[0]) for line in log_of(server, run.run_id)] == [1, 2, 3, 4]


def test_another_hosts_run_is_never_touched(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    start(api)
    run = agent.take()
    with FakeAgent(server, server.host("evil"), "evil") as evil:
        (held,) = evil.register(KnownRun(run_id=run.run_id, command="switch", ended=True, last_seq=0)).runs
        assert held.ended is True
        evil.end(run, 0)
        assert evil.closed()[0] == 1008
    assert run_of(api, run.run_id)["state"] == "sent"


def test_the_token_decides_who_a_host_is(server: ServerThread, api: httpx.Client, web1: str) -> None:
    server.host("db1")
    with FakeAgent(server, web1, name="db1") as agent:
        assert agent.register().host_id == "web1"
        views = {host["host_id"]: host["presence"] for host in api.get("/api/v1/hosts").json()["hosts"]}
    assert views == {"web1": "online", "db1": "new"}


def test_the_last_connection_of_a_token_wins(server: ServerThread, api: httpx.Client, web1: str) -> None:
    with FakeAgent(server, web1) as old, FakeAgent(server, web1) as new:
        old.register()
        new.register()
        assert old.expect(Goodbye).reason == "replaced"
        assert old.closed()[0] == 1008
        start(api)
        assert new.take().command == "switch"
        assert api.get("/api/v1/hosts/web1").json()["presence"] == "online"


@pytest.mark.parametrize("change", [hosts.rotate, hosts.remove])
def test_a_host_rotated_or_removed_by_another_process_is_disconnected(
    server: ServerThread, api: httpx.Client, agent: FakeAgent, change: Callable[[Session, str], object]
) -> None:
    server.admin(lambda session: change(session, "web1"))
    assert agent.expect(Goodbye).reason == {"rotate": "revoked", "remove": "removed"}[change.__name__]
    assert agent.closed()[0] == 1008


def test_removing_a_host_ends_its_run_as_lost(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    start(api)
    run = agent.take()
    server.admin(lambda session: hosts.remove(session, "web1"))
    until(lambda: run_of(api, run.run_id)["state"] == "ended", "the run ends")
    assert run_of(api, run.run_id)["result"] == "lost"
    assert api.get("/api/v1/hosts/web1").status_code == 404


def test_output_that_would_break_the_log_file_is_a_tombstone(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    start(api)
    run = agent.take()
    agent.send(output(run, 1, "two\nlines"))
    bad = {
        "run_id": run.run_id,
        "command": "switch",
        "seq": 2,
        "stream": "stdout",
        "at": 1,
        "line": "x" * 20_000,
    }
    agent.socket.send(json.dumps({"type": "output", "payload": bad}))
    agent.send(output(run, 3, "fine"))
    agent.expect(Ack, lambda ack: ack.seq == 3)
    first, second, third = log_of(server, run.run_id)
    assert b"was not kept" in first
    assert b"was not kept" in second
    assert third.endswith(b" o fine")


FAULTS = {
    "not JSON": ("{", 1007),
    "not a message": ("[1]", 1008),
    "a wrong type": ('{"type":"heartbeat","payload":{"at":"soon"}}', 1008),
    "registering twice": ("register", 1008),
    "binary": (b"{}", 1003),
    "ten megabytes": ("x" * 10_000_000, 1009),
    "a run it was never given": (
        json.dumps(
            {
                "type": "progress",
                "payload": {"run_id": "a" * 32, "command": "pull", "progress": {"phase": "x"}},
            }
        ),
        1008,
    ),
    "a batch of 1001": ("[" + ",".join(['{"type":"pong","payload":{"at":1}}'] * 1001) + "]", 1008),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_rule_costs_that_connection_only(
    server: ServerThread, api: httpx.Client, web1: str, fault: str
) -> None:
    frame, wanted = FAULTS[fault]
    with FakeAgent(server, server.host("good"), "good") as good, FakeAgent(server, web1) as bad:
        good.register()
        bad.register()
        if frame == "register":
            bad.send(
                Register(hostname="web1", protocol="1.0", agent_version="1", platform="script", interval=1.0)
            )
        else:
            with suppress(ConnectionClosed):  # the server may be quicker than ten megabytes
                bad.socket.send(frame)
        code, reason = bad.closed(reset=wanted if wanted == 1009 else None)
        assert code == wanted
        assert len(reason.encode()) <= 123
        start(api, host="good")
        assert good.take().command == "switch"
    assert api.get("/readyz").status_code == 200


def test_unknown_message_types_are_ignored(api: httpx.Client, agent: FakeAgent) -> None:
    agent.socket.send('{"type":"later","payload":{"x":1}}')
    start(api)
    assert agent.take()


def test_who_does_not_register_in_time_is_closed(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "data", register_timeout=0.2) as server,
        FakeAgent(server, server.host()) as agent,
    ):
        assert agent.closed()[0] == 1008


def test_who_falls_silent_is_closed_and_shown_offline(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "data", silence_max=0.3) as server,
        server.client(server.token()) as api,
        FakeAgent(server, server.host()) as agent,
    ):
        agent.register()
        assert agent.closed()[0] == 1008
        until(lambda: api.get("/api/v1/hosts/web1").json()["presence"] == "offline", "offline")


def test_an_agent_that_ignores_the_window_is_closed(tmp_path: Path) -> None:
    class Stuck(Files):
        def sync(self, fd: int) -> None:
            released.wait()

    released = threading.Event()
    with (
        serving(tmp_path / "data", files=Stuck()) as server,
        server.client(server.token()) as api,
        FakeAgent(server, server.host()) as agent,
    ):
        agent.register()
        start(api)
        run = agent.take()
        with suppress(ConnectionClosed):
            agent.output(run, 1, 4000)
        code, reason = agent.closed()
        released.set()
    assert (code, "window" in reason) == (1008, True)


def test_presence_follows_heartbeats(server: ServerThread, api: httpx.Client, web1: str) -> None:
    def presence() -> str:
        return str(api.get("/api/v1/hosts/web1").json()["presence"])

    assert presence() == "new"
    with FakeAgent(server, web1) as agent:
        agent.register(interval=0.4)
        assert presence() == "online"
        seen = set()
        until(lambda: seen.add(presence()) or "offline" in seen, "offline after three intervals")
        assert "stale" in seen
        agent.send(Pong(at=wall_clock()))  # the line is there; that says nothing of the agent
        for _ in range(10):
            assert presence() == "offline"
            time.sleep(0.03)
        agent.heartbeat()
        until(lambda: presence() == "online", "back")
    until(lambda: presence() == "offline", "offline when disconnected")


def test_a_heartbeat_without_facts_keeps_the_facts(api: httpx.Client, agent: FakeAgent) -> None:

    agent.heartbeat(facts=Facts(os="NixOS", generation="9"), metrics=Metrics(cpu=1.5))
    agent.heartbeat(metrics=Metrics(cpu=2.5))
    host = until(
        lambda: (
            (h := api.get("/api/v1/hosts/web1").json())["metrics"]
            == {"cpu": 2.5, "ram": None, "swap": None, "load": None, "cores": None}
            and h
        ),
        "metrics",
    )
    assert (host["facts"]["os"], host["facts"]["generation"]) == ("NixOS", "9")


def test_an_agent_of_another_major_is_shown_and_given_only_update(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        registered = agent.register(protocol="9.0", commands=("switch", "update"))
        assert registered.compatible is False
        answer = api.post("/api/v1/hosts/web1/runs", json={"command": "switch"})
        assert (answer.status_code, answer.json()["code"]) == (409, "unsupported_command")
        start(api, "update")
        assert agent.take().command == "update"
        assert api.get("/api/v1/hosts/web1").json()["compatible"] is False


def test_a_rejected_command_ends_rejected(api: httpx.Client, agent: FakeAgent) -> None:
    start(api)
    run = agent.take()
    agent.send(
        Status(run_id=run.run_id, command="switch", status="rejected", at=1, message="pull runs: run abc")
    )
    agent.expect(Ack, lambda ack: ack.ended)
    assert run_of(api, run.run_id)["result"] == "rejected"


def test_a_stop_is_a_run_of_its_own(api: httpx.Client, agent: FakeAgent) -> None:
    start(api)
    run = agent.take()
    agent.begin(run)
    stopping = api.post(f"/api/v1/runs/{run.run_id}/stop").json()
    stop = agent.take("stop")
    assert (stop.run_id, stop.options.target) == (stopping["run_id"], run.run_id)
    agent.end(run, 0, "stopped", exit_code=130, message="stopped by user")
    agent.end(stop, 0)
    agent.expect(Ack, lambda ack: ack.ended and ack.run_id == stop.run_id)
    assert run_of(api, run.run_id)["result"] == "stopped"
    assert api.get("/api/v1/hosts/web1").json()["last_run"]["run_id"] == run.run_id


def test_pings_come_by_themselves(server: ServerThread, agent: FakeAgent) -> None:
    def hurry() -> None:
        connection = server.hub.hosts["web1"].connection
        assert connection
        connection._ping_at = 0.0
        connection.send()

    server.call(hurry)
    assert agent.expect(Ping).at <= time.time() * 1000
