"""Adding a host in the page: a way, a name, the steps to copy, and the row that turns green."""

from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from nixfleet_protocol.messages import Facts
from tests.browser.chromium import PHONE
from tests.browser.conftest import LogIn
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab

pytestmark = pytest.mark.needs("chromium")


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Add a host")


def token_in(text: str) -> str:
    return text.split("'%s\\n' '")[1].split("'")[0]


def test_an_empty_fleet_leads_to_the_dialog_and_its_steps_bring_the_host(
    tmp_path: Path, log_in: LogIn
) -> None:
    with lab(tmp_path) as mine:
        brings_the_host(mine, log_in(mine))


def brings_the_host(mine: Lab, page: Page) -> None:
    page.get_by_role("main").get_by_role("link", name="Add a host").click()
    add = dialog(page)
    expect(add.get_by_role("tab", name="NixOS")).to_have_attribute("aria-selected", "true")
    add.get_by_label("Name").fill("new1")
    add.get_by_label("Repository").fill("git@git.example.org:me/fleet.git")
    page.keyboard.press("Enter")
    expect(add.get_by_role("status")).to_contain_text("Waiting for new1 to connect")
    configuration = add.locator("pre").nth(1)
    expect(configuration).to_contain_text('repository.url = "git@git.example.org:me/fleet.git";')
    expect(configuration).to_contain_text('hostname = "new1";')
    token = token_in(add.locator("pre").first.inner_text())
    page.keyboard.press("Escape")
    expect(add).to_be_hidden()
    page.get_by_role("link", name="Add host").click()
    expect(add.locator("pre").first).to_contain_text(token)  # opened again, it is the same token
    with closing(
        SimulatedAgent(mine.server.url, token, "new1", facts=Facts(os="NixOS", os_version="25.11"))
    ) as agent:
        agent.start()
        expect(add.get_by_role("status")).to_contain_text("new1 is here")
        expect(add.get_by_role("status")).to_contain_text("NixOS 25.11")
        add.get_by_role("button", name="Open it").click()
        expect(page.get_by_role("heading", name="new1", level=1)).to_be_visible()


def test_with_pip_one_command_enrolls_whatever_the_host_calls_itself(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet, "/#/add")
    add = dialog(page)
    add.get_by_role("tab", name="pip").click()
    add.get_by_role("button", name="Make its token").click()
    expect(add.locator("pre")).to_have_count(1)
    program, verb, url, token = add.locator("pre").inner_text().rpartition("&& ")[2].split()
    assert (program, verb, url) == ("nixfleet-agent", "enroll", fleet.server.url)
    answer = httpx.post(f"{url}/api/v1/enroll", json={"token": token, "hostname": "by-pip"})
    with closing(SimulatedAgent(url, answer.json()["token"], "by-pip")) as agent:
        agent.start()
        expect(add.get_by_role("status")).to_contain_text("by-pip is here")


def test_tabs_turn_with_arrows_and_say_what_each_way_needs(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet, "/#/add")
    add = dialog(page)
    for name, command in (("nix-darwin", "darwin-rebuild"), ("home-manager", "home-manager switch")):
        add.get_by_role("tab", selected=True).focus()
        page.keyboard.press("ArrowRight")
        expect(add.get_by_role("tab", name=name)).to_be_focused()
        if add.get_by_label("Name").is_visible():
            add.get_by_label("Name").fill("mac1")
            add.get_by_role("button", name="Make its token").click()
        expect(add.locator("pre").last).to_contain_text(command)
    assert "mac1" in {host.host_id for host in fleet.client.hosts()}


def test_a_name_that_is_taken_or_none_is_told_before_anything_is_made(fleet: Lab, log_in: LogIn) -> None:
    if "taken" not in {host.host_id for host in fleet.client.hosts()}:
        fleet.server.add_host("taken")
    page = log_in(fleet, "/#/add")
    add = dialog(page)
    make = add.get_by_role("button", name="Make its token")
    for name, words in (("", "Give the host a name"), ("-x", "A name has letters"), ("taken", "already")):
        add.get_by_label("Name").fill(name)
        make.click()
        expect(add.get_by_role("alert")).to_contain_text(words)
    expect(add.locator("pre")).to_have_count(0)


def test_a_look_at_another_way_costs_no_token(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet, "/#/add")
    add = dialog(page)
    name = add.get_by_label("Name")
    name.fill("kept1")
    add.get_by_role("tab", name="pip").click()
    expect(name).to_have_value("kept1")  # typed, and not used yet
    add.get_by_role("tab", name="NixOS").click()
    add.get_by_role("button", name="Make its token").click()
    token = token_in(add.locator("pre").first.inner_text())
    add.get_by_role("tab", name="pip").click()
    expect(name).to_have_value("")
    add.get_by_role("button", name="Make its token").click()
    enroll = add.locator("pre")
    expect(enroll).to_contain_text("nixfleet-agent enroll")
    command = enroll.inner_text()
    add.get_by_role("tab", name="home-manager").click()
    expect(add.locator("pre").first).to_contain_text(token)
    with closing(SimulatedAgent(fleet.server.url, token, "kept1")) as agent:
        add.get_by_role("tab", name="pip").click()
        expect(enroll).to_have_text(command)
        agent.start()
        expect(page.locator('[data-host="kept1"]')).to_contain_text("Online")
        expect(add.get_by_role("status")).to_contain_text("Waiting for the host")
        add.get_by_role("tab", name="NixOS").click()
        expect(add.get_by_role("status")).to_contain_text("kept1 is here")


def test_a_taken_name_leads_to_the_page_that_makes_a_new_token(fleet: Lab, log_in: LogIn) -> None:
    if "taken" not in {host.host_id for host in fleet.client.hosts()}:
        fleet.server.add_host("taken")
    page = log_in(fleet, "/#/add")
    add = dialog(page)
    add.get_by_label("Name").fill("taken")
    add.get_by_role("button", name="Make its token").click()
    expect(add.get_by_role("alert")).to_contain_text("There is a host taken already.")
    add.get_by_role("link", name="new token").click()
    expect(add).to_be_hidden()
    expect(page.get_by_role("heading", name="taken", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="New token")).to_be_visible()


def test_no_repository_is_a_blank_to_fill_in(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet, "/#/add")
    add = dialog(page)
    add.get_by_label("Name").fill("blank1")
    add.get_by_role("button", name="Make its token").click()
    expect(add).to_contain_text("with the module imported, and its repository filled in")
    configuration = add.locator("pre").nth(1)
    expect(configuration).to_contain_text("# Fill in the repository of its configuration")
    expect(configuration).not_to_contain_text("git.example.org")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_on_a_phone_it_fills_the_screen_and_nothing_sticks_out(
    fleet: Lab, log_in: LogIn, scheme: str
) -> None:
    page = log_in(fleet)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{fleet.server.url}/#/add")
    add = dialog(page)
    add.get_by_label("Name").fill(f"phone-{scheme}")
    add.get_by_role("button", name="Make its token").click()
    expect(add.locator("pre")).to_have_count(3)
    assert add.evaluate("element => element.scrollWidth") <= PHONE["width"]
