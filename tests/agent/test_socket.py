"""The resident without privilege: runners that somebody else starts, and all that may be asked of them."""

import contextlib
import json
import os
import pwd
import shutil
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_agent import state
from nixfleet_agent.config import load
from nixfleet_agent.launch import FORGET_MAX
from nixfleet_agent.runner import verbs
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer
from tests.support.activation import Activation

RUN = uuid.uuid4().hex
STRANGER = 54321
HANG = "#!/bin/sh\necho begun\nsetsid sleep 600 &\necho $! >$HOME/orphan\nsleep 600\n"
MakeSplit = Callable[..., "Split"]


class Split:
    """A resident with a state directory of its own, and the runners of another."""

    def __init__(self, base: Path, url: str, repo_url: str, way: str = "systemd") -> None:
        self.roots = base / "root"
        self.socket = base / "runner.sock"
        self.agent = Agent(
            base / "resident",
            url,
            None,
            NIXFLEET_STATE_DIR=str(self.roots),
            NIXFLEET_RESIDENT_DIR=str(base / "resident"),
            NIXFLEET_RUNNER_SOCKET=str(self.socket),
        )
        user = psutil.Process().username()
        ours = {"NIXFLEET_REPO_URL": repo_url, "NIXFLEET_RESIDENT_USER": user}
        drop = ("NIXFLEET_URL", "NIXFLEET_TOKEN")
        env = {name: value for name, value in self.agent.env.items() if name not in drop}
        self.log = base / "runners.log"
        self.activation = Activation(self.socket, env | ours, self.log, way=way)
        self.base = base

    def ask(self, raw: bytes | dict[str, Any]) -> dict[str, Any]:
        """One request on a connection of its own, and the answer; empty when the runner says nothing."""
        line = raw if isinstance(raw, bytes) else json.dumps(raw).encode() + b"\n"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(30)
            connection.connect(str(self.socket))
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(line)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while data := connection.recv(65536):
                    answer += data
        return dict(json.loads(answer)) if answer else {}

    def output(self, run_id: str) -> bytes:
        return (self.roots / "runs" / run_id / "output").read_bytes()

    def close(self) -> None:
        self.agent.clean_up()
        self.activation.close()


@pytest.fixture
def split(server: FakeServer, repo: Repo) -> Iterator[MakeSplit]:
    made: list[Split] = []
    base = Path(tempfile.mkdtemp(prefix="nf"))  # not tmp_path: a stranger must get as far as the socket
    base.chmod(0o755)

    def make(way: str = "systemd") -> Split:
        made.append(Split(base, server.url, str(repo.path), way))
        return made[-1]

    yield make
    for one in made:
        one.close()
    shutil.rmtree(base)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("way", ["systemd", "inetd"])
def test_a_switch_through_the_socket_is_the_same_as_ever(
    way: str, server: FakeServer, repo: Repo, split: MakeSplit
) -> None:
    repo.commit({"switch": "#!/bin/sh\necho out $NIXFLEET_HOSTNAME\necho err >&2\nenv\n"})
    one = split(way)
    one.agent.start()
    server.connected()

    run_id = server.command("pull-switch")
    end = server.ended(run_id)

    assert (end.status, end.exit_code) == ("ok", 0)
    assert server.file(run_id) == one.output(run_id)
    assert b"out web1\n" in server.raw(run_id)
    assert b"LISTEN" not in server.raw(run_id)
    assert server.gaps == []
    server.wait(lambda: any(facts.commit for facts in server.facts()), "facts through the socket")


def test_the_resident_writes_only_its_own_directory(server: FakeServer, split: MakeSplit) -> None:
    one = split()
    one.agent.start()
    server.connected()
    done = server.command("pull")
    server.ended(done)
    stop = server.command("stop")
    end = server.ended(stop)

    assert end.status == "failed"  # there was nothing to stop; that it says so needs no runner
    assert sorted(path.name for path in (one.base / "resident" / "runs").iterdir()) == [stop]
    assert [path.name for path in (one.roots / "runs").iterdir()] == [done]
    assert not (one.roots / "status.json").exists()
    assert not (one.roots / "agent.lock").exists()
    assert (one.roots / "runs" / done / "output").stat().st_mode & 0o777 == 0o640
    assert one.roots.stat().st_mode & 0o7777 == 0o2750


def test_a_delivered_run_is_forgotten_at_root_s(server: FakeServer, split: MakeSplit) -> None:
    one = split()
    one.agent.start()
    server.connected()
    run_id = server.command("pull")
    server.ended(run_id)

    server.wait(lambda: (one.roots / "delivered" / run_id).exists(), "the word that the server has it")


def test_a_killed_resident_adopts_the_run_and_can_stop_it(
    server: FakeServer, repo: Repo, split: MakeSplit
) -> None:
    repo.commit({"switch": HANG})
    one = split()
    one.agent.start()
    server.connected()
    run_id = server.command("pull-switch")
    server.wait(lambda: b"begun\n" in server.raw(run_id), "the first line")
    one.agent.kill()
    one.agent.start()
    server.connected(2)

    stop = server.command("stop", target=run_id)

    assert server.ended(run_id).status == "stopped"
    assert server.ended(stop).status == "ok"
    assert gone(int((one.base / "orphan").read_text()))
    assert server.file(run_id) == one.output(run_id)


def test_a_forced_stop_leaves_nothing_alive(server: FakeServer, repo: Repo, split: MakeSplit) -> None:
    repo.commit({"switch": HANG})
    one = split()
    one.agent.start()
    server.connected()
    run_id = server.command("pull-switch")
    server.wait(lambda: b"begun\n" in server.raw(run_id), "the first line")

    said = one.ask({"verb": "stop", "run_id": run_id, "force": True})

    assert said == {"signalled": server.begun[run_id].pid}
    assert server.ended(run_id).status == "interrupted"
    assert gone(int((one.base / "orphan").read_text()))


def test_the_resident_knows_from_root_what_the_repository_lets_the_host_do(
    server: FakeServer, repo: Repo, split: MakeSplit
) -> None:
    repo.commit({"rollback": "#!/bin/sh\necho back\n"})
    one = split()
    one.agent.start()
    server.connected()
    server.ended(server.command("pull"))
    one.agent.kill()
    one.agent.start()
    server.connected(2)

    assert "rollback" in server.registers[-1].commands


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to a group")
def test_what_an_agent_left_before_it_was_separated_is_shared_once(tmp_path: Path) -> None:
    (tmp_path / "runs" / RUN).mkdir(parents=True, mode=0o700)
    for name in ("output", "raw.o", "request.json"):
        (tmp_path / "runs" / RUN / name).touch(mode=0o600)
    (tmp_path / "busy.lock").touch(mode=0o600)
    (tmp_path / "repo").mkdir(mode=0o700)
    config = load({"NIXFLEET_STATE_DIR": str(tmp_path), "NIXFLEET_RESIDENT_USER": "nobody"}, connects=False)
    group = pwd.getpwnam("nobody").pw_gid
    here = Path.cwd()

    state.enter(config)
    os.chdir(here)

    def mode(name: str) -> tuple[int, int]:
        found = (tmp_path / name).stat()
        return found.st_mode & 0o7777, found.st_gid

    assert mode(".") == mode("runs") == mode(f"runs/{RUN}") == (0o2750, group)
    assert mode(f"runs/{RUN}/output") == mode("busy.lock") == (0o640, group)
    assert mode(f"runs/{RUN}/raw.o") == (0o600, 0)
    assert mode("repo") == (0o700, 0)


BAD: list[Any] = [
    {"verb": "dance"},
    {"verb": "run", "run_id": "../../etc", "command": "pull"},
    {"verb": "run", "run_id": RUN, "command": "sh"},
    {"verb": "run", "run_id": RUN, "command": "stop"},
    {"verb": "run", "run_id": RUN, "command": "pull", "options": {"ref": "--upload-pack=sh"}},
    {"verb": "run", "run_id": RUN, "command": "pull", "options": {"ref": "a b"}},
    {"verb": "stop"},
    {"verb": "stop", "run_id": RUN, "force": "yes"},
    {"verb": "settle", "run_id": RUN, "have": -1},
    {"verb": "forget", "run_ids": ["../x"]},
    {"verb": "forget", "run_ids": [RUN] * (FORGET_MAX + 1)},
    {"verb": 7},
    [],
    b"not json\n",
    b"\xff\xfe\n",
    b"x" * 20_000 + b"\n",
    b'{"verb": "facts"}',  # no end of line, then the end
]


@pytest.mark.parametrize("raw", BAD)
def test_what_is_no_request_is_refused_in_one_answer(raw: Any, split: MakeSplit) -> None:
    one = split()
    line = raw if isinstance(raw, bytes) else json.dumps(raw).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(one.socket))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert json.loads(connection.recv(65536))["refused"] == "invalid"
    for runner in one.activation.runners:
        assert runner.wait(30) == 1
    assert b"Traceback" not in one.log.read_bytes()
    assert list((one.roots / "runs").iterdir()) == []


@given(
    st.one_of(
        st.binary(max_size=200),
        st.dictionaries(
            st.sampled_from(["verb", "run_id", "run_ids", "command", "options", "have", "force"]),
            st.one_of(
                st.none(), st.booleans(), st.integers(), st.text(max_size=40), st.lists(st.text(), max_size=3)
            ),
        ).map(lambda body: json.dumps(body).encode()),
    )
)
def test_nothing_but_a_request_is_read_as_one(raw: bytes) -> None:
    try:
        ask = verbs.parse(raw)
    except ValueError:
        return
    names = getattr(ask, "run_ids", None) or (getattr(ask, "run_id", RUN),)
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_refused_whatever_he_asks(split: MakeSplit) -> None:
    one = split()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(30)
    with one.activation.hold:
        os.seteuid(STRANGER)
        try:
            connection.connect(str(one.socket))
        finally:
            os.seteuid(0)
    with connection:
        with contextlib.suppress(BrokenPipeError):  # he may be refused before he has asked
            connection.sendall(json.dumps({"verb": "run", "run_id": RUN, "command": "pull"}).encode() + b"\n")
        answer = json.loads(connection.recv(65536))

    assert answer["refused"] == "denied"
    assert str(STRANGER) in answer["message"]
    assert not (one.roots / "runs" / RUN).exists()


def test_a_client_that_goes_away_costs_nothing(server: FakeServer, split: MakeSplit) -> None:
    one = split()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(one.socket))
        connection.sendall(json.dumps({"run_id": RUN, "command": "pull"}).encode() + b"\n")
    server.wait((one.roots / "runs" / RUN / "request.json").exists, "the claim")
    one.agent.start()
    server.connected()

    assert server.ended(RUN).status == "ok"  # claimed and done, though nobody was there for the answer


def test_runners_that_are_not_there_are_told_as_such(server: FakeServer, split: MakeSplit) -> None:
    one = split()
    one.activation.close()
    one.socket.unlink()
    one.agent.start()
    server.connected()

    end = server.ended(server.command("pull"))

    assert end.status == "failed"
    assert "no runner can be started" in (end.message or "")
