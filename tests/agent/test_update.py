"""`update`: by pip from a loopback index into the agent's own environment, and by Nix from a flake's input."""

import functools
import http.server
import importlib.metadata
import os
import shutil
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

import nixfleet_protocol
from nixfleet_agent.__about__ import __version__
from nixfleet_protocol.messages import Status
from scripts.build import ROOT
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer
from tests.agent.test_switch import Host

OLD, NEW, NEWEST = "90.1.0", "90.2.0", "90.10.0"
DEPENDENCIES = (
    "psutil",
    "wsproto",
    "h11",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-extensions",
    "typing-inspection",
)


def wheel(
    package: str, version: str, target: Path, scratch: Path, patch: dict[str, str] | None = None
) -> None:
    """Build this checkout's package as if it had another version; `patch` replaces modules."""
    source = scratch / f"{package}-{version}"
    shutil.copytree(ROOT / "packages" / package, source, ignore=shutil.ignore_patterns("__pycache__"))
    module = source / "src" / package.replace("-", "_")
    about = module / "__about__.py"
    about.write_text(about.read_text().replace(importlib.metadata.version(package), version))
    for name, text in (patch or {}).items():
        (module / name).write_text(text)
    argv = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(argv, cwd=source, check=True, capture_output=True)


class Index:
    """A package index on loopback (PEP 503) over a directory: one folder a project."""

    def __init__(self, directory: Path, scratch: Path) -> None:
        self.directory, self.scratch = directory, scratch
        (directory / "nixfleet-agent").mkdir(parents=True)
        handler = functools.partial(Quiet, directory=str(directory))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def publish(self, version: str, patch: dict[str, str] | None = None) -> None:
        wheel("nixfleet-agent", version, self.directory / "nixfleet-agent", self.scratch, patch)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


class Installed(Agent):
    """An agent in a virtual environment of its own, under a supervisor of one line."""

    def __init__(self, place: Path, index: Index, server: FakeServer, repo: Repo) -> None:
        super().__init__(
            place / "state",
            server.url,
            str(repo.path),
            NIXFLEET_CONFIRM_TIMEOUT="15",
            PIP_INDEX_URL=index.url,
            PIP_CONFIG_FILE=os.devnull,
            PIP_NO_CACHE_DIR="1",
        )
        self.bin = place / "venv" / "bin"

    def start(self) -> "Installed":
        loop = 'while :; do "$0" run; sleep 0.3; done'
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", loop, str(self.bin / "nixfleet-agent")],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def version(self) -> str:
        argv = [str(self.bin / "nixfleet-agent"), "--version"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[-1]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path / "index", tmp_path / "scratch")
    yield made
    made.close()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with all that an agent needs, and the wheel of OLD beside it; its directory."""
    place = tmp_path_factory.mktemp("host")
    venv.create(place / "venv", with_pip=True)
    site = next((place / "venv" / "lib").glob("python*/site-packages"))
    for name in DEPENDENCIES:  # installed already: the index has no need of them
        files = importlib.metadata.files(name) or []
        for top in {file.parts[0] for file in files if file.parts[0] != ".."}:
            found = Path(str(importlib.metadata.distribution(name).locate_file(top)))
            if found.is_dir():
                shutil.copytree(found, site / top, dirs_exist_ok=True)
            elif found.exists():
                shutil.copy2(found, site / top)
    wheel("nixfleet-protocol", f"{nixfleet_protocol.__version__}+here", place / "wheels", place / "scratch")
    wheel("nixfleet-agent", OLD, place / "wheels", place / "scratch")
    return place


@pytest.fixture
def installed(environment: Path, index: Index, server: FakeServer, repo: Repo) -> Iterator[Installed]:
    """An agent of version OLD, started; the index has OLD."""
    argv = [
        environment / "venv" / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    wheels = sorted((environment / "wheels").iterdir())
    subprocess.run([*map(str, argv), "--force-reinstall", *map(str, wheels)], check=True)
    shutil.copy2(wheels[0], index.directory / "nixfleet-agent")
    made = Installed(environment, index, server, repo).start()
    yield made
    made.clean_up()
    shutil.rmtree(made.state)


def update(server: FakeServer) -> Status:
    status: Status = server.ended(server.command("update"))
    return status


@pytest.mark.long
def test_pip_brings_the_newest_version_and_the_run_goes_on_under_it(
    server: FakeServer, index: Index, installed: Installed
) -> None:
    server.connected()
    assert server.registers[0].agent_version == OLD
    assert update(server).message == f"version {OLD} is the newest already"
    index.publish(NEW)
    index.publish(NEWEST)

    status = update(server)

    assert (status.status, status.message) == ("ok", f"version {OLD} → {NEWEST}")
    assert status.outcome
    assert [(s.name, s.outcome) for s in status.outcome.steps] == [
        (name, "ok") for name in ("fetch", "try", "install", "restart")
    ]
    assert server.registers[-1].agent_version == NEWEST
    assert installed.version == NEWEST
    assert list((installed.bin.parent / "lib").glob("python*/.nixfleet-before-*")) == []
    assert [path.name for path in installed.state.glob("update-*")] == []
    assert server.ended(server.command("test")).status == "ok"


@pytest.mark.long
def test_a_version_that_cannot_start_is_never_installed(
    server: FakeServer, index: Index, installed: Installed
) -> None:
    server.connected()
    index.publish(NEW, {"resident.py": "import no_such_module\n"})

    status = update(server)

    assert status.status == "failed"
    assert f"version {NEW} does not start here, and was not installed" in status.message
    assert "no_such_module" in status.message
    assert installed.version == OLD
    assert len(server.registers) == 1  # nobody was restarted


@pytest.mark.long
def test_a_version_that_does_not_reach_the_server_is_taken_back(
    server: FakeServer, index: Index, installed: Installed
) -> None:
    """It starts, but its resident then does nothing: what no try beforehand shows."""
    server.connected()
    source = (ROOT / "packages/nixfleet-agent/src/nixfleet_agent/resident.py").read_text()
    deaf = source.replace(
        "def main(config: Config) -> int:", "def main(config: Config) -> int:\n    return 7\n", 1
    )
    index.publish(NEW, {"resident.py": deaf})

    status = update(server)

    assert status.status == "rolled_back", status
    assert f"version {NEW} did not come up" in status.message
    assert installed.version == OLD
    server.connected(2)
    server.wait(lambda: server.registers[-1].agent_version == OLD, "the old version again")
    assert server.ended(server.command("test")).status == "ok"


@pytest.mark.long
def test_an_index_that_is_down_changes_nothing(
    server: FakeServer, index: Index, installed: Installed
) -> None:
    server.connected()
    index.close()

    status = update(server)

    assert status.status == "failed"
    assert "could not be learnt" in status.message
    assert installed.version == OLD


def test_a_checkout_is_told_to_be_updated_by_hand(server: FakeServer, agent) -> None:
    agent()
    server.connected()

    status = update(server)

    assert (status.status, status.exit_code) == ("failed", 2)
    assert "runs from a checkout" in status.message


FLAKE_WITH_INPUT = """{
  inputs.nixfleet = { url = "git+file://AGENT"; flake = false; };
  outputs = { self, nixfleet }: let system = import ./system.nix; in {
    nixosConfigurations.web1.config.system.build.toplevel = system { kind = "nixos"; agent = nixfleet; };
  };
}
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A NixOS host whose flake takes the agent from an input, a repository of its own."""
    made = Host(tmp_path)
    agent = Repo(tmp_path / "agent")
    agent.commit({"version": "1.0"}, executable=False)
    system = (made.repository / "system.nix").read_text()
    system = system.replace("{ kind }:", "{ kind, agent }:").replace(
        '"echo configuring; "',
        '"mkdir -p $out/bin; echo \'echo nixfleet-agent ${builtins.readFile (agent + "/version")}\' > '
        '$out/bin/nixfleet-agent; sed -i 1i#!/bin/sh $out/bin/nixfleet-agent; chmod +x $out/bin/nixfleet-agent; echo configuring; "',
    )
    made.commit({"flake.nix": FLAKE_WITH_INPUT.replace("AGENT", str(agent.path)), "system.nix": system})
    argv = ["nix", "--extra-experimental-features", "nix-command flakes", "flake", "lock"]
    subprocess.run(argv, cwd=made.repository, env=made.environment, check=True, capture_output=True)
    made.commit({})
    return made


@pytest.mark.needs("nix", "git")
def test_nix_builds_the_newest_input_switches_and_says_what_reverts_it(host: Host, tmp_path: Path) -> None:
    assert host.run("switch").status == "ok"
    agent = tmp_path / "agent"
    (agent / "version").write_text("2.0")
    subprocess.run(["git", "commit", "-qam", "2"], cwd=agent, check=True, env=_identity())
    lock = (host.repository / "flake.lock").read_text()

    ran = host.run("update")

    assert ran.status == "ok", ran.message
    assert ran.message.startswith(f"agent {__version__} → 2.0; nixfleet ")
    assert "the next pull and switch reverts it unless flake.lock is committed" in ran.message
    assert [name for name, _ in ran.steps][:4] == ["lock", "build", "compare", "activate"]
    assert any(line.startswith("+") and "rev" in line for line in ran.log), "the change as a patch"
    assert (host.repository / "flake.lock").read_text() == lock  # the repository stays as it was
    program = host.root / "run/current-system/sw/bin/nixfleet-agent"
    assert (
        subprocess.run([program.resolve()], capture_output=True, text=True, check=True)
        .stdout.strip()
        .endswith("2.0")
    )

    again = host.run("update")

    assert again.status == "ok"
    assert not (host.root.parent / "state" / "worktree").exists()


@pytest.mark.needs("nix", "git")
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"NIXFLEET_UPDATE_INPUT": "other"},
            "the flake has no input other: name the agent's in NIXFLEET_UPDATE_INPUT",
        ),
        ({"NIXFLEET_ALLOWED_SIGNERS": "A" * 40}, "a lock that nobody signed"),
    ],
)
def test_nix_refuses_what_it_cannot_or_must_not_build(host: Host, more: dict[str, str], said: str) -> None:
    ran = host.run("update", more)

    assert ran.status == "failed"
    assert said in ran.message
    assert host.calls == []


def _identity() -> dict[str, str]:
    names = {
        f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return {"PATH": os.environ["PATH"], "HOME": "/", **names}
