"""An operator's work on the fleet page: find, filter, select, command many, read what failed, go back; all by keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import views
from tests.browser.chromium import PHONE
from tests.browser.conftest import LogIn
from tests.browser.gallery import gallery
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, until

pytestmark = pytest.mark.needs("chromium", "git")


@pytest.fixture(scope="module")
def hosts(fleet: Lab) -> Iterator[dict[str, SimulatedAgent]]:
    with gallery(fleet) as agents:
        yield agents


@pytest.fixture
def page(fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn) -> Page:
    made = log_in(fleet)
    expect(made.locator("[data-host]").first).to_be_visible()  # before that there is nothing to filter
    return made


def names(page: Page) -> list[str]:
    """The hosts shown, in order."""
    return page.locator("[data-host]").evaluate_all("(rows) => rows.map((row) => row.dataset.host)")


def asked(agent: SimulatedAgent, command: str) -> int:
    return sum(one.command == command for one in agent.commands)


def test_hosts_are_by_criticality_then_name_and_problems_come_first(fleet: Lab, page: Page) -> None:
    fleet.client.run("mail", "switch").wait(30)  # it fails, also after another test's roll back
    expect(page.locator("[data-host]").first).to_be_visible()
    assert names(page)[:4] == ["db-main", "gate", "mail", "builder-1"]
    cards = page.locator("#problem-list .problem")
    expect(cards.filter(has_text="mail")).to_contain_text("caddy-2.10 did not build")
    expect(cards.filter(has_text="edge-fra")).to_contain_text("Running, unreachable")
    tones = cards.evaluate_all("(all) => all.map((one) => one.dataset.tone)")
    assert tones == sorted(tones), "what is bad comes before what is only odd"
    expect(page).to_have_title("(6) Fleet · NixFleet")
    expect(page.locator("#favicon")).to_have_attribute("href", "/static/icons/favicon-bad.svg")


def test_a_row_says_what_sets_a_host_apart(page: Page) -> None:
    row = page.locator('[data-host="db-main"]')
    for text in ("Gen 187", "reboot needed", "Swap", "34%", "6.2"):
        expect(row).to_contain_text(text)
    expect(row.locator(".chip")).to_have_attribute("title", "Because of: kernel, initrd")
    expect(page.locator('[data-host="builder-1"]')).to_contain_text("1 behind")
    expect(page.locator('[data-host="builder-1"]')).to_contain_text("dirty")
    ram = row.get_by_role("meter", name="Memory in use on db-main")
    expect(ram).to_have_attribute("aria-valuetext", "93 percent, very high")
    expect(ram).to_contain_text("▲▲")  # not by colour alone


def test_filter_groups_sort_and_columns(page: Page) -> None:
    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Filter the hosts")
    expect(field).to_be_focused()
    field.fill("nixos behind")
    expect(page.locator("[data-host]")).to_have_count(2)
    field.press("Escape")
    expect(page.locator("[data-host]")).to_have_count(10)
    page.get_by_role("button", name="1 to reboot").click()
    assert names(page) == ["db-main"]
    page.get_by_role("button", name="1 to reboot").click()
    view = page.get_by_role("button", name="View", exact=True)
    view.click()
    page.get_by_role("menuitemcheckbox", name="Highest CPU first").click()
    expect(page.locator("[data-host]").first).to_have_attribute("data-host", "builder-1")
    view.click()
    page.get_by_role("menuitemcheckbox", name="Load", exact=True).click()
    expect(page.locator('[data-host="gate"]').get_by_role("meter").first).to_be_hidden()
    page.reload()
    expect(page.locator("[data-host]").first).to_have_attribute("data-host", "builder-1")
    expect(page.locator('[data-host="gate"]').get_by_role("meter").first).to_be_hidden()


def test_a_range_is_selected_and_commanded_at_once(page: Page, hosts: dict[str, SimulatedAgent]) -> None:
    page.get_by_role("checkbox", name="Select gate").click()  # not db-main, whose past is another test's
    page.get_by_role("checkbox", name="Select edge-fra").click(modifiers=["Shift"])
    bar = page.get_by_role("group", name="Selected hosts")
    expect(bar).to_contain_text("5 hosts selected")
    bar.get_by_role("button", name="Pull", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("edge-fra is not connected")
    expect(dialog).to_contain_text("builder-1: Switch is running")
    dialog.get_by_label("How many at a time").select_option("1")
    before = {name: asked(hosts[name], "pull") for name in ("gate", "mail", "cache")}
    dialog.get_by_role("button", name="Pull ·").click()
    for name, count in before.items():
        until(lambda name=name, count=count: asked(hosts[name], "pull") == count + 1, f"{name} is asked")  # type: ignore[misc]
    expect(page.get_by_role("log", name="Messages")).to_contain_text("Pull on")
    expect(bar).to_be_hidden()
    assert asked(hosts["builder-1"], "pull") == 0


def test_the_finder_does_what_a_button_does(page: Page, hosts: dict[str, SimulatedAgent]) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("gate test")
    expect(page.get_by_role("option", selected=True)).to_contain_text("gate: Test")
    before = asked(hosts["gate"], "test")
    page.keyboard.press("Enter")
    until(lambda: asked(hosts["gate"], "test") == before + 1, "the test at the host")
    page.keyboard.press("Control+k")
    page.keyboard.type("spare switch")
    expect(page.get_by_role("option").first).to_contain_text("spare has never connected")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()  # what can't be done is not chosen


def test_by_keyboard_alone_a_failing_host_is_found_read_and_rolled_back(
    page: Page, hosts: dict[str, SimulatedAgent]
) -> None:
    expect(page.locator("[data-host]").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Filter the hosts")).to_be_focused()
    page.keyboard.type("mail")
    page.keyboard.press("j")  # still the field's
    page.keyboard.press("Backspace")
    expect(page.locator("[data-host]")).to_have_count(1)
    for _ in range(20):  # past the groups and the head of the list
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('[data-host]') !== null"):
            break
    page.keyboard.press("j")
    expect(page.locator('[data-host="mail"] h2 a')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="mail", level=1)).to_be_focused()
    strip = page.get_by_role("link", name="Switch failed")
    strip.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("nf-log")).to_contain_text("failed with exit code 2")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Runs and output")).to_be_hidden()
    page.get_by_role("button", name="Roll back to generation 92").focus()
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Roll back mail to generation 92?")
    expect(question).to_contain_text("activates generation 92 at once")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    question.get_by_role("button", name="Roll back").press("Enter")
    until(lambda: asked(hosts["mail"], "rollback"), "the roll back at the host")
    command = next(one for one in hosts["mail"].commands if one.command == "rollback")
    assert command.options.generation == 92


def test_a_run_whose_log_was_removed_still_tells_how_it_ended(page: Page, fleet: Lab) -> None:
    views.changed(page, fleet.server.url)
    dock = page.get_by_role("region", name="Runs and output")
    expect(dock).to_contain_text("This log was removed")
    expect(dock.get_by_role("table", name="New")).to_contain_text("pgvector0.8.1+612.7 KiB")
    expect(dock.get_by_role("table", name="Gone")).to_contain_text("perl5.40.0-Config-IniFiles3.000003")
    expect(dock.get_by_role("link", name="Download the log")).to_be_hidden()
    expect(page.locator(".toast")).to_have_count(0)


def test_the_menu_of_a_row_by_keyboard(page: Page) -> None:
    more = page.get_by_role("button", name="More: gate")
    more.press("Enter")
    menu = page.get_by_role("menu", name="Actions of gate")
    expect(menu.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("End")
    expect(menu.get_by_role("menuitem", name="Open its page")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(more).to_be_focused()


def test_a_host_is_described_and_its_settings_are_kept(fleet: Lab, page: Page) -> None:
    page.goto(f"{fleet.server.url}/#/hosts/db-main")
    for text in (
        "6.12.58, next boot 6.12.60",
        "needed: kernel, initrd",
        "61 GiB free of 100 GiB",
        "25.11.20261120.9ab4e27",
    ):
        expect(page.get_by_role("region", name="Host", exact=True)).to_contain_text(text)
    expect(page.get_by_role("img", name="The last 24 hours: CPU 71% now")).to_be_visible()
    page.get_by_label("Notes").fill("the one in the cellar")
    page.get_by_label("Criticality").select_option("medium")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert fleet.client.host("db-main").criticality == "medium"
    page.reload()
    expect(page.get_by_label("Notes")).to_have_value("the one in the cellar")
    page.get_by_label("Criticality").select_option("high")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()


def test_a_token_is_rotated_and_a_host_removed(fleet: Lab, log_in: LogIn) -> None:
    fleet.server.add_host("leaves")
    page = log_in(fleet)
    page.goto(f"{fleet.server.url}/#/hosts/leaves")
    page.get_by_role("button", name="New token").click()
    page.get_by_role("dialog").get_by_role("button", name="Make a new token").click()
    expect(page.locator(".token code")).not_to_be_empty()
    page.get_by_role("button", name="Remove this host").click()
    question = page.get_by_role("dialog", name="Remove leaves?")
    expect(question).to_contain_text("stops working at once")
    question.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fleet")
    expect(page.locator('[data-host="leaves"]')).to_have_count(0)


def test_a_phone_has_cards_and_the_way_around_at_the_bottom(page: Page) -> None:
    page.set_viewport_size(PHONE)
    expect(page.locator("#hosts")).to_have_attribute("data-layout", "cards")
    expect(page.locator("#problem-list .problem")).to_have_count(3)
    page.get_by_role("button", name="Show all").click()
    expect(page.locator('#fleet-groups [aria-pressed="true"]')).to_contain_text("need you")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")


def test_a_newer_page_on_the_server_is_offered_and_waits(page: Page) -> None:
    page.route("**/static/version.json", lambda route: route.fulfill(json={"version": "9.9.9"}))
    page.evaluate("dispatchEvent(new Event('focus'))")  # as on coming back to the tab
    expect(page.get_by_text("Version 9.9.9 of this page is there")).to_be_visible()
    page.get_by_role("button", name="Later").click()
    expect(page.get_by_text("Version 9.9.9 of this page is there")).to_be_hidden()
