"""The server as a process: killed, restarted, told to stop, started twice."""

import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.processes import free_port
from nixfleet_protocol.messages import Ack, Goodbye, KnownRun
from tests.server.support import FakeAgent, FakeBrowser, ServerProcess, login, start, until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data").start()
    yield process
    process.end()


def test_a_killed_server_loses_nothing(server: ServerProcess) -> None:
    token, script = server.host(), server.token()
    with FakeAgent(server, token) as agent, server.client(script) as api:
        agent.register()
        start(api)
        run = agent.take()
        agent.begin(run)
        agent.output(run, 1, 500)
        agent.expect(Ack, lambda ack: ack.seq == 500)
        until(lambda: api.get(f"/api/v1/runs/{run.run_id}").json()["state"] == "running", "it runs")
        agent.output(run, 501, 700)  # these may or may not be there
        server.end(signal.SIGKILL)
    log = server.data / "logs" / f"{run.run_id}.log"
    with log.open("ab") as file:
        file.write(b"701 17000 o torn by the cra")
    server.start()
    with server.client(script) as api:
        view = api.get(f"/api/v1/runs/{run.run_id}").json()
        assert view["state"] == "running"
        assert 500 <= view["lines"] <= 700
        assert api.get("/api/v1/hosts/web1").json()["presence"] == "unreachable"
        with FakeAgent(server, token) as agent, FakeBrowser(server, token=script) as browser:
            (held,) = agent.register(
                KnownRun(run_id=run.run_id, command="switch", ended=True, last_seq=900)
            ).runs
            assert held.have == view["lines"]
            browser.subscribe(run.run_id, held.have)
            agent.output(run, held.have + 1, 900)
            agent.end(run, 900)
            agent.expect(Ack, lambda ack: ack.ended and ack.seq == 900)
        view = api.get(f"/api/v1/runs/{run.run_id}").json()
        assert (view["state"], view["result"], view["lines"]) == ("ended", "ok", 900)
        assert api.get(f"/api/v1/runs/{run.run_id}/log?format=raw").text.splitlines() == [
            f"line {number}" for number in range(1, 901)
        ]
    assert log.read_bytes().count(b"\n") == 900


def test_a_command_that_was_not_delivered_survives_a_kill(server: ServerProcess) -> None:
    token, script = server.host(), server.token()
    with FakeAgent(server, token) as agent, server.client(script) as api:
        agent.register()
        run_id = start(api)["run_id"]
        server.end(signal.SIGKILL)
    server.start()
    with FakeAgent(server, token) as agent:
        agent.register()
        assert agent.take().run_id == run_id


def test_sigterm_says_goodbye_and_exits_0(server: ServerProcess) -> None:
    token, script = server.host(), server.token()
    with FakeAgent(server, token) as agent, FakeBrowser(server, token=script) as browser:
        agent.register()
        assert server.process
        server.process.send_signal(signal.SIGTERM)
        goodbye = agent.expect(Goodbye)
        assert goodbye.reason == "shutdown"
        assert goodbye.retry_max > goodbye.retry_min
        assert agent.closed()[0] == 1012
        assert browser.closed()[0] == 1012
        assert server.end(signal.SIGTERM) == 0


def test_a_login_and_what_a_host_said_survive_a_restart(server: ServerProcess) -> None:
    token = server.host()
    with server.client() as client:
        login(client)
        with FakeAgent(server, token) as agent:
            agent.register()
        assert server.end(signal.SIGTERM) == 0
        server.start()
        host = client.get("/api/v1/hosts/web1").json()
    assert (host["presence"], host["facts"]["os"], host["agent_version"]) == ("offline", "Linux", "0.1.0")


def test_a_second_server_on_the_same_data_refuses(server: ServerProcess) -> None:
    second = subprocess.run(
        [
            sys.executable,
            "-m",
            "nixfleet_server",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            str(server.data),
        ],
        env={"NIXFLEET_PASSWORD_HASH": "$2b$04$" + "a" * 53},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert str(server.data) in second.stderr
    assert "Traceback" not in second.stderr


def test_for_a_while_before_it_leaves_it_only_wants_no_more_connections(tmp_path: Path) -> None:
    """A proxy that checks `/readyz` moves over meanwhile, and no request of its is cut."""
    server = ServerProcess(tmp_path / "data", env={"NIXFLEET_DRAIN": "3"}).start()
    try:
        token, script = server.host(), server.token()
        with FakeAgent(server, token) as agent, server.client(script) as api:
            agent.register()
            assert "connection" not in api.get("/api/v1/hosts").headers
            assert server.process
            server.process.send_signal(signal.SIGTERM)
            until(lambda: api.get("/readyz").status_code == 503, "it is unready")
            answer = api.post("/api/v1/hosts/web1/runs", json={"command": "pull"})
            assert (answer.status_code, answer.headers["connection"]) == (201, "close")
            agent.end(agent.take(), 0)
            agent.expect(Goodbye)
        assert server.end(signal.SIGTERM) == 0
    finally:
        server.end()


def test_a_new_server_listens_at_once_and_answers_when_the_old_one_has_left(tmp_path: Path) -> None:
    old = ServerProcess(tmp_path / "data").start()
    new = ServerProcess(tmp_path / "data", port=free_port(), options=("--wait", "60"))
    try:
        script = old.token()
        old.host()
        new.begin()
        until(lambda: listens(new.port), "it listens")
        new.url = f"http://127.0.0.1:{new.port}"
        with new.client(script) as api, ThreadPoolExecutor(1) as pool:
            early = pool.submit(api.get, "/api/v1/hosts")
            with old.client(script) as before:
                assert before.get("/api/v1/hosts").status_code == 200
            assert not early.done()
            assert old.end(signal.SIGTERM) == 0
            assert [host["host_id"] for host in early.result(60).json()["hosts"]] == ["web1"]
    finally:
        old.end()
        new.end()


@pytest.mark.parametrize("damaged", [False, True], ids=["", "damaged database"])
def test_who_has_been_let_in_is_answered_before_it_leaves(tmp_path: Path, damaged: bool) -> None:
    """A proxy may try again what was refused, but not a DELETE or POST that was cut."""
    data = tmp_path / "data"
    if damaged:
        data.mkdir()
        (data / "nixfleet.db").write_bytes(b"not a database" * 1000)
    server = ServerProcess(data, port=free_port())
    server.begin()
    until(lambda: listens(server.port), "it listens")
    assert server.process
    answers: Counter[str] = Counter()
    port, process = server.port, server.process

    def ask() -> None:
        while process.poll() is None:
            answers[one_delete(port)] += 1

    try:
        with ThreadPoolExecutor(6) as pool:
            asking = [pool.submit(ask) for _ in range(6)]
            until(lambda: answers["answered"] > 100, "requests pass")
            process.send_signal(signal.SIGTERM)
            for each in asking:
                each.result(60)
    finally:
        server.end()
    assert set(answers) <= {"answered", "refused"}, answers


def test_a_word_to_stop_counts_also_while_the_data_is_opened(server: ServerProcess) -> None:
    assert server.end(signal.SIGTERM) == 0
    with contextlib.closing(sqlite3.connect(server.data / "nixfleet.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        server.begin()
        assert server.process
        status = Path(f"/proc/{server.process.pid}/status")
        until(lambda: signal.SIGTERM in caught(status.read_text()), "it listens to signals")
        server.process.send_signal(signal.SIGTERM)
        other.execute("ROLLBACK")
    assert server.process.wait(30) == 0


def caught(status: str) -> set[int]:
    """Numbers of the signals that a process handles, of its /proc/PID/status."""
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def one_delete(port: int) -> str:
    """What becomes of a request on a connection of its own, as a proxy makes it that keeps none."""
    with socket.socket() as connection:
        connection.settimeout(30)
        if connection.connect_ex(("127.0.0.1", port)):
            return "refused"
        try:
            connection.sendall(b"DELETE /api/v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return "answered" if connection.recv(4096) else "cut"
        except OSError as error:
            return repr(error)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
