"""`nixfleet-agent doctor` against real servers, broken in every way it knows."""

import json
import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.processes import Agent, clean_environment, free_port
from nixfleet_agent import environment
from nixfleet_agent.doctor import examine, host, main, server
from nixfleet_agent.doctor.finding import Finding
from tests.support.lab import Lab, lab
from tests.support.tls import TlsProxy

CHECKS = [
    "configuration",
    "token file",
    "DNS",
    "TCP",
    "TLS",
    "HTTP",
    "clock",
    "token",
    "state",
    "disk",
    "git",
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("doctor")) as made:
        made.agent("web1", {"switch": "true"})
        yield made


@pytest.fixture
def web(here: Lab) -> Agent:
    return here.agents[0]


def look(web: Agent, **env: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(web.environment | env)}


def call(env: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-P", "-m", "nixfleet_agent", "doctor", *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_healthy_agent_is_told_as_one_and_not_disturbed(here: Lab, web: Agent) -> None:
    done = call(web.environment, "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert [check["check"] for check in said["checks"]][: len(CHECKS)] == CHECKS
    assert {check["check"]: check["state"] for check in said["checks"]} | {"TLS": "skip"} == {
        **dict.fromkeys([*CHECKS, "bytecode", "agent"], "ok"),
        **dict.fromkeys(["TLS", "nix", "runner"], "skip"),
    }
    time.sleep(0.5)
    assert web.process.log.read_text().count('"connected"') == 1
    assert here.client.host("web1").presence == "online"


def test_people_get_a_line_a_check_with_its_mend(web: Agent) -> None:
    done = call(web.environment | {"NIXFLEET_BRANCH": "nowhere"})

    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if line.startswith("FAIL"))
    assert line == "FAIL git            the repository has no branch nowhere — set NIXFLEET_BRANCH"
    assert all(line[:5].strip() in ("ok", "warn", "FAIL", "-") for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("change", "code", "check", "said"),
    [
        ({"NIXFLEET_URL": "ftp://x"}, 2, "configuration", "NIXFLEET_URL"),
        ({"NIXFLEET_TOKEN_FILE": "/nowhere"}, 2, "token file", "No such file"),
        ({"NIXFLEET_TOKEN_FILE": "", "NIXFLEET_TOKEN": "wrong"}, 4, "token", "refuses the token (HTTP 401)"),
        ({"NIXFLEET_URL": "https://no-such-host.invalid"}, 3, "DNS", "no-such-host.invalid can't be found"),
        ({"NIXFLEET_REPO_URL": "/nowhere"}, 1, "git", "does not appear to be a git repository"),
    ],
    ids=["configuration", "no token file", "wrong token", "unknown name", "no repository"],
)
def test_exit_codes(
    web: Agent, capsys: pytest.CaptureFixture[str], change: dict[str, str], code: int, check: str, said: str
) -> None:
    assert main(web.environment | change, as_json=True) == code
    checks = {one["check"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checks[check]["state"] == "fail"
    assert said in checks[check]["said"]
    if check == "DNS":
        assert checks["token"]["state"] == "skip"


def test_a_token_that_others_may_read_is_warned_of(web: Agent, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(web.token)
    file.chmod(0o644)

    found = look(web, NIXFLEET_TOKEN_FILE=str(file))["token file"]

    assert (found.state, found.mend) == ("warn", f"chmod 600 {file}")
    assert look(web, NIXFLEET_TOKEN_FILE="", NIXFLEET_TOKEN=web.token)["token file"].state == "warn"


@contextmanager
def speaking(words: bytes | None) -> Iterator[int]:
    """A port where each caller is told these words; None: nothing, and the line stays open."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            if words is not None:
                connection.recv(4096)
                connection.sendall(words)
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        for connection in held:
            connection.close()


def test_a_port_where_nobody_listens(web: Agent) -> None:
    found = look(web, NIXFLEET_URL=f"http://127.0.0.1:{free_port()}")

    assert (found["DNS"].state, found["TCP"].state, found["TLS"].state) == ("ok", "fail", "skip")
    assert "Connection refused" in found["TCP"].said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (None, "doesn't answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "doesn't speak HTTP"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "HTTP 502"),
    ],
    ids=["silence", "ssh", "a proxy alone"],
)
def test_something_else_at_the_port(
    web: Agent, monkeypatch: pytest.MonkeyPatch, words: bytes | None, said: str
) -> None:
    monkeypatch.setattr(server, "TIMEOUT", 1.0)
    with speaking(words) as port:
        found = look(web, NIXFLEET_URL=f"http://127.0.0.1:{port}")

    assert found["HTTP"].state == "fail"
    assert said in found["HTTP"].said
    assert found["HTTP"].mend


@pytest.mark.needs("openssl", "faketime")
@pytest.mark.parametrize(
    ("name", "made_on", "trusted", "state", "said"),
    [
        ("localhost", None, True, "warn", "expires in"),
        ("localhost", None, False, "fail", "signed its certificate itself"),
        ("localhost", "2020-01-01", True, "fail", "has expired"),
        ("localhost", "2099-01-01", True, "fail", "not valid yet"),
        ("other.example.org", None, True, "fail", "for another name"),
    ],
    ids=["good for two days", "unknown", "expired", "of tomorrow", "another name"],
)
def test_certificates(
    here: Lab,
    web: Agent,
    tmp_path: Path,
    name: str,
    made_on: str | None,
    trusted: bool,
    state: str,
    said: str,
) -> None:
    proxy = TlsProxy(here.server.port, tmp_path, name, made_on)
    with closing(proxy):
        ca = {"NIXFLEET_CA_FILE": str(proxy.ca_file)} if trusted else {}
        found = look(web, NIXFLEET_URL=proxy.url, **ca)

    assert found["TLS"].state == state, found["TLS"]
    assert said in found["TLS"].said
    assert found["TLS"].mend
    assert found["token"].state == ("ok" if state == "warn" else "skip")


def test_tls_where_there_is_none_and_a_missing_authority(here: Lab, web: Agent) -> None:
    url = f"https://localhost:{here.server.port}"

    assert "no TLS with localhost" in look(web, NIXFLEET_URL=url)["TLS"].said
    found = look(web, NIXFLEET_URL=url, NIXFLEET_CA_FILE="/nowhere")["TLS"]
    assert (found.kind, "NIXFLEET_CA_FILE=/nowhere" in found.said) == ("configuration", True)


@pytest.mark.parametrize(("ahead", "word"), [(90, "ahead of"), (-90, "behind")])
def test_a_clock_that_differs_is_told(
    web: Agent, monkeypatch: pytest.MonkeyPatch, ahead: float, word: str
) -> None:
    real = time.time
    monkeypatch.setattr(server.time, "time", lambda: real() + ahead)  # type: ignore[attr-defined]

    found = look(web)["clock"]

    assert found.state == "warn"
    assert word in found.said


def test_a_proxy_that_the_agent_will_not_use_is_told(web: Agent) -> None:
    assert look(web, https_proxy="http://proxy:3128")["proxy"].state == "warn"


def test_the_state_directory_and_its_disk(
    web: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert look(web, NIXFLEET_STATE_DIR=str(link))["state"].said.endswith("is a link")
    assert look(web, NIXFLEET_STATE_DIR=str(tmp_path / "new"))["state"].state == "warn"
    if os.geteuid() == 0:
        (tmp_path / "theirs").mkdir(mode=0o755)
        os.chown(tmp_path / "theirs", 12345, -1)
        found = look(web, NIXFLEET_STATE_DIR=str(tmp_path / "theirs"))["state"]
        assert (found.state, "belongs to user 12345" in found.said) == ("fail", True)
        # An installed agent's resident is another user than root, who asks.
        name = pwd.getpwnam("nobody")
        (tmp_path / "resident").mkdir(mode=0o750)
        os.chown(tmp_path / "resident", name.pw_uid, -1)
        more = {"NIXFLEET_RESIDENT_DIR": str(tmp_path / "resident"), "NIXFLEET_RESIDENT_USER": "nobody"}
        assert look(web, **more)["state"].state == "ok"
        assert (tmp_path / "resident").stat().st_mode & 0o777 == 0o750  # looked at, not changed
    monkeypatch.setattr(host, "FREE_MIN", 2**60)
    assert look(web)["disk"].state == "fail"


def test_git_says_what_it_needs(web: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(web, NIXFLEET_REPO_URL="")["git"].state == "warn"
    assert look(web, NIXFLEET_REPO_URL="", NIXFLEET_REPO_DIR="/nowhere")["git"].state == "fail"
    signers = look(web, NIXFLEET_ALLOWED_SIGNERS="/nowhere")["signers"]
    assert (signers.state, "No such file" in str(signers)) == ("fail", True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look(web)["git"].said == "there is no git on PATH"


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """A root runner's socket where every request is answered so."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            connection.recv(1024)
            connection.sendall(answer)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (b'{"refused": "invalid", "message": "no verb doctor"}\n', "ok", "a root runner answers"),
        (b'{"refused": "denied", "message": "user 7 may not ask"}\n', "fail", "user 7"),
        (b'{"refused": "error", "message": "no disk"}\n', "fail", "no disk"),
        (b"", "fail", "trouble"),
        (b"nonsense\n", "fail", "can't be asked"),
    ],
)
def test_the_root_runner_is_asked(web: Agent, short: Path, answer: bytes, state: str, said: str) -> None:
    path = short / "runner.sock"
    with answering(path, answer):
        found = look(web, NIXFLEET_RUNNER_SOCKET=str(path))["runner"]

    assert found.state == state
    assert said in found.said


def test_a_root_runner_that_is_not_there(web: Agent, tmp_path: Path) -> None:
    assert look(web, NIXFLEET_RUNNER_SOCKET=str(tmp_path / "none"))["runner"].state == "fail"
    (tmp_path / "file").touch()
    assert look(web, NIXFLEET_RUNNER_SOCKET=str(tmp_path / "file"))["runner"].said.endswith("is no socket")


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose path leaves room for a socket's name."""
    return tmp_path_factory.mktemp("d")


def test_the_installed_agent_s_variables_are_found(web: Agent, tmp_path: Path) -> None:
    file = tmp_path / "agent.env"
    given_to_it = {name: value for name, value in web.environment.items() if name.startswith("NIXFLEET_")}
    file.write_text("# the agent\n" + "".join(f'{name}="{value}"\n' for name, value in given_to_it.items()))

    done = call(clean_environment({}), "--json", "--environment-file", str(file))

    assert done.returncode == 0, done.stdout + done.stderr
    missing = call(clean_environment({}), "--environment-file", str(tmp_path / "none"))
    assert (missing.returncode, "No such file" in missing.stderr) == (2, True)


def test_the_unit_tells_what_the_shell_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agent.env").write_text("NIXFLEET_URL=https://fleet.example.org\nOTHER=x\n")
    fake = tmp_path / "systemctl"
    fake.write_text(
        "#!/bin/sh\n[ $1 = --system ] || exit 1\n"
        """echo 'Environment=NIXFLEET_STATE_DIR=/var/lib/x "NIXFLEET_HOSTNAME=a b" PATH=/nowhere'\n"""
        f"echo 'EnvironmentFiles={tmp_path}/agent.env (ignore_errors=no)'\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert environment.of_agent({"HOME": "/h"}) == {
        "HOME": "/h",
        "NIXFLEET_STATE_DIR": "/var/lib/x",
        "NIXFLEET_HOSTNAME": "a b",
        "NIXFLEET_URL": "https://fleet.example.org",
    }
    own = {"NIXFLEET_URL": "http://localhost"}
    assert environment.of_agent(own) == own


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), st.text("ab =#'\\\"$", max_size=8)))
def test_any_environment_file_can_be_read(values: dict[str, str]) -> None:
    text = "\n".join(f"{name}={value}" for name, value in values.items())

    assert set(environment.parse(text)) == set(values)
