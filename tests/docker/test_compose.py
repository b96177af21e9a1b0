"""docker/compose.yaml as it is shipped, under podman-compose, with a proxy image made of Debian's Caddy."""

import json
import os
import random
import re
import shutil
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo import repository
from demo.processes import Agent, end_all_under, free_port
from nixfleet_protocol.client import Client
from scripts.build import ROOT
from tests.docker.engine import CADDY, SERVER, Engine
from tests.support.lab import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.needs("podman", "buildah", "mmdebstrap", "caddy", "runc", "iptables", "git"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]
PASSWORD = "correct horse"
NEWER = "localhost/nixfleet-tests/server:newer"


class Project:
    """What `compose up` started, and how an operator and an agent reach it."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine = engine
        self.name = f"nixfleet-{os.getpid()}"
        port = free_port()
        self.url = f"https://localhost:{port}"
        folder = shutil.copytree(ROOT / "docker", directory / "docker")
        (folder / "server.env").write_text("NIXFLEET_LOG_LEVEL='debug'\n")
        self._compose = (
            *(Path(sys.executable).parent / "podman-compose", "--project-name", self.name),
            *("--file", folder / "compose.yaml"),
        )
        self._variables = {
            "NIXFLEET_IMAGE": SERVER,
            "CADDY_IMAGE": CADDY,
            "NIXFLEET_DOMAIN": "localhost",
            "NIXFLEET_BASE_URL": self.url,
            "NIXFLEET_SUBNET": "",
            "NIXFLEET_HTTP_PORT": str(free_port()),
            "NIXFLEET_HTTPS_PORT": str(port),
        }
        self.ca_file = directory / "ca.pem"

    def compose(self, *args: str, **variables: str) -> None:
        self.engine.run(*self._compose, *args, env=self._variables | variables)

    def start(self) -> None:
        """`up`, in a subnet that is free: another program of this machine may have taken any that is fixed.

        A free one may be taken while we look, so another is tried; what fails with its network made is a fault.
        """
        network = f"{self.name}_inside"
        refusals = []
        for third in random.sample(range(20, 220), 5):
            subnet = f"172.31.{third}"
            tried = self.engine.run(
                "podman", "network", "create", "--subnet", f"{subnet}.0/24", network, check=False
            )
            self.engine.podman("network", "rm", "--force", network, check=False)
            if tried.returncode:
                refusals.append(tried.stderr)  # podman-compose keeps podman's reason to itself
                continue
            self._variables["NIXFLEET_SUBNET"] = subnet
            try:
                self.compose("up", "--detach")
            except AssertionError as error:
                if self.engine.run("podman", "network", "exists", network, check=False).returncode == 0:
                    raise
                refusals.append(str(error))
                self.down(check=False)
            else:
                return
        raise AssertionError("no network can be made:\n" + "\n".join(refusals))

    def down(self, *, check: bool) -> None:
        """End and remove everything, also what a failed `up` left half made."""
        self.engine.run(
            *self._compose, "down", "--volumes", "--timeout", "1", env=self._variables, check=check
        )
        self.engine.podman("network", "rm", "--force", f"{self.name}_inside", check=False)

    def set_up(self) -> None:
        """Set the password with the one-time link of the log, as the operator does at the first start."""
        log = self.engine.podman("logs", self.container("server"))
        [code] = re.findall(rf"{re.escape(self.url)}/setup#(\S+)", log)
        body = {"code": code, "password": PASSWORD}
        answer = httpx.post(
            f"{self.url}/api/v1/setup", json=body, headers={"Origin": self.url}, verify=self.tls
        )
        assert answer.status_code == 200, answer.text

    def container(self, service: str) -> str:
        return f"{self.name}_{service}_1"

    def admin(self, *args: str) -> str:
        return self.engine.podman("exec", self.container("server"), "nixfleet-server", *args)

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", verify=self.tls, timeout=35).status_code == 200
        except (httpx.HTTPError, OSError):
            return False

    def has_certificate(self) -> bool:
        """Take the root of Caddy's own authority, once it has made one."""
        root = "/data/caddy/pki/authorities/local/root.crt"
        self.engine.podman("cp", f"{self.container('caddy')}:{root}", self.ca_file, check=False)
        return self.ca_file.exists()

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


@pytest.fixture(scope="module")
def project(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    directory = tmp_path_factory.mktemp("compose")
    made = Project(engine, directory)
    started = False
    try:
        made.start()
        started = True
        until(made.has_certificate, "Caddy has an authority of its own")
        until(made.ready, "the server answers through the proxy")
        made.set_up()
        yield made
    finally:
        made.down(check=started)  # a failed start is what is to be told


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    made = json.loads(project.admin("token", "add", f"t{time.monotonic_ns()}", "--scope", "admin", "--json"))
    with Client(url=project.url, token=made["token"], ca_file=str(project.ca_file)) as client:
        yield client


@pytest.fixture
def agent(project: Project, client: Client, tmp_path: Path) -> Iterator[Agent]:
    files = tmp_path / "files"
    files.mkdir()
    switch = files / "switch"
    switch.write_text("#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8; do echo step $i; sleep 1; done\n")
    switch.chmod(0o755)
    repository.make(tmp_path / "repository", files)
    name = f"web{time.monotonic_ns() % 10**6}"
    token = json.loads(project.admin("host", "add", name, "--json"))["token"]
    ca = {"NIXFLEET_CA_FILE": str(project.ca_file), "NIXFLEET_INTERVAL": "1"}
    agent = Agent(tmp_path / name, name, project.url, token, str(tmp_path / "repository"), ca)
    agent.start()
    try:
        until(lambda: client.host(name).presence == "online", f"{name} online\n{agent.process.tail()}")
        yield agent
    finally:
        agent.process.end()
        end_all_under(tmp_path)


def test_one_logs_in_over_https_and_an_agent_switches_over_wss(
    project: Project, client: Client, agent: Agent
) -> None:
    with httpx.Client(base_url=project.url, verify=project.tls) as browser:
        answer = browser.post("/api/v1/session", json={"password": PASSWORD})
        assert answer.status_code == 200, answer.text
        assert "__Host-" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers
        assert browser.get("/").status_code == 200
    assert agent.url.startswith("https://")
    assert client.run(agent.name, "switch").wait(120).result == "ok", agent.process.tail()


def test_a_killed_server_is_back_within_30_seconds_by_itself(
    project: Project, client: Client, agent: Agent
) -> None:
    run = client.run(agent.name, "switch")
    server = project.container("server")
    pid = int(project.engine.podman("inspect", "--format={{.State.Pid}}", server))

    os.kill(pid, signal.SIGKILL)

    until(project.ready, "the server is back", timeout=30)
    assert int(project.engine.podman("inspect", "--format={{.State.Pid}}", server)) != pid
    assert run.wait(120).result == "ok", "the run went on without the server"


def test_an_upgrade_fails_no_request_and_ends_no_run(project: Project, client: Client, agent: Agent) -> None:
    project.engine.podman("tag", SERVER, NEWER)
    answers: Counter[str] = Counter()
    done = threading.Event()

    def ask() -> None:
        headers = {"Authorization": f"Bearer {client_token}"}
        with httpx.Client(base_url=project.url, verify=project.tls, timeout=60, headers=headers) as asking:
            while not done.is_set():
                for method, path in (
                    ("GET", "/api/v1/hosts"),
                    ("GET", "/login"),
                    ("DELETE", "/api/v1/session"),
                ):
                    try:
                        answers[f"{method} {path} {asking.request(method, path).status_code}"] += 1
                    except httpx.HTTPError as error:
                        answers[f"{method} {path} {error!r}"] += 1
                time.sleep(0.05)

    client_token = json.loads(project.admin("token", "add", "asker", "--json"))["token"]
    threads = [threading.Thread(target=ask) for _ in range(3)]
    run = client.run(agent.name, "switch")
    for thread in threads:
        thread.start()
    until(lambda: sum(answers.values()) > 20, "requests pass")

    project.compose("up", "--detach", "--no-deps", "--force-recreate", "server", NIXFLEET_IMAGE=NEWER)

    until(project.ready, "the newer server serves")
    before = sum(answers.values())
    until(lambda: sum(answers.values()) > before + 20, "requests pass again")
    done.set()
    for thread in threads:
        thread.join()
    assert project.engine.podman("inspect", "--format={{.ImageName}}", project.container("server")) == NEWER
    assert {answer.rpartition(" ")[2] for answer in answers} <= {"200", "303", "401"}, answers
    assert run.wait(120).result == "ok", agent.process.tail()
