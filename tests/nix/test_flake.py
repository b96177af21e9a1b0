"""The flake's outputs, evaluated with stand-in inputs: no lock file is shipped, so nothing can be fetched."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from scripts.build import PACKAGES, ROOT
from tests.nix.nix import HERE, NIX, evaluate

pytestmark = pytest.mark.needs("nix")
SYSTEMS = {"x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"}


def test_every_file_parses() -> None:
    files = [ROOT / "flake.nix", *NIX.glob("*.nix")]
    done = subprocess.run(["nix-instantiate", "--parse", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_outputs(tmp_path: Path) -> None:
    found = evaluate(f"import {HERE}/standin/flake.nix", tmp_path)

    assert set(found["packages"]) == set(found["apps"]) == set(found["devShells"]) == SYSTEMS
    for system in SYSTEMS:
        assert set(found["packages"][system]) == {"agent", "server", "web", "client", "default"}
        assert found["apps"][system]["demo"].endswith("/bin/nixfleet-demo")
        assert ("vm" in found["checks"][system]) == system.endswith("linux")
    assert found["modules"] == {
        "nixosModules": ["agent", "default", "server"],
        "darwinModules": ["agent", "default"],
        "homeManagerModules": ["agent", "default"],
        "homeModules": ["agent", "default"],
    }
    assert "nixfleet-agent" in found["overlay"]
    assert found["started"] == "/nix/store/nixfleet-agent/bin/nixfleet-agent run"
    assert found["nodes"] == ["server", "web1", "web2"]


def test_packages_have_the_versions_and_dependencies_of_their_pyproject(tmp_path: Path) -> None:
    found = evaluate(f"import {HERE}/standin/flake.nix", tmp_path)["packages"]["x86_64-linux"]
    names = {
        "agent": "nixfleet-agent",
        "server": "nixfleet-server",
        "web": "nixfleet-web",
        "client": "nixfleet-protocol",
    }
    assert sorted(names.values()) == sorted(PACKAGES)
    for output, name in names.items():
        folder = ROOT / "packages" / name
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        wanted = list(project["dependencies"])
        if output == "client":
            wanted += project["optional-dependencies"]["client"]
        about = (folder / "src" / name.replace("-", "_") / "__about__.py").read_text()
        assert f'"{found[output]["version"]}"' in about
        assert found[output]["dependencies"] == [requirement.split(">")[0] for requirement in wanted]


def test_no_lock_file_is_shipped() -> None:
    assert not (ROOT / "flake.lock").exists()
