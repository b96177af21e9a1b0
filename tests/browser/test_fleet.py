"""The fleet page against a real server: logging in, hosts that come and change, buttons, narrow screens."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from nixfleet_protocol.messages import Facts, Metrics
from tests.browser.chromium import PHONE
from tests.browser.conftest import LogIn
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab, until

pytestmark = pytest.mark.needs("chromium", "git")

Simulate = Callable[..., SimulatedAgent]


def row(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.locator(f'[data-host="{name}"]')


def button(page: Page, name: str, host: str):  # type: ignore[no-untyped-def]
    return page.get_by_role("button", name=f"{name}: {host}", exact=True)


def test_without_a_login_the_page_leads_to_it_and_back(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet, "/")
    assert page.url == f"{fleet.server.url}/"


def test_a_wrong_password_is_told_and_the_right_one_then_works(fleet: Lab, watched: BrowserContext) -> None:
    page = watched.new_page()
    page.goto(f"{fleet.server.url}/login")
    page.get_by_label("Password").fill("not it")
    page.keyboard.press("Enter")
    error = page.get_by_role("alert")
    expect(error).to_contain_text("password")
    expect(page.get_by_label("Password")).to_be_focused()
    assert page.url.endswith("/login")
    page.get_by_label("Password").fill(fleet.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()


def test_logging_out_ends_the_session(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login$"))
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto(fleet.server.url)
    assert page.url.endswith("/login")


def test_a_host_appears_without_a_reload_with_what_it_reports(
    fleet: Lab, log_in: LogIn, simulate: Simulate
) -> None:
    page = log_in(fleet)
    facts = Facts(os="NixOS", os_version="25.11", generation="128", commit="1f3c0b8a9d7e", branch="main")
    simulate("arrives", facts=facts, metrics=Metrics(cpu=71.0, ram=93.0))
    host = row(page, "arrives")
    expect(host).to_contain_text("Online")
    for text in ("NixOS 25.11", "Gen 128", "1f3c0b8a", "71%", "93%"):
        expect(host).to_contain_text(text)
    cpu, ram = (
        host.get_by_role("meter", name=f"{what} arrives")
        for what in ("Processor load of", "Memory in use on")
    )
    expect(cpu).to_have_attribute("data-tone", "warn")
    expect(ram).to_have_attribute("data-tone", "bad")


def test_a_host_that_goes_turns_offline_and_its_buttons_say_why(
    fleet: Lab, log_in: LogIn, simulate: Simulate
) -> None:
    agent = simulate()
    page = log_in(fleet)
    expect(row(page, "web1")).to_contain_text("Online")
    agent.close()
    expect(row(page, "web1")).to_contain_text("Offline")
    expect(button(page, "Pull", "web1")).to_be_disabled()
    expect(button(page, "Pull", "web1")).to_have_attribute("title", "web1 is not connected")


def test_buttons_follow_the_servers_state_while_a_command_runs(
    fleet: Lab, log_in: LogIn, simulate: Simulate
) -> None:
    agent = simulate(play=lambda self, command: self.begin(command))
    page = log_in(fleet)
    expect(button(page, "Stop", "web1")).to_be_disabled()
    button(page, "Test", "web1").click()
    for name in ("Pull", "Switch", "Pull + Switch", "Test"):
        expect(button(page, name, "web1")).to_be_disabled()
    expect(button(page, "Stop", "web1")).to_be_enabled()
    agent.end(agent.commands[0])
    expect(button(page, "Test", "web1")).to_be_enabled()
    expect(button(page, "Stop", "web1")).to_be_disabled()


def test_what_can_hurt_asks_first(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    agent = simulate(play=lambda self, command: self.end(command))
    page = log_in(fleet)
    button(page, "Switch", "web1").click()
    question = page.get_by_role("dialog", name="Switch web1?")
    expect(question).to_contain_text("activates it at once")
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    assert agent.commands == []
    button(page, "Switch", "web1").click()
    question.get_by_role("button", name="Switch").click()
    until(lambda: agent.commands, "the command at the agent")
    assert agent.commands[0].command == "switch"


def test_a_refusal_is_told_in_the_servers_words(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    simulate(play=lambda self, command: self.begin(command))
    page = log_in(fleet)
    expect(button(page, "Pull", "web1")).to_be_enabled()
    page.route(
        "**/api/v1/hosts/web1/runs", lambda route: (fleet.client.run("web1", "test"), route.continue_())
    )
    button(page, "Pull", "web1").click()
    expect(page.get_by_role("log", name="Messages")).to_contain_text("test")


def test_the_keyboard_does_it_all(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    agent = simulate(play=lambda self, command: (self.begin(command), self.say(command, "typed")))
    page = log_in(fleet)
    test_button = button(page, "Test", "web1")
    test_button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("nf-log")).to_contain_text("typed")
    expect(test_button).to_be_focused()  # disabled now, and still where the operator was
    agent.end(agent.commands[0])
    expect(page.locator("#outcome")).to_contain_text("Test on web1: ok")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Runs and output")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_phone_shows_all_without_scrolling_sideways(
    fleet: Lab, log_in: LogIn, simulate: Simulate, scheme: str
) -> None:
    name = f"a-host-with-quite-a-long-name-on-a-small-{scheme}"
    simulate(name, facts=Facts(os="NixOS" * 12, generation="9" * 60), metrics=Metrics(cpu=1.0, ram=2.0))
    page = log_in(fleet)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    expect(row(page, name)).to_contain_text("Online")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("document.getElementById('main').scrollWidth") <= PHONE["width"]
    for what in ("Pull", "Switch", "Pull + Switch", "Test", "Stop", "More"):
        box = button(page, what, name).bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]


def test_the_theme_can_be_chosen_and_is_kept(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    page.emulate_media(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Theme: as the system").click()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert page.evaluate(background) != dark
    page.reload()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert page.evaluate(background) != dark


def test_hosts_that_say_nothing_are_not_said_to_be_filtered(tmp_path: Path, log_in: LogIn) -> None:
    """Nothing is heard after the first picture that could put it right."""
    with lab(tmp_path) as here:
        here.server.add_host("silent")
        page = log_in(here)
        expect(page.locator('[data-host="silent"]')).to_be_visible()
        expect(page.get_by_text("No host is like that")).to_be_hidden()
        page.get_by_role("searchbox", name="Filter the hosts").fill("another")
        expect(page.get_by_text("No host is like that")).to_be_visible()
        page.get_by_role("button", name="Show all hosts").click()
        expect(page.locator('[data-host="silent"]')).to_be_visible()
