"""Starts and ends real servers and agents, for the demo and for the tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

START_TIMEOUT = 30.0
"""Seconds for a process to come up: far above the second or so that it takes, for loaded machines."""


class DidNotStart(Exception):
    """A process ended or stayed silent instead of coming up; the text holds the end of what it printed."""


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(package: str, *args: str) -> list[str]:
    """The argv that runs a package's command with this very Python."""
    return [sys.executable, "-m", package, *args]


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment without NIXFLEET_* of the outer world, plus `extra`."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("NIXFLEET_")}
    return outer | dict(extra)


@dataclass
class Process:
    """A program of ours that runs in the background, its output in a file."""

    argv: list[str]
    environment: dict[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, also again after it ended; its output is appended."""
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self.argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        assert self.popen is not None, "not started"
        return self.popen.pid

    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def end(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 15.0) -> int | None:
        """Send a signal, wait, SIGKILL after `timeout` seconds. Returns the exit code, None if it never ran."""
        if self.popen is None:
            return None
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        return self.popen.returncode

    def tail(self, lines: int = 20) -> str:
        """The last lines it printed."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


@dataclass
class Server:
    """A real server over a data directory. Keeps its port over restarts, as a server behind a name does."""

    directory: Path
    password: str
    port: int = field(default_factory=free_port)
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "data"
        hashed = self._administer("hash-password", input=self.password).strip()
        self.environment = self._environment() | {"NIXFLEET_PASSWORD_HASH": hashed} | self.extra
        self.process = Process(
            command("nixfleet_server", "serve"), self.environment, self.directory / "server.log"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start serving; returns when it accepts connections. Raises DidNotStart."""
        self.process.start()
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self.process.alive():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise DidNotStart(f"the server did not start:\n{self.process.tail()}")

    def add_host(self, name: str, criticality: str = "medium") -> str:
        """Create a host; returns its token."""
        made = self._administer("host", "add", name, "--criticality", criticality, "--json")
        token: str = json.loads(made)["token"]
        return token

    def add_token(self, name: str, scope: str = "operate") -> str:
        """Create an API token; returns it."""
        token: str = json.loads(self._administer("token", "add", name, "--scope", scope, "--json"))["token"]
        return token

    def _administer(self, *args: str, input: str | None = None) -> str:
        done = subprocess.run(
            command("nixfleet_server", *args),
            env=self._environment(),
            input=input,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise DidNotStart(f"nixfleet-server {' '.join(args)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return clean_environment(
            {"NIXFLEET_DATA_DIR": str(self.data), "NIXFLEET_LISTEN": f"127.0.0.1:{self.port}"}
        )


@dataclass
class Agent:
    """A real agent with a state directory of its own."""

    directory: Path
    name: str
    url: str
    token: str
    repository: str
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state = self.directory / "state"
        token_file = self.directory / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(self.token)
        self.environment = clean_environment(
            {
                "NIXFLEET_URL": self.url,
                "NIXFLEET_TOKEN_FILE": str(token_file),
                "NIXFLEET_HOSTNAME": self.name,
                "NIXFLEET_PLATFORM": "script",
                "NIXFLEET_REPO_URL": self.repository,
                "NIXFLEET_STATE_DIR": str(self.state),
                # The machine this runs on is nobody's host: what would reboot it isn't there.
                "NIXFLEET_ROOT": str(self.directory / "root"),
            }
            | self.extra
        )
        self.process = Process(
            command("nixfleet_agent", "run"), self.environment, self.directory / "agent.log"
        )

    def start(self) -> None:
        self.process.start()

    def journal(self, run_id: str) -> Path:
        """The run's journal directory."""
        return self.state / "runs" / run_id


def end_all_under(directory: Path) -> None:
    """SIGKILL what is left of agents and runners whose state directory lies under `directory`.

    A runner outlives its agent on purpose, so ending the agents is not enough to leave nothing behind. What runners
    start doesn't know the state directory: it is found as their descendant or, when its runner is dead, by working
    below `directory` for a run.
    """
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and _belongs(process, directory):
                found |= {one.pid: one for one in (process, *process.children(recursive=True))}
    for process in found.values():
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(list(found.values()), timeout=10)


def _belongs(process: psutil.Process, directory: Path) -> bool:
    environment = process.environ()
    if _is_below(environment.get("NIXFLEET_STATE_DIR", ""), directory):
        return True
    return "NIXFLEET_RUN_ID" in environment and _is_below(process.cwd(), directory.resolve())


def _is_below(path: str, directory: Path) -> bool:
    return path.startswith("/") and Path(path).is_relative_to(directory)
