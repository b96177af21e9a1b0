"""Each package installs and works from its own wheel plus its declared siblings, in a clean environment."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.processes import Process, end_all_under
from demo.processes import clean_environment as clean
from nixfleet_agent.environment import parse
from scripts.build import PACKAGES, ROOT, build
from tests.support.lab import Lab, lab

_NOT_SOURCE = shutil.ignore_patterns("__pycache__", "node_modules", "dist")
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


def clean_environment(place: Path, wheels: Path, *requirements: str) -> Path:
    """A new virtual environment with just these requirements; returns its bin directory."""
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
            *requirements,
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


@pytest.mark.long
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
    made = []
    for place, when in ((tmp_path / "first", 1), (tmp_path / "second", 2_000_000_000)):
        source = shutil.copytree(ROOT / "packages", tmp_path / f"packages-{when}", ignore=_NOT_SOURCE)
        for path in source.rglob("*"):  # a checkout of another day
            os.utime(path, (when, when))
        build(place, packages=source)
        made.append({file.name: file.read_bytes() for file in place.iterdir()})
    first, second = made
    assert len(first) == 2 * len(PACKAGES)
    assert [name for name in first if first[name] != second.get(name)] == []
    assert {wheel.name: wheel.read_bytes() for wheel in wheels.glob("*.whl")}.items() <= first.items()


def test_what_is_built_is_fit_to_be_uploaded(tmp_path: Path) -> None:
    build(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *tmp_path.iterdir()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2 * len(PACKAGES)
    for package in PACKAGES:
        module = package.replace("-", "_")
        [wheel] = tmp_path.glob(f"{module}-*.whl")
        [sdist] = tmp_path.glob(f"{module}-*.tar.gz")
        with zipfile.ZipFile(wheel) as inside:
            names = inside.namelist()
        assert f"{module}/py.typed" in names
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
        with tarfile.open(sdist) as inside:
            names = [name.partition("/")[2] for name in inside.getnames()]
        assert {"LICENSE", "CHANGELOG.md", "README.md", f"src/{module}/py.typed"} <= set(names)


@pytest.mark.long
def test_pip_install_then_enroll_joins_a_running_server(here: Lab, wheels: Path, tmp_path: Path) -> None:
    binaries = clean_environment(tmp_path / "venv", wheels, "nixfleet-agent")
    source = here.repository("joined", {"switch": "echo switched by who joined"})
    admin = here.server.add_token("enrolling", "admin")
    made = httpx.post(
        f"{here.server.url}/api/v1/enroll-tokens",
        json={"host": "joined"},
        headers={"Authorization": f"Bearer {admin}"},
    ).json()
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": str(tmp_path / "state")}
    words = ("enroll", here.server.url, made["token"], "--user", "--no-start", "--hostname", "joined")
    more = ("--repo-url", source, "--platform", "script", "--set", "NIXFLEET_INTERVAL=1")

    joined = run(binaries / "nixfleet-agent", *words, *more, **home)

    assert joined.returncode == 0, joined.stderr
    environment = parse((tmp_path / ".config" / "nixfleet" / "agent.env").read_text())
    agent = Process(
        [str(binaries / "nixfleet-agent"), "run"], clean(home | environment), tmp_path / "agent.log"
    )
    agent.start()
    try:
        here.online("joined")
        ended = here.ended(here.client.run("joined", "pull-switch").id)
        assert ended.result == "ok", agent.tail()
        assert b"switched by who joined" in here.server_log(ended.run_id)
        told = run(binaries / "nixfleet-agent", "unenroll", "--user", **home)
        assert told.returncode == 0, told.stderr
        assert not (tmp_path / ".config" / "nixfleet").exists()
    finally:
        agent.end()
        end_all_under(tmp_path)
    used = run(binaries / "nixfleet-agent", *words, **home)
    assert used.returncode == 4
    assert "nixfleet-server enroll-token" in used.stderr
