"""A host's load over a day, how long it was there, and what a monitoring system reads."""

import re
from pathlib import Path

import httpx

from nixfleet_protocol.messages import Ack, Metrics
from nixfleet_server.clock import wall_clock
from nixfleet_server.domain.availability import day_of
from nixfleet_server.live.history import KEPT_MS, SAMPLE_MS
from nixfleet_server.store import history, hosts
from nixfleet_server.store.history import Point
from tests.server.support import FakeAgent, ServerThread, problem, serving, start, until

METRICS = Metrics(cpu=12.5, ram=40.0, swap=None, load=0.75)


def shown(api: httpx.Client, host: str = "web1") -> dict[str, list[object]]:
    answer = api.get(f"/api/v1/hosts/{host}/metrics")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_hosts_load_is_kept_over_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        token, script = server.host(), server.token()
        with FakeAgent(server, token) as agent, server.client(script) as api:
            agent.register()
            assert shown(api)["at"] == []
            agent.heartbeat(metrics=METRICS)
            until(lambda: shown(api)["at"], "the first point")
            agent.heartbeat(metrics=METRICS)
            agent.heartbeat()
            before = shown(api)
            assert problem(api.get("/api/v1/hosts/nobody/metrics")) == (404, "no_such_host")
    with serving(tmp_path / "data") as server, server.client(script) as api:
        assert shown(api) == before
    assert before["cpu"][0] == 12.5
    assert before["swap"][0] is None
    assert before["load"][0] == 0.75
    assert len(before["at"]) <= 2, "at most one point each half minute"


def test_a_day_is_kept_and_never_more_points_than_a_chart_takes(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    now = server.hub.now()
    points = [
        ("web1", Point(now - i * SAMPLE_MS, 1.0, 2.0, 3.0, 4.0)) for i in range(2 * KEPT_MS // SAMPLE_MS)
    ]
    server.admin(lambda session: history.write(session, points, [("web1", day_of(now) - 31, 1.0, 1.0)]))
    found = shown(api)
    assert len(found["at"]) == KEPT_MS // SAMPLE_MS
    assert found["at"] == sorted(found["at"])  # type: ignore[type-var]
    assert found["at"][-1] == now
    server.admin(lambda session: history.prune(session, ["web1"], now - KEPT_MS, day_of(now)))
    left = server.admin(lambda session: len(history.points(session, "web1", 0)))
    assert left - KEPT_MS // SAMPLE_MS in (0, 1), "the server itself may just have done so a moment later"
    assert server.admin(history.days) == {}
    server.admin(lambda session: history.prune(session, [], 0, day_of(now)))
    assert len(shown(api)["at"]) > 0
    server.admin(lambda session: hosts.remove(session, "web1"))
    server.admin(lambda session: history.prune(session, [], 0, day_of(now)))
    assert server.admin(lambda session: history.points(session, "web1", 0)) == [], "it goes with its host"


def test_availability_counts_the_time_a_host_was_there(tmp_path: Path) -> None:
    today = day_of(wall_clock())
    with serving(tmp_path / "data") as server:
        server.host()
        server.host("new1")
        server.admin(
            lambda session: history.write(
                session, [], [("web1", today - 1, 50.0, 100.0), ("web1", today - 40, 0.0, 1e6)]
            )
        )
    with serving(tmp_path / "data") as server, server.client(server.token()) as api:
        assert api.get("/api/v1/hosts/web1").json()["availability"] == 50.0
        assert api.get("/api/v1/hosts/new1").json()["availability"] is None, "nothing is known of it"
        stats = api.get("/api/v1/stats").json()
        assert (stats["hosts"], stats["online"], stats["availability"]) == (2, 0, 50.0)


def test_a_connected_host_becomes_more_available(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    assert until(lambda: api.get("/api/v1/hosts/web1").json()["availability"], "a tick or two") == 100.0


def test_deployments_are_counted_by_result(api: httpx.Client, agent: FakeAgent) -> None:
    for command, result in (("switch", "ok"), ("switch", "failed"), ("pull-switch", "ok"), ("pull", "ok")):
        start(api, command)
        run = agent.take()
        agent.begin(run)
        agent.end(run, 0, result)
        agent.expect(Ack, lambda ack: ack.ended)
    stats = api.get("/api/v1/stats").json()
    assert (stats["deployments"], stats["successful"]) == (3, 2)


def test_prometheus_reads_all_of_it(server: ServerThread, api: httpx.Client, agent: FakeAgent) -> None:
    start(api, "switch")
    run = agent.take()
    agent.begin(run)
    agent.output(run, 1, 7)
    agent.end(run, 7, "failed")
    agent.expect(Ack, lambda ack: ack.ended)
    answer = api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = parse(answer.text)
    assert values['nixfleet_hosts{presence="online"}'] == 1
    assert values['nixfleet_runs_ended_total{command="switch",result="failed"}'] == 1
    assert values['nixfleet_run_seconds_count{command="switch"}'] == 1
    assert values['nixfleet_run_seconds_bucket{command="switch",le="+Inf"}'] == 1
    assert values["nixfleet_lines_total"] == 7
    assert values["nixfleet_deployment_success_ratio"] == 0
    assert values['nixfleet_agents{version="0.1.0"}'] == 1
    assert values['nixfleet_queue_depth{queue="lines"}'] == 0
    with server.client() as stranger:
        assert problem(stranger.get("/metrics")) == (401, "not_authenticated")


def test_a_version_that_an_agent_made_up_can_not_break_the_format(
    server: ServerThread, api: httpx.Client, web1: str
) -> None:
    with FakeAgent(server, web1) as agent:
        agent.register(agent_version='1" } x\n\\y 5')
        values = parse(api.get("/metrics").text)
    assert values['nixfleet_agents{version="1\\" } x\\n\\\\y 5"}'] == 1


def parse(text: str) -> dict[str, float]:
    """Every line of the format, strictly."""
    label = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
    sample = re.compile(rf"([a-z_]+(?:\{{{label}(?:,{label})*\}})?) (\S+)")
    values = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if not line.startswith("# "):
            found = sample.fullmatch(line)
            assert found, line
            assert found[1] not in values
            values[found[1]] = float(found[2])
    return values
