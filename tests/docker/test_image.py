"""The image of docker/Dockerfile, built and run as an operator would."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from demo.processes import free_port
from scripts.build import ROOT
from tests.docker.engine import BASE, SERVER, Engine
from tests.support.lab import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.needs("podman", "buildah", "mmdebstrap", "caddy", "runc", "iptables"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]
HASH = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
MIB = 2**20
Start = Callable[..., str]


@pytest.fixture
def start(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a container as hardened as compose.yaml's, on its own volume; gives its name."""
    volume = f"data-{os.getpid()}-{abs(hash(request.node.name))}"
    names: list[str] = []

    def start(*options: str, **environment: str) -> str:
        names.append(f"server-{os.getpid()}-{len(names)}")
        given = {"NIXFLEET_PASSWORD_HASH": HASH} | environment
        engine.podman(
            *("run", "--detach", "--name", names[-1], "--read-only", "--cap-drop=all"),
            *("--security-opt=no-new-privileges", f"--volume={volume}:/data"),
            *(f"--env={name}={value}" for name, value in given.items()),
            *options,
            SERVER,
        )
        return names[-1]

    yield start
    for name in names:
        engine.podman("rm", "--force", "--time", "1", name, check=False)
    engine.podman("volume", "rm", "--force", volume, check=False)


def healthy(engine: Engine, name: str) -> bool:
    return engine.run("podman", "healthcheck", "run", name, check=False).returncode == 0


def test_it_holds_the_server_and_nothing_to_build_with(engine: Engine) -> None:
    [image] = json.loads(engine.podman("image", "inspect", SERVER))
    [base] = json.loads(engine.podman("image", "inspect", BASE))

    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert image["Healthcheck"]["Test"] == ["CMD", "nixfleet-server", "health"]
    assert "/data" in image["Config"]["Volumes"]
    assert image["Size"] - base["Size"] < 80 * MIB

    look = "for tool in pip pip3 gcc cc make git hatchling; do command -v $tool; done; ls -d /opt/*/lib/*/*/pip /usr/lib/*/*/pip"
    assert engine.podman("run", "--rm", "--entrypoint=sh", SERVER, "-c", look, check=False) == ""


def test_its_bill_of_materials_names_what_is_inside(engine: Engine) -> None:
    text = engine.podman("run", "--rm", "--entrypoint=cat", SERVER, "/opt/nixfleet/share/sbom.cdx.json")
    listed = {part["name"].lower(): part["version"] for part in json.loads(text)["components"]}

    ask = "import importlib.metadata as m; [print(d.name.lower(), d.version) for d in m.distributions()]"
    installed = engine.podman("run", "--rm", "--entrypoint=python", SERVER, "-c", ask)
    assert listed == dict(line.split() for line in installed.splitlines())
    assert {"nixfleet-server", "nixfleet-web", "nixfleet-protocol", "starlette"} <= set(listed)


def test_it_needs_to_be_told_who_stands_before_it(engine: Engine, start: Start) -> None:
    name = start()

    assert engine.podman("wait", name) == "2"
    assert "NIXFLEET_TRUSTED_PROXIES" in engine.run("podman", "logs", name).stderr


def test_only_the_trusted_proxy_is_served_plain_http(engine: Engine, start: Start) -> None:
    port = free_port()
    url = f"127.0.0.1:{port}"
    name = start(f"--publish={url}:8000", NIXFLEET_TRUSTED_PROXIES="192.0.2.77")
    until(lambda: healthy(engine, name), "the server is ready")

    refused = httpx.post(f"http://{url}/api/v1/session", json={"password": "correct horse"})
    assert (refused.status_code, refused.json()["code"]) == (403, "plain_http")
    with pytest.raises(InvalidStatus) as denied, connect(f"ws://{url}/ws/agent"):
        pass
    assert denied.value.response.status_code == 403
    assert httpx.get(f"http://{url}/readyz").status_code == 200


def test_it_drains_on_sigterm_and_keeps_its_data(engine: Engine, start: Start) -> None:
    port = free_port()
    first = start(f"--publish=127.0.0.1:{port}:8000", NIXFLEET_ALLOW_PLAIN_HTTP="1")
    until(lambda: healthy(engine, first), "the server is ready")
    made = json.loads(engine.podman("exec", first, "nixfleet-server", "host", "add", "web1", "--json"))
    token = json.loads(engine.podman("exec", first, "nixfleet-server", "token", "add", "t", "--json"))[
        "token"
    ]
    began = time.monotonic()
    with connect(
        f"ws://127.0.0.1:{port}/ws/agent", additional_headers={"Authorization": f"Bearer {made['token']}"}
    ) as agent:
        stopping = subprocess.Popen(
            ["podman", "stop", "--time", "30", first], env=engine.env, stdout=subprocess.DEVNULL
        )
        try:
            with pytest.raises(ConnectionClosed) as leaving:
                agent.recv(timeout=30)
        finally:
            stopping.wait(60)
    assert leaving.value.rcvd is not None
    assert leaving.value.rcvd.code == 1012, "an agent is told that this is a restart"

    assert engine.podman("inspect", "--format={{.State.ExitCode}}", first) == "0"
    assert time.monotonic() - began < 30, "it was killed instead"
    engine.podman("rm", first)
    second = start(f"--publish=127.0.0.1:{port}:8000", NIXFLEET_ALLOW_PLAIN_HTTP="1")
    until(lambda: healthy(engine, second), "the server is ready again")
    answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/hosts", headers={"Authorization": f"Bearer {token}"})
    assert [host["host_id"] for host in answer.json()["hosts"]] == ["web1"]


def test_the_health_check_fails_where_nothing_is_served(engine: Engine) -> None:
    done = engine.run("podman", "run", "--rm", SERVER, "health", check=False)
    assert done.returncode == 3
    assert "nothing answers at" in done.stderr


def test_another_folder_of_pages_can_be_mounted(engine: Engine, start: Start, tmp_path: Path) -> None:
    pages = ROOT / "packages" / "nixfleet-web" / "src" / "nixfleet_web" / "static"
    for page in ("index.html", "login.html"):
        (tmp_path / page).write_text((pages / page).read_text() + "<!-- another -->")
    tmp_path.chmod(0o755)
    port = free_port()
    name = start(
        f"--publish=127.0.0.1:{port}:8000",
        f"--volume={tmp_path}:/web:ro",
        NIXFLEET_WEB_DIR="/web",
        NIXFLEET_ALLOW_PLAIN_HTTP="1",
    )
    until(lambda: healthy(engine, name), "the server is ready")
    assert httpx.get(f"http://127.0.0.1:{port}/login").text.endswith("<!-- another -->")
