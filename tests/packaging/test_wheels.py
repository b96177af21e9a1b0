"""Each package installs and works from its own wheel plus its declared siblings, in a clean environment."""

import os
import re
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.build import PACKAGES, ROOT, build
from tests.support.lab import Lab, lab

COMMANDS = {
    "nixfleet-protocol": "nixfleet",
    "nixfleet-server": "nixfleet-server",
    "nixfleet-agent": "nixfleet-agent",
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    build(target, sdist=False)
    return target


def clean_environment(place: Path, wheels: Path, requirement: str) -> Path:
    """A new virtual environment with just this requirement; returns its bin directory."""
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    done = subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--find-links",
            wheels,
            requirement,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / "bin"


def run(*argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
    outer = {
        name: value for name, value in os.environ.items() if not name.startswith(("NIXFLEET_", "PYTHON"))
    }
    return subprocess.run(
        [str(arg) for arg in argv],
        env=outer | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_and_answers_in_a_clean_environment(package: str, wheels: Path, tmp_path: Path) -> None:
    binaries = clean_environment(tmp_path / "venv", wheels, package)
    module = package.replace("-", "_")
    shown = run(binaries / "python", "-c", f"import {module}; print({module}.__version__)")
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", shown.stdout), shown.stderr
    if package in COMMANDS and package != "nixfleet-protocol":
        for option in ("--help", "--version"):
            done = run(binaries / COMMANDS[package], option)
            assert (done.returncode, done.stderr) == (0, "")
    if package == "nixfleet-protocol":
        done = run(binaries / "nixfleet", "hosts")
        assert done.returncode == 2
        assert "nixfleet-protocol[client]" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_released_wheels_still_install_and_speak_with_this_checkout(here: Lab, tmp_path: Path) -> None:
    released = ROOT / "tests" / "wheels" / "0.1.0"
    assert sorted(wheel.name.split("-")[0] for wheel in released.glob("*.whl")) == sorted(
        package.replace("-", "_") for package in PACKAGES
    )
    agent = here.agent("web1", {"switch": "echo switched by the release"})
    agent.process.end()
    binaries = clean_environment(tmp_path / "venv", released, "nixfleet-agent==0.1.0")
    agent.process.argv = [str(binaries / "nixfleet-agent"), "run"]
    agent.start()
    here.online("web1")
    run_here = here.client.run("web1", "switch")
    assert here.ended(run_here.id).result == "ok", here.logs()
    assert b"switched by the release" in here.server_log(run_here.id)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as made:
        yield made


def test_three_lines_of_python_and_the_command_work_from_the_client_extra(
    here: Lab, wheels: Path, tmp_path: Path
) -> None:
    binaries = clean_environment(tmp_path / "venv", wheels, "nixfleet-protocol[client]")
    here.agent("web1", {"switch": "echo switched"})
    environment = {"NIXFLEET_URL": here.server.url, "NIXFLEET_TOKEN": here.token}
    [snippet] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(snippet.strip().splitlines()) == 3

    shown = run(binaries / "python", "-c", snippet, **environment)
    assert (shown.stdout, shown.returncode) == ("ok\n", 0), shown.stderr

    done = run(binaries / "nixfleet", "run", "web1", "switch", "--follow", **environment)
    assert done.returncode == 0, done.stderr
    assert "switched" in done.stdout


def test_a_build_is_reproducible(wheels: Path, tmp_path: Path) -> None:
    build(tmp_path, sdist=False)
    for wheel in wheels.glob("*.whl"):
        assert wheel.read_bytes() == (tmp_path / wheel.name).read_bytes()
