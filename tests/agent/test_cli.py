"""The command line: exit codes, and errors fit for people."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nixfleet_agent.config import load
from nixfleet_agent.events import Request
from nixfleet_agent.files import NotPrivate, own_directory
from nixfleet_agent.launch import Spawn, parse_answer
from nixfleet_agent.lock import Lock
from nixfleet_protocol.messages import Options
from tests.agent.conftest import as_another_user

LOCAL = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "NIXFLEET_URL": "http://127.0.0.1:1",
    "NIXFLEET_TOKEN": "sesame",
    "NIXFLEET_HOSTNAME": "web1",
}
"""An agent whose server is not there."""


def call(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "nixfleet_agent", *words],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["run"], {}, "NIXFLEET_URL is not set"),
        (
            ["run"],
            {"NIXFLEET_URL": "https://x", "NIXFLEET_TOKEN": "t", "NIXFLEET_PLATFORM": "beos"},
            "nixos, nix-darwin, home-manager, script",
        ),
        (["status"], {"NIXFLEET_INTERVAL": "x"}, "NIXFLEET_INTERVAL"),
        (["dance"], {}, "invalid choice"),
        ([], {}, "required"),
    ],
)
def test_wrong_use_and_configuration_exit_with_2_and_one_message(
    words: list[str], env: dict[str, str], said: str
) -> None:
    done = call(*words, NIXFLEET_HOSTNAME="web1", **env)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_commands_and_variables_but_nothing_internal() -> None:
    done = call("--help")

    assert done.returncode == 0
    for word in ("run", "status", "NIXFLEET_URL", "NIXFLEET_STATE_DIR"):
        assert word in done.stdout
    for word in ("settle", "run-command", "facts"):
        assert word not in done.stdout


def test_status_obeys_no_terminal_and_prints_none_to(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(
        '{"hostname": "\\u001b[31mweb1", "connection": "connected", "error": "\\u009b2J"}'
    )
    lock = Lock(str(tmp_path / "agent.lock"))
    done = call("status", NIXFLEET_STATE_DIR=str(tmp_path), NIXFLEET_HOSTNAME="web1")
    lock.release()

    assert done.stdout.startswith("?[31mweb1: connected")
    assert "?2J" in done.stdout


def test_the_version_is_printed() -> None:
    assert call("--version").stdout.startswith("nixfleet-agent 0.")


@pytest.mark.parametrize(
    ("kind", "said"), [("link", "is a link"), ("dangling", "is a link"), ("file", "is not a directory")]
)
@pytest.mark.parametrize("words", [["run"], ["facts"], ["settle", "0" * 32, "0"]])
def test_a_state_directory_that_others_may_have_made_is_refused(
    tmp_path: Path, words: list[str], kind: str, said: str
) -> None:
    place = tmp_path / "state"
    (tmp_path / "real").mkdir()
    if kind == "file":
        place.touch()
    else:
        place.symlink_to(tmp_path / ("real" if kind == "link" else "nowhere"))

    done = call(*words, NIXFLEET_STATE_DIR=str(place), **LOCAL)

    assert done.returncode == 2
    for word in (str(place), said, "NIXFLEET_STATE_DIR"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "real").iterdir())


def test_a_directory_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_directory(str(tmp_path))
    as_another_user(tmp_path, monkeypatch)

    with pytest.raises(NotPrivate, match="belongs to user"):
        own_directory(str(tmp_path))


def test_a_directory_of_ours_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    own_directory(str(tmp_path))

    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_runner_refuses_a_state_directory_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to(tmp_path)
    config = load({**LOCAL, "NIXFLEET_STATE_DIR": str(tmp_path / "state")})
    ours = Spawn(config, {**LOCAL, "NIXFLEET_STATE_DIR": str(tmp_path / "state")}).launch(
        Request("0" * 32, "test", Options())
    )
    ours.settimeout(30)

    answer = parse_answer(ours.recv(4096))
    ours.close()

    assert answer is not None
    assert answer["refused"] == "error"
    assert "is a link" in answer["message"]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_token_file_that_others_can_read_is_warned_of_once(tmp_path: Path, mode: int, warned: bool) -> None:
    token = tmp_path / "token"
    token.write_text("sesame\n")
    token.chmod(mode)
    log = tmp_path / "log"
    env = {**LOCAL, "NIXFLEET_TOKEN_FILE": str(token), "NIXFLEET_STATE_DIR": str(tmp_path / "state")}
    del env["NIXFLEET_TOKEN"]
    with log.open("wb") as file:
        agent = subprocess.Popen([sys.executable, "-P", "-m", "nixfleet_agent", "run"], env=env, stderr=file)
    deadline = time.monotonic() + 30
    while log.read_text().count("127.0.0.1") < 3 and time.monotonic() < deadline and agent.poll() is None:
        time.sleep(0.05)
    agent.terminate()
    agent.wait(30)

    assert log.read_text().count(f"chmod 600 {token}") == warned
