"""What broke in the earlier NixFleet and has no better place: see docs/original-bugs.md, which numbers them."""

import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nixfleet_agent import system
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer
from tests.agent.test_repository import Clone

Make = Callable[..., Agent]
SOURCE = Path(system.__file__).parent
HELD = "#!/bin/sh\necho began\nwhile ! [ -e ../go ]; do sleep 0.1; done\necho ended\nexit 3\n"


def test_04_the_death_of_the_agent_s_process_group_leaves_the_command_running(
    server: FakeServer, repo: Repo, agent: Make
) -> None:
    """As `launchctl bootout` does it: SIGKILL to the job's whole group."""
    repo.commit({"switch": HELD})
    made = agent()
    server.connected()
    run_id = server.command("switch")
    server.wait(lambda: b"began" in server.raw(run_id), "the switch's first line")
    runner = server.begun[run_id].pid
    assert runner
    assert os.getpgid(runner) == runner == os.getsid(runner)
    made.process.send_signal(signal.SIGKILL)  # type: ignore[union-attr]
    for process in made.processes():
        if os.getpgid(process.pid) == made.process.pid:  # type: ignore[union-attr]
            process.kill()
    made.process.wait(20)  # type: ignore[union-attr]
    (made.state / "go").touch()

    made.start()

    status = server.ended(run_id)
    assert (status.status, status.exit_code) == ("failed", 3)
    assert server.raw(run_id, "stdout") == b"began\nended\n"


def test_08_output_goes_to_files_and_outlives_the_agent(server: FakeServer, repo: Repo, agent: Make) -> None:
    script = "#!/bin/sh\n[ -f /proc/self/fd/1 ] && [ -f /proc/self/fd/2 ] && echo files\n" + HELD[10:]
    repo.commit({"switch": script})
    made = agent()
    server.connected()
    run_id = server.command("switch")
    server.wait(lambda: b"began" in server.raw(run_id), "the switch's first line")
    made.kill()
    (made.state / "go").touch()
    result = made.run_dir(run_id) / "result.json"
    server.wait(result.exists, "an end that nobody watched")

    made.start()

    assert server.ended(run_id).exit_code == 3
    assert server.raw(run_id, "stdout") == b"files\nbegan\nended\n"


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs a mount namespace: Linux, as root"
)
def test_09_a_name_that_resolves_only_later_is_connected_to(
    server: FakeServer, repo: Repo, agent: Make, tmp_path: Path
) -> None:
    """DNS is not there at boot. The agent runs in a mount namespace with a hosts file of its own."""
    hosts, resolv = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    wrapper = tmp_path / "in-namespace"
    wrapper.write_text(
        f"#!/bin/sh\nmount --bind {hosts} /etc/hosts && mount --bind {resolv} /etc/resolv.conf && "
        f'exec {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o755)
    made = agent(url="http://localhost:1", state="elsewhere")
    made.kill()
    made.env |= {
        "NIXFLEET_URL": f"http://fleet.example.test:{server.port}",
        "NIXFLEET_ALLOW_PLAIN_HTTP": "1",
    }
    with made.log.open("ab") as log:
        made.process = subprocess.Popen(
            ["unshare", "--mount", str(wrapper), "-P", "-m", "nixfleet_agent", "run"],
            env=made.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    server.wait(lambda: "fleet.example.test can't be found" in made.log.read_text(), "a name not found")

    with hosts.open("a") as file:  # in place: a new file would not be the one that is mounted
        file.write("127.0.0.1 fleet.example.test\n")

    server.connected()


def test_11_nothing_calls_sudo() -> None:
    assert [path.name for path in SOURCE.rglob("*.py") if "sudo" in path.read_text()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("kind", ["origin", "clone", "checkout"])
def test_12_a_repository_of_another_user_is_worked_with(repo: Repo, tmp_path: Path, kind: str) -> None:
    """`pull`, and the questions that facts ask, whoever owns the files; and nobody's global git settings help."""
    checkout = tmp_path / "checkout"
    repo.git("clone", "--quiet", str(repo.path), str(checkout))
    given = (
        {"NIXFLEET_REPO_DIR": str(checkout)} if kind == "checkout" else {"NIXFLEET_REPO_URL": str(repo.path)}
    )
    clone = Clone(tmp_path / "state", **given)
    if kind == "clone":
        clone.pull()
    place = {"origin": repo.path, "clone": clone.path, "checkout": checkout}[kind]
    head = repo.commit({"a": "1"})
    for path in (place, *place.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)

    assert clone.pull() == head
    assert clone.repository.problem() is None


def test_14_an_idle_agent_never_starts_nix(
    server: FakeServer, repo: Repo, agent: Make, tmp_path: Path
) -> None:
    folder, called = tmp_path / "bin", tmp_path / "called"
    folder.mkdir()
    for name in ("nix", "nix-build", "nix-env", "nix-instantiate", "nixos-rebuild", "darwin-rebuild"):
        (folder / name).write_text(f"#!/bin/sh\necho {name} >> {called}\n")
        (folder / name).chmod(0o755)
    repo.commit({"flake.nix": "{ outputs = _: { }; }"}, executable=False)

    agent(PATH=f"{folder}:{os.environ['PATH']}", NIXFLEET_INTERVAL="0.2")

    server.connected()
    server.wait(lambda: any(facts.commit for facts in server.facts()), "facts")
    server.wait(lambda: len(server.received) > 10, "heartbeats")
    assert not called.exists()


@pytest.fixture
def locked_server() -> Iterator[int]:
    """An HTTP server that wants a password for everything; its port."""

    class Locked(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Locked)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made.server_address[1]
    made.shutdown()
    made.server_close()


@pytest.mark.skipif(
    shutil.which("git-remote-http") is None and not Path("/usr/lib/git-core/git-remote-http").exists(),
    reason="git without http",
)
def test_19_git_that_wants_a_password_fails_and_never_asks(
    server: FakeServer, agent: Make, locked_server: int
) -> None:
    made = agent(repo_url=f"http://127.0.0.1:{locked_server}/repo.git")
    server.connected()

    status = server.ended(server.command("pull"))

    assert status.status == "failed"
    assert "could not read Username" in status.message
    assert "terminal prompts disabled" in status.message
    assert made.process
    assert made.process.poll() is None


def test_21_a_mac_s_name_is_the_one_its_owner_gave() -> None:
    """macOS takes its network name from DHCP: imac0.lan at home, another one elsewhere."""
    ask = {("/usr/sbin/scutil", "--get", "LocalHostName"): "imac0\n"}

    assert system.own_name("darwin", "dhcp-17.example.org", lambda *argv: ask[argv]) == "imac0"
    assert system.own_name("darwin", "dhcp-17.example.org", lambda *argv: "") == "dhcp-17"
    assert system.own_name("linux", "web1.example.org", lambda *argv: ask[argv]) == "web1"
