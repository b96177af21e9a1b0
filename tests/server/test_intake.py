"""What strangers can't hold: many connections, half requests, files of the server's own user."""

import resource
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.server.support import (
    HASH,
    PASSWORD,
    PATIENCE,
    Peer,
    ServerProcess,
    problem,
    serving,
)


def dial(server: Peer) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def is_dropped(stranger: socket.socket) -> bool:
    """Whether the server has ended the connection; waits until it has, or says something."""
    try:
        return stranger.recv(1) == b""
    except ConnectionResetError:
        return True


def is_dropped_dripping(stranger: socket.socket) -> bool:
    """Whether the server ends the connection while bytes keep coming, one by one."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(0.05)
        try:
            stranger.sendall(b"x")
        except OSError:
            return True
    return False


def test_connections_beyond_the_most_are_dropped_until_others_end(tmp_path: Path) -> None:
    with serving(tmp_path / "data", connections_max=3, head_timeout=60.0) as server:
        held = [dial(server) for _ in range(3)]
        with dial(server) as late:
            assert is_dropped(late)
        held.pop().close()
        deadline = time.monotonic() + PATIENCE
        answer = b""
        while not answer and time.monotonic() < deadline:
            with dial(server) as again:
                try:
                    again.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                    answer = again.recv(100)
                except OSError:
                    continue
        assert answer.startswith(b"HTTP/1.1 200")
        for stranger in held:
            stranger.close()


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /livez HTTP/1.1\r\nHost:", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez"],
    ids=["nothing", "half a head", "half a second head"],
)
def test_who_sends_no_whole_head_is_dropped(tmp_path: Path, said: bytes) -> None:
    with serving(tmp_path / "data", head_timeout=0.5) as server, dial(server) as stranger:
        stranger.sendall(said)
        assert is_dropped_dripping(stranger)


def test_who_is_answered_before_the_body_came_is_dropped(tmp_path: Path) -> None:
    with serving(tmp_path / "data", head_timeout=0.5) as server, dial(server) as stranger:
        stranger.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert stranger.recv(12) == b"HTTP/1.1 200"
        assert is_dropped_dripping(stranger)


def test_a_slow_request_that_was_whole_and_an_idle_socket_stay(tmp_path: Path) -> None:
    with serving(tmp_path / "data", head_timeout=2.0) as server, server.client() as client:
        token = server.host()  # making a host takes its time, which isn't the request's
        for _ in range(3):
            assert client.get("/livez").status_code == 200
            time.sleep(0.8)
        with dial(server) as stranger:
            stranger.sendall(b"GET /ws/agent HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
            stranger.sendall(f"Authorization: Bearer {token}\r\nConnection: upgrade\r\n".encode())
            stranger.sendall(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"a" * 22 + b"==\r\n\r\n")
            assert stranger.recv(12) == b"HTTP/1.1 101"
            time.sleep(2.5)
            stranger.settimeout(0.2)
            said = []
            with suppress(TimeoutError):
                while piece := stranger.recv(1000):
                    said.append(piece)
                said.append(b"the end")
            assert b"the end" not in said


def test_a_body_has_to_come_in_time(tmp_path: Path) -> None:
    with serving(tmp_path / "data", body_timeout=0.3) as server, dial(server) as stranger:
        stranger.sendall(b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answer = b""
        while piece := stranger.recv(4096):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"too_slow"' in answer


def test_a_login_is_counted_before_its_body_is_read(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, server.client() as client:
        held = [dial(server) for _ in range(5)]
        for stranger in held:
            stranger.sendall(b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n")
            stranger.sendall(b"Content-Length: 100\r\n\r\n")
            assert stranger.recv(12) == b"HTTP/1.1 100"  # it begins to read
        answer = client.post("/api/v1/session", json={"password": PASSWORD})
        assert problem(answer) == (429, "too_many_logins")
        for stranger in held:
            stranger.close()


def test_a_logins_body_is_small(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, server.client() as client:
        answer = client.post("/api/v1/session", json={"password": "x", "more": "x" * 4096})
        assert problem(answer) == (413, "too_large")


def test_the_database_is_for_its_user_only(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "nixfleet_server", "host", "add", "web1", "--data-dir", str(tmp_path)]
    env = {"NIXFLEET_PASSWORD_HASH": HASH}
    subprocess.run(["/bin/sh", "-c", 'umask 022; exec "$@"', "sh", *argv], env=env, check=True, timeout=60)
    assert stat.S_IMODE((tmp_path / "nixfleet.db").stat().st_mode) == 0o600


def test_the_server_takes_all_the_files_it_may_open(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        server = ServerProcess(tmp_path / "data").start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with ExitStack() as stack:
        stack.callback(server.end)
        for _ in range(100):
            stack.enter_context(dial(server))
        with server.client() as client:
            assert client.get("/livez").status_code == 200
