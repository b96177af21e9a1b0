"""Connections as the network makes them: TLS, untrusted certificates, silence, refusals, half a message."""

import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from wsproto.events import TextMessage

from nixfleet_agent import connection as subject
from nixfleet_agent.config import Server
from nixfleet_agent.connection import Connection
from nixfleet_agent.stream import Lost
from nixfleet_protocol import limits
from nixfleet_protocol.messages import Pong
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer
from tests.agent.test_agent import Make
from tests.support.tls import certificate


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[FakeServer, Path]]:
    made, key = certificate(tmp_path / "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made, key)
    server = FakeServer(ssl=context)
    yield server, made
    server.stop()


def text(agent: Agent, words: str) -> str:
    """The agent's log once it holds the words."""
    deadline = time.monotonic() + 30
    while words not in agent.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    return agent.log.read_text()


@pytest.mark.needs("openssl")
def test_everything_goes_over_tls_too(secure: tuple[FakeServer, Path], repo: Repo, agent: Make) -> None:
    server, ca = secure
    repo.commit({"switch": "#!/bin/sh\nseq 1 20000\nhead -c 300000 /dev/urandom\n"})
    one = agent(url=server.url, NIXFLEET_CA_FILE=str(ca))
    server.connected()
    run_id = server.command("pull-switch")

    assert server.ended(run_id).status == "ok"
    assert server.file(run_id) == one.output(run_id)
    assert server.gaps == []


@pytest.mark.needs("openssl")
def test_an_untrusted_certificate_is_refused_and_said(secure: tuple[FakeServer, Path], agent: Make) -> None:
    server, _ = secure
    one = agent(url=server.url)

    assert "certificate is not trusted" in text(one, "not trusted")
    assert not server.registers


@pytest.mark.needs("openssl")
def test_a_missing_ca_file_is_named(secure: tuple[FakeServer, Path], agent: Make, tmp_path: Path) -> None:
    one = agent(url=secure[0].url, NIXFLEET_CA_FILE=str(tmp_path / "nowhere.pem"))

    assert "NIXFLEET_CA_FILE" in text(one, "NIXFLEET_CA_FILE")


def test_a_server_that_is_not_there_is_tried_until_it_is(server: FakeServer, agent: Make) -> None:
    server.stop()
    one = agent()
    said = text(one, "Connection refused")
    server.start()

    server.connected()
    assert "Connection refused" in said


def test_a_host_name_that_does_not_exist_is_said(agent: Make) -> None:
    one = agent(url="https://nowhere.invalid")

    assert "nowhere.invalid can't be found" in text(one, "can't be found")


def test_a_ready_answer_of_something_else_is_explained(server: FakeServer, agent: Make) -> None:
    server.refuse = 404
    one = agent()

    assert "check NIXFLEET_URL" in text(one, "HTTP 404")


def test_a_message_in_many_fragments_is_one(server: FakeServer, agent: Make) -> None:
    agent()
    server.connected()
    filler = "x" * 200_000
    message = f'{{"type":"ping","payload":{{"at":7,"filler":"{filler}"}}}}'
    server.send_fragments([message[at : at + 10_000] for at in range(0, len(message), 10_000)])

    server.wait(lambda: [pong.at for pong in server.of(Pong)] == [7], "the pong")


def test_a_message_too_big_costs_the_connection_not_the_memory(server: FakeServer, agent: Make) -> None:
    one = agent()
    server.connected()
    server.send_fragments(["[" + "1" * 100_000] * 100)

    server.connected(2)
    assert one.process
    assert psutil.Process(one.process.pid).memory_info().rss < 60 * 2**20
    assert server.closes[0][0] in (1009, None)


def test_silence_and_each_phase_have_their_deadline() -> None:
    made = Connection(
        Server("127.0.0.1", 9, False, "/ws/agent"),
        "t",
        None,
        "agent/0",
        opened=lambda: None,
        received=lambda frame: None,
        now=100.0,
    )
    for phase, seconds in {**subject.DEADLINES, "open": limits.SILENCE_MAX}.items():
        made.phase = phase
        assert made.deadline == 100.0 + seconds
        made.check(made.deadline - 0.1)
        with pytest.raises(Lost):
            made.check(made.deadline)


def test_a_connection_lost_while_it_reads_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read makes the agent write, and that is when it learns that the server is gone."""
    ours, theirs = socket.socketpair()
    heard: list[str] = []

    def received(frame: str) -> None:
        heard.append(frame)
        made.abandon()

    made = Connection(
        Server("127.0.0.1", 9, False, "/ws/agent"),
        "t",
        None,
        "agent/0",
        opened=lambda: None,
        received=received,
        now=0.0,
    )
    said = iter([TextMessage("first"), TextMessage("second")])
    monkeypatch.setattr(made._ws, "receive_data", lambda data: None)
    monkeypatch.setattr(made._ws, "events", lambda: said)
    monkeypatch.setattr(made._stream, "socket", ours)
    made.phase = "open"
    theirs.send(b"bytes")

    made.ready(selectors.EVENT_READ, 1.0)

    assert heard == ["first"]
    theirs.close()
