"""The generations of a host of real Nix: what each changed, what returning would change, and the return."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LogIn
from tests.support.lab import Lab
from tests.support.nixhost import NixHost

pytestmark = pytest.mark.needs("chromium", "nix", "git")


def test_a_generation_says_what_it_changed_is_compared_and_returned_to(
    fleet: Lab, log_in: LogIn, tmp_path: Path
) -> None:
    host = NixHost(tmp_path / "host")
    (host.root / "run/systemd/system").mkdir(parents=True)
    fleet.nix_agent(
        host, NIXFLEET_CONFIRM_TIMEOUT="30", NIXFLEET_INTERVAL="300"
    )  # what ends is told by itself
    for version in ("1.0", "2.0"):
        host.commit({"version": version})
        assert fleet.client.run("web1", "pull-switch").wait(60).result == "ok"

    page = log_in(fleet, "/#/hosts/web1")
    shown = page.get_by_role("region", name="Generations")
    newest, first = (shown.locator(".generation").filter(has_text=f"Generation {n}") for n in (2, 1))
    newest.get_by_text("What it changed").click()
    expect(newest.get_by_role("table", name="Changed")).to_contain_text("hello1.0 → 2.0")
    expect(newest.get_by_role("button")).to_have_count(0)  # it runs already

    shown.get_by_role("button", name="Compare generation 1 with what runs").click()
    expect(first).to_contain_text("What returning to it would change")
    expect(first.get_by_role("table", name="Changed")).to_contain_text("hello2.0 → 1.0")
    expect(first.get_by_role("table", name="Units")).to_contain_text("would restarthello.service")
    assert host.current == "nixos-system-web1-2.0"

    shown.get_by_role("button", name="Roll back to generation 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(first).to_contain_text("runs now")
    expect(first.get_by_role("table")).to_have_count(0)  # what was compared is so no more
    assert host.current == "nixos-system-web1-1.0"
