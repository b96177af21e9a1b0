"""Real agents as processes, real repositories, and a small server's end for them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.agent.fake_server import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.stop()


def as_another_user(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the directory belongs to neither root nor this process's user."""
    if os.geteuid() == 0:
        os.chown(directory, 12345, -1)
    else:  # only root can give a directory away
        uid = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: uid)


class Repo:
    """A repository with a working tree to commit from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }
        done = subprocess.run(
            ["git", *words], cwd=self.path, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | bytes], *, executable: bool = True) -> str:
        """Write files (scripts are executable), commit them all; the commit's id."""
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            file.chmod(0o755 if executable else 0o644)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "origin")
    made.commit({"switch": "#!/bin/sh\necho switched\n", "hosts/web1/tests/T00-ok.sh": "#!/bin/sh\nexit 0\n"})
    return made


class Agent:
    """One agent process over one state directory; start it as often as you like."""

    def __init__(self, state: Path, url: str, repo_url: str | None, **env: str) -> None:
        self.state = state
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(state.parent),
            "NIXFLEET_URL": url,
            "NIXFLEET_TOKEN": "sesame",
            "NIXFLEET_HOSTNAME": "web1",
            "NIXFLEET_INTERVAL": "1",
            "NIXFLEET_STATE_DIR": str(state),
            "NIXFLEET_LOG_LEVEL": "debug",
            "NIXFLEET_METRICS": "off",
            "NIXFLEET_ROOT": str(state.parent / "root"),  # what reboots a host isn't there
            **({"NIXFLEET_REPO_URL": repo_url} if repo_url else {}),
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = state.parent / f"{state.name}.log"

    def start(self) -> "Agent":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nixfleet_agent", "run"],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        return self

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(20)

    def call(self, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-P", "-m", "nixfleet_agent", *words],
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def run_dir(self, run_id: str) -> Path:
        return self.state / "runs" / run_id

    def output(self, run_id: str) -> bytes:
        return (self.run_dir(run_id) / "output").read_bytes()

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this state directory: resident, runners, and what they run."""
        found = []
        for process in psutil.process_iter():
            try:
                env = process.environ()
                if env.get("NIXFLEET_STATE_DIR") == str(self.state) or (
                    "NIXFLEET_RUN_ID" in env and env.get("HOME") == str(self.state.parent)
                ):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def clean_up(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill()
        for process in self.processes():
            try:
                process.kill()
            except psutil.Error:
                continue


@pytest.fixture
def agent(tmp_path: Path, server: FakeServer, repo: Repo) -> Iterator[Callable[..., Agent]]:
    made: list[Agent] = []

    def make(**env: Any) -> Agent:
        state = tmp_path / env.pop("state", "state")
        made.append(Agent(state, env.pop("url", server.url), env.pop("repo_url", str(repo.path)), **env))
        return made[-1].start()

    yield make
    for one in made:
        one.clean_up()
