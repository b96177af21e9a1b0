"""The flake's outputs, evaluated with stand-in inputs: no lock file is shipped, so nothing can be fetched."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from scripts.build import PACKAGES, ROOT
from tests.nix.nix import HERE, NIX, environment, evaluate

pytestmark = pytest.mark.needs("nix")
SYSTEMS = {"x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"}


def test_every_file_parses() -> None:
    files = [ROOT / "flake.nix", *NIX.glob("*.nix")]
    done = subprocess.run(["nix-instantiate", "--parse", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_outputs(tmp_path: Path) -> None:
    found = evaluate(f"import {HERE}/standin/outputs.nix", tmp_path)

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
    found = evaluate(f"import {HERE}/standin/outputs.nix", tmp_path)["packages"]["x86_64-linux"]
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


def test_nix_itself_shows_the_flake(tmp_path: Path) -> None:
    """As a flake: pure, from a copy in the store, with an input of its own."""
    source = tmp_path / "source"
    for part in ("nix", "packages"):
        shutil.copytree(
            ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    shutil.copy(ROOT / "flake.nix", source)
    nixpkgs = shutil.copytree(HERE / "standin", tmp_path / "nixpkgs")
    (nixpkgs / "flake.nix").write_text("{ outputs = _: import ./nixpkgs.nix; }")
    argv = [
        "nix",
        "--extra-experimental-features",
        "nix-command flakes",
        "flake",
        "show",
        "--json",
        "--offline",
    ]
    argv += ["--no-write-lock-file", f"path:{source}", "--override-input", "nixpkgs", f"path:{nixpkgs}"]
    done = subprocess.run(
        argv, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert set(shown["packages"]["x86_64-linux"]) == {"agent", "server", "web", "client", "default"}
    assert shown["packages"]["x86_64-linux"]["agent"]["type"] == "derivation"
    assert shown["apps"]["aarch64-darwin"]["demo"]["type"] == "app"
    assert shown["nixosModules"]["agent"]["type"] == "nixos-module"


def test_no_lock_file_is_shipped() -> None:
    assert not (ROOT / "flake.lock").exists()
