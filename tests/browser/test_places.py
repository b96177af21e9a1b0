"""Where one is: the focus and the place on a page are kept, and what is not there says so and nothing else."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from nixfleet_protocol.messages import CommandMessage
from tests.browser.conftest import LogIn
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, until

pytestmark = pytest.mark.needs("chromium", "git")

Simulate = Callable[..., SimulatedAgent]
SMALL = {"width": 320, "height": 640}  # 1280 pixels at 400 %
LOW = {"width": 320, "height": 256}


@pytest.fixture
def failed(fleet: Lab, simulate: Simulate) -> Iterator[SimulatedAgent]:
    """web1, whose last run failed."""

    def play(agent: SimulatedAgent, command: CommandMessage) -> None:
        agent.begin(command)
        for number in range(60):
            agent.say(command, f"line {number}")
        agent.end(command, "failed", exit_code=1, message="it did not work")

    agent = simulate(play=play)
    fleet.client.run("web1", "pull").wait(60)
    yield agent
    agent.close()


def scrolled(page: Page) -> int:
    top: int = page.locator("#main").evaluate("(main) => Math.round(main.scrollTop)")
    return top


@pytest.mark.usefixtures("failed")
def test_a_run_opened_by_the_keyboard_has_the_focus_and_gives_it_back(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    link = page.get_by_role("link", name="Read its output: web1")
    link.focus()
    page.keyboard.press("Enter")
    title = page.get_by_role("heading", name="Pull on web1")
    expect(title).to_be_focused()
    times = page.get_by_role("button", name="Time of each line")
    before = times.get_attribute("aria-pressed")
    page.keyboard.press("t")
    expect(times).not_to_have_attribute("aria-pressed", before or "")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Runs and output")).to_be_hidden()
    expect(link).to_be_focused()


def test_a_run_that_the_page_opens_leaves_the_focus(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    agent = simulate(play=lambda self, command: self.begin(command))
    page = log_in(fleet)
    hosts = page.get_by_role("list", name="Hosts")
    hosts.get_by_role("link", name="web1").scroll_into_view_if_needed()  # far from the view it is a name only
    button = page.get_by_role("button", name="Test: web1", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    until(lambda: agent.commands, "the command at the agent")
    for number in range(40):
        agent.say(agent.commands[0], f"line {number}")
    dock = page.get_by_role("region", name="Runs and output")
    expect(dock).to_contain_text("line 39")
    expect(dock.locator(".run-facts")).to_contain_text("40 lines")
    expect(button).to_be_focused()
    agent.end(agent.commands[0])
    dock.get_by_role("button", name="Use the whole height").click()
    top = dock.bounding_box()
    assert top is not None
    at = "([x, y]) => document.elementFromPoint(x, y).closest('#dock') !== null"
    assert page.evaluate(at, [top["x"] + 400, top["y"] + 20]), "nothing of the page lies over it"
    assert page.locator("#main").evaluate("(main) => main.inert")


def test_back_leads_to_the_place_one_left(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    for number in range(12):
        simulate(f"row{number:02}")
    page = log_in(fleet)
    expect(page.locator("[data-host]")).to_have_count(fleet_size := page.locator("[data-host]").count())
    assert fleet_size >= 12
    link = page.get_by_role("link", name="row09", exact=True)
    link.scroll_into_view_if_needed()
    before = scrolled(page)
    assert before > 0
    link.click()
    expect(page.get_by_role("heading", name="row09", level=1)).to_be_focused()
    assert scrolled(page) == 0
    page.go_back()
    expect(link).to_be_focused()
    assert scrolled(page) == before
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Fleet", exact=True).click()
    expect(page.get_by_role("heading", name="Fleet", level=1)).to_be_focused()
    assert scrolled(page) == 0, "a link leads to the top"


def test_a_host_that_is_not_there_offers_nothing_to_do_to_it(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    page.goto(f"{fleet.server.url}/#/hosts/nope")
    main = page.get_by_role("main")
    expect(main).to_contain_text("There is no host of this name")
    expect(main.get_by_role("button")).to_have_count(0)
    expect(main.get_by_text("No run yet").locator("visible=true")).to_have_count(0)
    expect(page.locator(".toast")).to_have_count(0)
    main.get_by_role("link", name="To the fleet").click()
    expect(page.get_by_role("heading", name="Fleet", level=1)).to_be_visible()


@pytest.mark.usefixtures("failed")
def test_at_four_hundred_percent_all_is_in_reach(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    page.set_viewport_size(SMALL)  # type: ignore[arg-type]
    over = "() => document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(over) <= 0
    page.set_viewport_size(LOW)  # type: ignore[arg-type]
    page.get_by_role("link", name="Read its output: web1").click()
    lines = page.locator(".log-scroller")
    lines.scroll_into_view_if_needed()
    seen = lines.bounding_box()
    assert seen is not None
    assert seen["height"] >= 100
    assert seen["y"] >= 0
    assert seen["y"] + seen["height"] <= LOW["height"] + 1, "all of it is seen at once"
    assert page.evaluate(over) <= 0
