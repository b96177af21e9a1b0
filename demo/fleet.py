"""The demo fleet: its directory, repository, server and agents."""

import platform
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo import repository
from demo.hosts import HOSTS, Host
from demo.processes import START_TIMEOUT, Agent, DidNotStart, Server, end_all_under, free_port
from nixfleet_protocol.client import Client


@dataclass(frozen=True)
class Fleet:
    """A running demo fleet."""

    directory: Path
    server: Server
    agents: tuple[Agent, ...]
    token: str
    """API token with scope `operate`; also in the file `token`."""
    repository: Path

    def supervise(self) -> None:
        """Start again what has ended, as systemd or launchd would: `restart` counts on it."""
        for process in (self.server.process, *(agent.process for agent in self.agents)):
            if not process.alive():
                process.start()


@contextmanager
def running(directory: Path | None = None, *, port: int | None = None, pause: float = 0.4) -> Iterator[Fleet]:
    """Start a fleet in a directory (default: a temporary one, removed afterwards) and end all of it on leaving.

    `pause`: seconds that each step of a switch without Nix takes. Raises DidNotStart.
    """
    base = directory or Path(tempfile.mkdtemp(prefix="nixfleet-demo-"))
    base.mkdir(parents=True, exist_ok=True)
    server: Server | None = None
    agents: list[Agent] = []
    try:
        source = base / "repository"
        if not source.exists():
            repository.make(source)
            (source / "hosts/lab1/platform").write_text(f"{_platform()}\n")
            repository.commit(source, "lab1 is built for the machine that the demo runs on")
        server = Server(base / "server", secrets.token_urlsafe(12), port or free_port())
        tokens = {host.name: server.add_host(host.name, host.criticality) for host in HOSTS}
        token = server.add_token("demo")
        token_file = base / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(token)
        server.start()
        for host in HOSTS:
            home = base / host.name
            extra = _demo_environment(host, home, pause)
            agents.append(Agent(home, host.name, server.url, tokens[host.name], str(source), extra))
            agents[-1].start()
        fleet = Fleet(base, server, tuple(agents), token, source)
        _wait_until_online(fleet)
        yield fleet
    finally:
        for agent in agents:
            agent.process.end()
        end_all_under(base)
        if server is not None:
            server.process.end()
        if directory is None:
            shutil.rmtree(base, onerror=_make_writable_and_retry)


def _demo_environment(host: Host, home: Path, pause: float) -> dict[str, str]:
    root = home / "root"
    root.mkdir(parents=True, exist_ok=True)
    environment = {
        "NIXFLEET_INTERVAL": "5",
        "DEMO_ROOT": str(root),
        "DEMO_PAUSE": str(pause),
    }
    if host.nix and shutil.which("nix"):
        environment |= _nixos(root) | {"DEMO_NIX": "1"}
    return environment


def _nixos(root: Path) -> dict[str, str]:
    """A NixOS host whose / is a directory of the demo's own: nothing of the machine's store or profiles is touched."""
    etc = root / "etc/nix"
    for place in (etc, root / "run", root / "nix/var/nix/profiles"):
        place.mkdir(parents=True, exist_ok=True)
    (etc / "nix.conf").write_text(
        "experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstituters =\n"
    )
    return {
        "NIXFLEET_PLATFORM": "nixos",
        "NIXFLEET_ROOT": str(root),
        "NIX_CONF_DIR": str(etc),
        "NIX_STORE_DIR": str(root / "nix/store"),
        "NIX_STATE_DIR": str(root / "nix/var/nix"),
        "NIX_LOG_DIR": str(root / "nix/var/log/nix"),
        "NIX_LOCALSTATE_DIR": str(root / "nix/var"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "NIX_REMOTE": "",
    }


def _platform() -> str:
    """What Nix calls this machine."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    return f"{machine}-{'darwin' if sys.platform == 'darwin' else 'linux'}"


def _wait_until_online(fleet: Fleet) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    with Client(url=fleet.server.url, token=fleet.token) as client:
        while time.monotonic() < deadline:
            if sum(host.presence == "online" for host in client.hosts()) == len(HOSTS):
                return
            time.sleep(0.1)
    logs = "\n".join(agent.process.tail(5) for agent in fleet.agents)
    raise DidNotStart(f"not every agent connected within {START_TIMEOUT:g} seconds:\n{logs}")


def _make_writable_and_retry(function: object, path: str, _error: object) -> None:
    """Nix makes its store read-only, which for anyone but root also hinders removal."""
    parent = Path(path).parent
    parent.chmod(0o700)
    if not Path(path).is_symlink():
        Path(path).chmod(0o700)
    if callable(function):
        function(path)
