"""Joining and leaving a fleet as a user, without a supervisor: what is written, and that nothing is left behind."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_agent.enroll.join import quoted
from nixfleet_agent.enroll.place import Refused
from nixfleet_agent.enroll.program import check_program
from nixfleet_agent.environment import parse

PROGRAM = Path(sys.executable).parent / "nixfleet-agent"
Done = subprocess.CompletedProcess[str]
Enroll = Callable[..., Done]


class Server(ThreadingHTTPServer):
    """Takes one token once, as the real one does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, str]] = []
        self.answer: tuple[int, bytes] | None = None
        self.headers: dict[str, str] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked | {"path": self.path})
        body = {"host_id": asked["hostname"], "token": "nfa_its-own"}
        status, raw = self.server.answer or (200, json.dumps(body).encode())
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(raw))} | self.server.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


@pytest.fixture
def agent(tmp_path: Path) -> Enroll:
    """`nixfleet-agent …` of a user with an empty home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)

    def agent(*argv: str, input: str = "") -> Done:
        env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [PROGRAM, *argv], env=env, input=input, capture_output=True, text=True, check=False, timeout=60
        )
        assert "Traceback" not in done.stderr
        return done

    return agent


def left(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())


def enroll(agent: Enroll, url: str, token: str = "nfe_once", *more: str) -> Done:
    return agent("enroll", url, token, "--user", "--no-start", "--hostname", "web1", *more)


def test_the_one_time_token_becomes_files_that_only_the_agent_can_read_where_it_matters(
    agent: Enroll, server: Server, tmp_path: Path
) -> None:
    done = enroll(
        agent, server.url, "nfe_once", "--repo-url", "/srv/my repo", "--set", "NIXFLEET_METRICS=off"
    )

    assert done.returncode == 0, done.stderr
    assert server.asked == [{"token": "nfe_once", "hostname": "web1", "path": "/api/v1/enroll"}]
    config = tmp_path / "home" / ".config" / "nixfleet"
    token = config / "agent.token"
    assert token.read_text() == "nfa_its-own\n"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert parse((config / "agent.env").read_text()) == {
        "NIXFLEET_URL": server.url,
        "NIXFLEET_HOSTNAME": "web1",
        "NIXFLEET_TOKEN_FILE": str(token),
        "NIXFLEET_REPO_URL": "/srv/my repo",
        "NIXFLEET_METRICS": "off",
    }
    unit = (tmp_path / "home" / ".config" / "systemd" / "user" / "nixfleet-agent.service").read_text()
    assert f"ExecStart={PROGRAM} run" in unit
    assert f"EnvironmentFile={config}/agent.env" in unit
    for secret in ("nfa_its-own", "nfe_once"):
        assert secret not in done.stdout + done.stderr + (config / "agent.env").read_text() + unit
        assert secret not in (config / "enrolled.json").read_text()


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], codec="utf-8")))
def test_a_value_is_read_back_from_the_file_as_it_was(value: str) -> None:
    assert parse(f"NIXFLEET_CA_FILE={quoted(value)}\n") == {"NIXFLEET_CA_FILE": value}


def test_unenroll_leaves_nothing(agent: Enroll, server: Server, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert enroll(agent, server.url).returncode == 0
    state = home / ".local" / "state" / "nixfleet-agent" / "repo"
    state.mkdir(parents=True)

    done = agent("unenroll", "--user")

    assert done.returncode == 0, done.stderr
    assert "nixfleet-server host remove web1" in done.stdout
    assert left(home) == []
    assert not state.parent.exists()
    again = agent("unenroll", "--user")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "not enrolled" in again.stderr


def test_the_token_can_come_from_standard_input(agent: Enroll, server: Server) -> None:
    done = agent("enroll", server.url, "-", "--user", "--no-start", "--hostname", "w", input="nfe_piped\n")
    assert done.returncode == 0, done.stderr
    assert server.asked[0]["token"] == "nfe_piped"


def test_who_is_enrolled_is_told_to_leave_first(agent: Enroll, server: Server) -> None:
    enroll(agent, server.url)
    done = enroll(agent, server.url, "nfe_second")
    assert done.returncode == 1
    assert "enrolled already, as web1" in done.stderr
    assert "unenroll" in done.stderr
    assert len(server.asked) == 1, "the second token is not used up"


PROBLEM = {
    "type": "about:blank",
    "title": "Enrolment refused",
    "status": 401,
    "code": "x",
    "detail": "used\x1b[2J",
}
REFUSALS = {
    "used up": (401, json.dumps(PROBLEM).encode(), 4, "enroll-token"),
    "name taken": (
        409,
        json.dumps(PROBLEM | {"status": 409, "detail": "web1 exists"}).encode(),
        1,
        "web1 exists",
    ),
    "another program": (404, b"<html>", 3, "HTTP 404"),
    "nonsense": (200, b"{}", 1, "doesn't answer as a NixFleet server"),
    "redirected": (308, b"", 3, "https://elsewhere.example"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_one_clear_line_and_leaves_nothing(
    agent: Enroll, server: Server, tmp_path: Path, kind: str
) -> None:
    status, raw, code, told = REFUSALS[kind]
    server.answer = (status, raw)
    server.headers = {"Location": "https://elsewhere.example/api"} if status == 308 else {}

    done = enroll(agent, server.url)

    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert told in done.stderr
    assert "\x1b" not in done.stderr
    assert left(tmp_path / "home") == []


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (("http://fleet.example.org", "t"), 2, "plain http"),
        (("fleet.example.org", "t"), 2, "https://fleet.example.org"),
        (("https://127.0.0.1:1", "t"), 3, "can't be reached"),
        (("https://127.0.0.1:1", "a b"), 2, "token"),
        (("https://127.0.0.1:1", "t", "--set", "NIXFLEET_STATE_DIR=/x"), 2, "--set NIXFLEET_STATE_DIR"),
        (("https://127.0.0.1:1", "t", "--set", "NIXFLEET_NONE=1"), 2, "--set NIXFLEET_NONE"),
        (("https://127.0.0.1:1", "t", "--repo-url", "http://git.example.org/x"), 2, "NIXFLEET_REPO_URL"),
        (("https://127.0.0.1:1", "t", "--ssh-key", "relative"), 2, "NIXFLEET_SSH_KEY"),
        (("https://127.0.0.1:1", "t", "--repo-url", "/a\nNIXFLEET_TOKEN=x"), 2, "line break"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    agent: Enroll, tmp_path: Path, argv: tuple[str, ...], code: int, told: str
) -> None:
    done = agent("enroll", *argv, "--user", "--no-start", "--hostname", "web1")
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert told in done.stderr
    assert left(tmp_path / "home") == []


def test_a_unit_of_somebody_else_is_left_alone(agent: Enroll, server: Server, tmp_path: Path) -> None:
    unit = tmp_path / "home" / ".config" / "systemd" / "user" / "nixfleet-agent.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("mine")
    done = enroll(agent, server.url)
    assert done.returncode == 1
    assert str(unit) in done.stderr
    assert unit.read_text() == "mine"
    assert server.asked == []


def test_an_interrupted_enrolment_goes_on_without_a_new_token(
    agent: Enroll, server: Server, tmp_path: Path
) -> None:
    config = tmp_path / "home" / ".config"
    config.mkdir()
    (config / "systemd").write_text("a file where a directory must go")
    first = enroll(agent, server.url)
    assert first.returncode == 1
    assert "needs no new token" in first.stderr
    elsewhere = enroll(agent, "https://127.0.0.1:1")
    assert elsewhere.returncode == 1
    assert f"an enrolment with {server.url} is unfinished" in elsewhere.stderr
    (config / "systemd").unlink()

    second = enroll(agent, server.url)

    assert second.returncode == 0, second.stderr
    assert len(server.asked) == 1
    assert (config / "nixfleet" / "agent.token").read_text() == "nfa_its-own\n"


def test_nothing_is_started_where_no_supervisor_is(agent: Enroll, server: Server, tmp_path: Path) -> None:
    if Path(f"/run/user/{os.getuid()}/systemd").exists():
        pytest.skip("a user manager runs here")
    done = agent("enroll", server.url, "t", "--user", "--hostname", "web1")
    assert done.returncode == 2
    assert "--no-start" in done.stderr
    assert server.asked == []


def test_a_run_under_way_keeps_the_agent(agent: Enroll, server: Server, tmp_path: Path) -> None:
    from nixfleet_agent.lock import Lock

    enroll(agent, server.url)
    state = tmp_path / "home" / ".local" / "state" / "nixfleet-agent"
    state.mkdir(parents=True)
    lock = Lock(str(state / "busy.lock"))
    done = agent("unenroll", "--user")
    assert done.returncode == 1
    assert "--force" in done.stderr
    lock.release()
    assert agent("unenroll", "--user").returncode == 0


@pytest.mark.parametrize("place", ["bin", "bin/nixfleet-agent"])
def test_a_program_that_everybody_can_change_does_not_become_root_s(tmp_path: Path, place: str) -> None:
    program = tmp_path / "bin" / "nixfleet-agent"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / place).chmod(0o777)

    with pytest.raises(Refused, match=f"everybody can change {tmp_path / place}, .*chmod o-w"):
        check_program(str(program))
