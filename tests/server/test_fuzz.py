"""Frames that nobody would send: none of them is a fault of the server's, and none harms anybody else.

A fault of ours is one that reaches the top: a connection closed with 1011, or a traceback in the server's log.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from nixfleet_protocol.messages import AGENT_TO_SERVER, BROWSER_TO_SERVER, Ack
from tests.protocol.strategies import JSON, broken, payload
from tests.server.support import FakeAgent, FakeBrowser, ServerThread, serving, start

RUNS = [f"{number:032x}" for number in range(3)]
fuzz = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def messages(table: dict[str, type]) -> st.SearchStrategy[Any]:
    """Messages of a direction, right and broken. Runs are few, so that they meet."""

    @st.composite
    def make(draw: st.DrawFn) -> Any:
        kind = draw(st.sampled_from(sorted(table)))
        body = draw(payload(table[kind]) | broken(table[kind]))
        if isinstance(body, dict) and isinstance(body.get("run_id"), str):
            body["run_id"] = draw(st.sampled_from(RUNS))
        return {"type": draw(st.sampled_from([kind, kind, kind, "strange"])), "payload": body}

    return make()


def frames(table: dict[str, type]) -> st.SearchStrategy[str | bytes]:
    one = messages(table)
    dumped = (one | st.lists(one, max_size=5) | JSON).map(json.dumps)
    return dumped | st.text(max_size=50) | st.binary(max_size=50)


class Faults(logging.Handler):
    """Errors in the server's log, of whatever library."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


Watched = tuple[ServerThread, str, str, Faults]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    faults = Faults()

    def catch(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        if method in ("error", "exception", "critical"):
            faults.seen.append(repr(event))
        return event

    before = structlog.get_config()
    structlog.configure(processors=[catch, structlog.processors.KeyValueRenderer()])
    logging.getLogger().addHandler(faults)
    data: Path = tmp_path_factory.mktemp("fuzz")
    with serving(data / "data") as server:
        server.host("quiet")
        yield server, server.host(), server.token(), faults
    logging.getLogger().removeHandler(faults)
    structlog.configure(**before)


def send_all(socket: ClientConnection, given_frames: list[str | bytes]) -> int | None:
    """Send them; gives the code that the server closed with, if it did."""
    try:
        for frame in given_frames:
            socket.send(frame)
        answered = socket.ping()
        for _ in range(1000):
            if answered.wait(0.01) or socket.close_code is not None:
                break
    except ConnectionClosed:
        pass
    except UnicodeEncodeError:
        return None  # no frame at all: a lone surrogate can't be sent
    return socket.close_code


@fuzz
@given(st.lists(frames(AGENT_TO_SERVER), max_size=6), st.booleans())
def test_no_frame_of_an_agent_is_a_fault_of_ours(
    watched: Watched, given_frames: list[str | bytes], registers: bool
) -> None:
    server, token, _, faults = watched
    with FakeAgent(server, token) as agent:
        if registers:
            agent.register()
        assert send_all(agent.socket, given_frames) != 1011
    assert faults.seen == []


@fuzz
@given(st.lists(frames(BROWSER_TO_SERVER), max_size=6))
def test_no_frame_of_a_watcher_is_a_fault_of_ours(watched: Watched, given_frames: list[str | bytes]) -> None:
    server, _, script, faults = watched
    with FakeBrowser(server, token=script) as browser:
        assert send_all(browser.socket, given_frames) != 1011
    assert faults.seen == []


def test_afterwards_all_is_well(watched: Watched) -> None:
    server, token, script, faults = watched
    with FakeAgent(server, token) as agent, server.client(script) as client:
        agent.register()
        run_id = start(client)["run_id"]
        run = agent.take("switch")
        agent.output(run, 1, 3)
        agent.end(run, 3)
        agent.expect(Ack, lambda ack: ack.run_id == run_id and ack.ended)
        assert client.get("/readyz").status_code == 200
    assert faults.seen == []
