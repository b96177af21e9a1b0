"""The container's files without building anything."""

import subprocess
import sys
from pathlib import Path

import yaml

from scripts.build import ROOT

DOCKER = ROOT / "docker"


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "hadolint", DOCKER / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_every_compose_file_keeps_the_server_small_and_behind_the_proxy() -> None:
    files = sorted(DOCKER.glob("compose*.yaml"))
    assert [file.name for file in files] == ["compose.traefik.yaml", "compose.yaml"]
    for file in files:
        server = yaml.safe_load(file.read_text())["services"]["server"]
        assert server["restart"] == "always"
        assert server["read_only"] is True
        assert server["cap_drop"] == ["ALL"]
        assert "ports" not in server, "the server is reached through the proxy only"
        assert "NIXFLEET_TRUSTED_PROXIES" in server["environment"]
