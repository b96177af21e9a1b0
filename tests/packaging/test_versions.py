"""Released and current packages side by side, each in a clean environment: operators upgrade on different days."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as Late
from playwright.sync_api import expect

import demo.fleet
import demo.processes
from demo import once
from demo.fleet import running
from scripts.build import PACKAGES, ROOT, build
from tests.browser.chromium import chromium
from tests.packaging.test_wheels import clean_environment, run
from tests.support.lab import lab, until

pytestmark = pytest.mark.long
RELEASED = ROOT / "tests" / "wheels" / "0.1.0"
Environment = Callable[..., Path]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Make a clean environment of released and current wheels; gives its bin directory. Made once for each choice."""
    wheels = tmp_path_factory.mktemp("dist")
    build(wheels, sdist=False)
    for wheel in RELEASED.glob("*.whl"):
        (wheels / wheel.name).write_bytes(wheel.read_bytes())
    made: dict[tuple[str, ...], Path] = {}

    def environment(*requirements: str) -> Path:
        if requirements not in made:
            place = tmp_path_factory.mktemp("venv")
            made[requirements] = clean_environment(place, wheels, *requirements)
        return made[requirements]

    return environment


def versions(binaries: Path) -> dict[str, str]:
    listed = run(binaries / "python", "-m", "pip", "list", "--format=json").stdout
    return {one["name"]: one["version"] for one in json.loads(listed) if one["name"] in PACKAGES}


def test_each_package_moves_on_while_the_released_others_stay(environment: Environment) -> None:
    """The ranges let an operator upgrade one at a time; the protocol alone has to come along."""
    server = environment("nixfleet-server", "nixfleet-web==0.1.0")
    assert versions(server)["nixfleet-web"] == "0.1.0"
    assert versions(server)["nixfleet-server"] != "0.1.0"
    page = environment("nixfleet-server==0.1.0", "nixfleet-web>0.1.0")
    assert versions(page)["nixfleet-server"] == "0.1.0"
    protocol = environment("nixfleet-agent==0.1.0", "nixfleet-protocol>0.1.0")
    assert versions(protocol)["nixfleet-agent"] == "0.1.0"


@pytest.mark.needs("git", "nix")
@pytest.mark.parametrize(
    ("server", "agent"),
    [
        (("nixfleet-server",), ("nixfleet-agent==0.1.0", "nixfleet-protocol==0.1.0")),
        (("nixfleet-server==0.1.0", "nixfleet-protocol==0.1.0", "nixfleet-web==0.1.0"), ("nixfleet-agent",)),
        (("nixfleet-server", "nixfleet-web==0.1.0"), ("nixfleet-agent==0.1.0", "nixfleet-protocol>0.1.0")),
    ],
    ids=["old agent, new server", "new agent, old server", "old web and agent, new server and protocol"],
)
def test_the_demo_across_versions(
    environment: Environment,
    server: tuple[str, ...],
    agent: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    programs = {"nixfleet_server": environment(*server), "nixfleet_agent": environment(*agent)}

    def command(package: str, *args: str) -> list[str]:
        return [str(programs[package] / "python"), "-P", "-m", package, *args]

    monkeypatch.setattr(demo.processes, "command", command)
    if "nixfleet-agent==0.1.0" in agent:  # it knows hosts of scripts only
        made = demo.fleet._demo_environment
        monkeypatch.setattr(
            demo.fleet, "_demo_environment", lambda host, *rest: made(replace(host, nix=False), *rest)
        )
    with running(tmp_path / "demo", port=None, pause=0.05) as fleet:
        assert once.check(fleet), capsys.readouterr().out


def test_the_released_command_line_works_with_this_server(environment: Environment, tmp_path: Path) -> None:
    binaries = environment("nixfleet-protocol[client]==0.1.0")
    with lab(tmp_path) as here:
        here.agent("web1", {"switch": "echo switched"})
        env = {"NIXFLEET_URL": here.server.url, "NIXFLEET_TOKEN": here.token}
        assert "web1" in run(binaries / "nixfleet", "hosts", **env).stdout
        done = run(binaries / "nixfleet", "run", "web1", "switch", "--follow", **env)
        assert (done.returncode, "switched" in done.stdout) == (0, True), done.stderr


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(
    "server",
    [("nixfleet-server", "nixfleet-web==0.1.0"), ("nixfleet-server==0.1.0", "nixfleet-web>0.1.0")],
    ids=["old page, new server", "new page, old server"],
)
def test_a_page_of_another_version_logs_in_and_shows_the_fleet(
    environment: Environment, server: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = environment(*server)

    def command(package: str, *args: str) -> list[str]:
        if package == "nixfleet_server":
            return [str(binaries / "python"), "-P", "-m", package, *args]
        return original(package, *args)

    original = demo.processes.command
    monkeypatch.setattr(demo.processes, "command", command)
    with lab(tmp_path) as here, chromium() as browser:
        here.agent("web1", {"switch": "echo switched by hand"})
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        lost: list[str] = []
        page.on("requestfailed", lambda request: lost.append(f"{request.url} {request.failure}"))
        page.on("console", lambda message: lost.append(message.text))
        page.goto(f"{here.server.url}/login")
        for _ in range(
            2
        ):  # the page of 0.1.0 lets the browser send the form where its script was not there yet
            page.get_by_label("Password").fill(here.password)
            page.keyboard.press("Enter")
            with suppress(Late):
                page.wait_for_url(f"{here.server.url}/", timeout=10_000)
                break
        shown = f"{page.url}: {faults} {lost}"
        expect(page.get_by_text("web1").first, shown).to_be_visible(timeout=20_000)
        page.get_by_role("button", name="Switch").first.click()
        confirm = page.get_by_role("dialog").get_by_role("button", name="Switch", exact=True)
        confirm.or_(page.get_by_text("switched by hand")).first.wait_for()
        if confirm.is_visible():
            confirm.click()
        until(lambda: [run.result for run in here.client.runs("web1")] == ["ok"], "the switch ends well")
        expect(page.get_by_text("switched by hand").first).to_be_visible(timeout=20_000)
        assert faults == []
