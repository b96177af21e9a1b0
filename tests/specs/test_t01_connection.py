"""Spec T01, connection: registering, a refused token, an absent server, a lost one, leaving, nonsense, two of one name."""

import json
import signal
import time
from collections.abc import Callable

import pytest

from demo.processes import Agent, Process, free_port
from nixfleet_agent.__about__ import __version__
from tests.support.lab import Lab, until
from tests.support.proxy import Proxy

Proxied = Callable[..., tuple[Agent, Proxy]]


@pytest.fixture(scope="module")
def web(fleet: Lab) -> Agent:
    """An ordinary host."""
    return fleet.agent("t01-web", {"switch": "true"}, NIXFLEET_INTERVAL="2")


def events(agent: Agent) -> list[dict[str, object]]:
    """The agent's own log, a line an event."""
    return [json.loads(line) for line in agent.process.log.read_text().splitlines() if line.startswith("{")]


def connections(agent: Agent) -> int:
    """How often it has registered."""
    return sum(event["event"] == "connected" for event in events(agent))


def close_codes(said: bytes) -> list[int]:
    """Codes of the close frames that a client sent (RFC 6455 section 5: masked, at most 125 bytes)."""
    codes = []
    while said:
        if said.startswith(b"GET "):  # the handshake of a connection
            said = said.partition(b"\r\n\r\n")[2]
            continue
        wide = {126: 2, 127: 8}.get(said[1] & 0x7F, 0)
        size = int.from_bytes(said[2 : 2 + wide]) if wide else said[1] & 0x7F
        mask, payload = said[2 + wide : 6 + wide], said[6 + wide : 6 + wide + size]
        if said[0] == 0x88:
            codes.append(int.from_bytes(bytes(a ^ b for a, b in zip(payload[:2], mask, strict=False))))
        said = said[6 + wide + size :]
    return codes


def test_an_agent_registers_and_says_what_it_is(fleet: Lab, web: Agent) -> None:
    host = until(lambda: (h := fleet.client.host(web.name)).facts and h.facts.os and h, "its facts")

    assert (host.presence, host.connected, host.interval) == ("online", True, 2.0)
    assert (host.agent_version, host.platform, host.compatible) == (__version__, "script", True)
    assert {"pull", "switch", "pull-switch", "test", "stop", "restart"} <= set(host.commands)


def test_a_refused_token_is_told_retried_ever_more_slowly_and_mended_without_a_restart(fleet: Lab) -> None:
    token = fleet.server.add_host("t01-badtoken")
    source = fleet.repository("t01-badtoken", {"switch": "true"})
    agent = Agent(fleet.directory / "t01-badtoken", "t01-badtoken", fleet.server.url, "wrong", str(source))
    fleet.agents.append(agent)
    agent.start()

    refused = until(
        lambda: (e := [e for e in events(agent) if "HTTP 401" in str(e.get("reason"))]) and len(e) > 2 and e,
        "three refusals",
    )
    assert "host rotate" in str(refused[0]["reason"])  # it says what to do
    waits = [float(str(e["retry_in"])) for e in refused]
    assert all(wait <= 2.0**n for n, wait in enumerate(waits)), waits  # 1, 2, 4… seconds at most
    assert not fleet.client.host("t01-badtoken").connected
    (agent.directory / "token").write_text(token)

    fleet.online("t01-badtoken")


def test_an_agent_started_before_its_server_connects_when_it_comes(fleet: Lab) -> None:
    port = free_port()
    token = fleet.server.add_host("t01-early")
    source = fleet.repository("t01-early", {"switch": "true"})
    agent = Agent(fleet.directory / "t01-early", "t01-early", f"http://127.0.0.1:{port}", token, str(source))
    fleet.agents.append(agent)
    agent.start()
    until(lambda: "Connection refused" in agent.process.log.read_text(), "a first try")
    proxy = Proxy(fleet.server.port, port)
    try:
        fleet.online("t01-early")
    finally:
        proxy.close()


def test_a_broken_connection_is_made_again_and_registered_anew(fleet: Lab, proxied: Proxied) -> None:
    agent, proxy = proxied("t01-cut", {"switch": "true"})
    before = connections(agent)

    proxy.sever(1.0)

    until(lambda: connections(agent) > before, lambda: f"registered once more\n{agent.process.tail()}")
    fleet.online("t01-cut")


@pytest.mark.long
def test_a_connection_that_falls_silent_is_lost_within_45_seconds(fleet: Lab, proxied: Proxied) -> None:
    agent, proxy = proxied("t01-silent", {"switch": "true"})
    proxy.hold()
    began = time.monotonic()
    until(lambda: not fleet.client.host("t01-silent").connected, "the server noticed", timeout=90)
    until(
        lambda: "nothing was heard" in agent.process.log.read_text(),
        lambda: f"the agent noticed\n{agent.process.tail()}",
        timeout=90,
    )
    assert time.monotonic() - began < 45 + 15  # the limit, the last ping before it, and a busy machine
    proxy.release()

    fleet.online("t01-silent")


def test_sigterm_closes_with_1000_and_exits_with_0(fleet: Lab, proxied: Proxied) -> None:
    agent, proxy = proxied("t01-leaves", {"switch": "true"})

    assert agent.process.end(signal.SIGTERM) == 0

    assert close_codes(bytes(proxy.said))[-1:] == [1000]
    until(lambda: fleet.client.host("t01-leaves").presence == "offline", "offline at once", timeout=20)


def test_nonsense_from_the_server_never_ends_the_agent_and_an_unknown_type_not_even_the_connection(
    fleet: Lab, proxied: Proxied
) -> None:
    agent, proxy = proxied("t01-nonsense", {"switch": "true"})
    pid = agent.process.pid

    unknown = b'{"type":"of_another_time","payload":{}}'
    proxy.inject(bytes([0x81, len(unknown)]) + unknown)
    assert fleet.client.run("t01-nonsense", "switch").wait(60).result == "ok"
    assert connections(agent) == 1
    for count, nonsense in enumerate((b"{nonsense", b"\xff\xfe"), 2):
        proxy.inject(bytes([0x81, len(nonsense)]) + nonsense)
        until(lambda count=count: connections(agent) == count, "back after the nonsense")

    assert agent.process.alive()
    assert agent.process.pid == pid
    assert fleet.client.run("t01-nonsense", "switch").wait(60).result == "ok"


def test_of_two_agents_with_one_token_the_last_wins_and_the_first_is_told(fleet: Lab) -> None:
    first = fleet.agent("t01-twice", {"switch": "echo first"})
    second = Agent(
        first.directory / "second", first.name, first.url, first.token, first.repository, first.extra
    )
    fleet.agents.append(second)
    second.start()

    until(
        lambda: "another agent connected with this host's token" in first.process.log.read_text(),
        "the first agent was told",
    )
    until(lambda: any(e["event"] == "connected" for e in events(second)), "the second registered")
    ended = until(
        lambda: [e for e in events(first) if e["event"] == "not connected"], "the first lost its connection"
    )
    assert float(str(ended[-1]["retry_in"])) >= 30  # no tug of war
    assert fleet.client.host("t01-twice").connected
    run = fleet.client.run("t01-twice", "switch")
    assert run.wait(60).result == "ok"
    assert second.journal(run.id).is_dir()
    assert not first.journal(run.id).exists()


def test_a_second_agent_on_one_state_directory_refuses_and_names_the_first(web: Agent) -> None:
    again = Process(web.process.argv, web.environment, web.directory / "again.log")
    again.start()
    assert again.popen

    assert again.popen.wait(30) == 2

    assert f'"pid": {web.process.pid}' in again.log.read_text()
    assert web.process.alive()


def test_a_killed_agent_is_back_and_heartbeating_within_30_seconds(fleet: Lab, web: Agent) -> None:
    """NFR-2.3, with a supervisor that starts it again at once."""
    web.process.end(signal.SIGKILL)
    seen = fleet.client.host(web.name).last_seen_at or 0

    web.start()

    until(
        lambda: (h := fleet.client.host(web.name)).presence == "online" and (h.last_seen_at or 0) > seen,
        "heartbeats again",
        timeout=30,
    )
