"""Who floods harms only himself: the others are served as before."""

import json
import socket
import time
from base64 import b64encode
from contextlib import suppress

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nixfleet_protocol import limits
from nixfleet_protocol.messages import Ack, Heartbeat
from nixfleet_server.domain.pace import Pace
from tests.server.support import FakeAgent, FakeBrowser, ServerThread, problem, start, until


def test_a_flood_of_heartbeats_costs_that_connection(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    with FakeAgent(server, server.host("loud"), "loud") as loud:
        loud.register()
        with suppress(ConnectionClosed):
            for _ in range(100):
                loud.send(*[Heartbeat(at=1)] * 200)
        code, reason = loud.closed(reset=1008)
        assert code == 1008, reason
    agent.heartbeat()
    assert api.get("/api/v1/hosts/web1").json()["presence"] == "online"


def test_honest_talk_is_never_cut(server: ServerThread, agent: FakeAgent) -> None:
    """The results of as many runs as an agent may hold, begun and ended, all at once, and then its heartbeats."""
    agent.send(*[Heartbeat(at=1)] * (2 * limits.RUNS_MAX))
    for _ in range(5):
        agent.heartbeat()
        time.sleep(limits.INTERVAL_MIN)
    assert agent.quiet() == []


def test_a_flood_of_refused_records_costs_that_connection(server: ServerThread, api: httpx.Client) -> None:
    with FakeAgent(server, server.host("loud"), "loud") as loud:
        loud.register()
        start(api, "switch", "loud")
        run = loud.take()
        bad = {"run_id": run.run_id, "command": "switch", "stream": "stdout", "at": 1, "line": "a\nb"}

        with suppress(ConnectionClosed):
            for first in range(1, 20_000, 100):
                batch = [{"type": "output", "payload": bad | {"seq": first + i}} for i in range(100)]
                loud.socket.send(json.dumps(batch))
        assert loud.closed(reset=1008)[0] in (1008, 1002)


def test_a_flood_of_pings_is_cut_off(server: ServerThread, api: httpx.Client, web1: str) -> None:
    """Pings that are never read cost the server its answers' memory; those that are cost it its time."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        key = b64encode(b"0123456789abcdef").decode()
        raw.sendall(
            (
                f"GET /ws/agent HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {web1}\r\n\r\n"
            ).encode()
        )
        assert b"101" in raw.recv(4096)
        ping = b"\x89\x80\x00\x00\x00\x00"

        def flood() -> None:
            for _ in range(10_000):
                raw.sendall(ping * 100)
                time.sleep(0.001)

        with pytest.raises(OSError, match=r"reset|Broken"):
            flood()
    assert api.get("/readyz").status_code == 200


def test_one_token_opens_so_many_sockets_and_no_more(server: ServerThread) -> None:
    token, other = server.token("many"), server.token("other")
    opened = [FakeBrowser(server, token=token) for _ in range(limits.WATCHERS_MAX)]
    try:
        with pytest.raises(InvalidStatus) as refused:
            FakeBrowser(server, token=token)
        assert refused.value.response.status_code == 429
        with FakeBrowser(server, token=other):
            pass
    finally:
        for browser in opened:
            browser.socket.close()
    until(lambda: server.call(lambda: len(server.hub.browsers)) == 0, "they are gone")
    with FakeBrowser(server, token=token):
        pass


def test_readyz_tries_and_does_not_only_look(server: ServerThread, api: httpx.Client, web1: str) -> None:
    """A database that can be read but not written, as on a full disk; and a hub that something holds up for ever."""
    assert api.get("/readyz").json() == {"status": "ok", "reasons": []}

    def full() -> None:
        server.hub.db.read_now(lambda s: s.connection().exec_driver_sql("PRAGMA query_only = ON"))

    server.call(full)
    answer = until(lambda: (a := api.get("/readyz")).status_code == 503 and a, "it is noticed")
    assert "store" in answer.json()["reasons"]
    refused = api.post("/api/v1/hosts/web1/runs", json={"command": "pull", "options": {"queue": True}})
    assert problem(refused) == (503, "unavailable")
    assert api.get("/api/v1/hosts").status_code == 200, "what can be read is still shown"
    server.call(
        lambda: server.hub.db.read_now(lambda s: s.connection().exec_driver_sql("PRAGMA query_only = OFF"))
    )
    until(lambda: api.get("/readyz").status_code == 200, "and that it is over")
    server.call(lambda: server.hub.spawn(server.hub._loading.acquire()))
    answer = until(lambda: (a := api.get("/readyz")).status_code == 503 and a, "it is noticed")
    assert "hub" in answer.json()["reasons"]
    server.call(server.hub._loading.release)


def test_a_host_can_not_fill_the_disk_with_many_runs(
    server: ServerThread, api: httpx.Client, agent: FakeAgent
) -> None:
    """Each of its runs is within its limit; all of them together are not."""
    server.call(lambda: setattr(server.hub.hosts["web1"], "quota", Pace(0, 4000, 0.0)))
    for _ in range(2):
        start(api)
        run = agent.take()
        agent.output(run, 1, 40, line="ten chars!")
        agent.end(run, 40)
        agent.expect(Ack, lambda ack: ack.ended)
    start(api)
    run = agent.take()
    agent.output(run, 1, 40, line="ten chars!")
    code, reason = agent.closed()
    assert (code, "one host" in reason) == (1008, True)
