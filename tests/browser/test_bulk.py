"""One command on many hosts: who is asked about, how far it is, what became of it; and a run that waits for its host."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from nixfleet_protocol.messages import CommandMessage
from tests.browser.conftest import LogIn
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, until

pytestmark = pytest.mark.needs("chromium")

NAMES = ("q1", "q2", "q3", "q4")
Simulate = Callable[..., SimulatedAgent]
Agents = dict[str, SimulatedAgent]


def begin(agent: SimulatedAgent, command: CommandMessage) -> None:
    """What is begun goes on until the test ends it, or a stop does."""
    if command.command == "stop":
        assert agent.running
        agent.end(agent.running, "stopped", message="stopped")
        agent.end(command)
    else:
        agent.begin(command)


@pytest.fixture
def agents(fleet: Lab, tokens: dict[str, str], simulate: Simulate) -> Agents:
    """Five hosts that begin what they are told; `gate` matters most."""
    if "gate" not in tokens:
        tokens["gate"] = fleet.server.add_host("gate", "high")
    return {name: simulate(name, play=begin) for name in ("gate", *NAMES)}


def end(agent: SimulatedAgent, result: str = "ok", message: str = "") -> None:
    until(lambda: agent.running, f"{agent.name} at work")
    assert agent.running
    agent.end(agent.running, result, exit_code=0 if result == "ok" else 1, message=message)


def choose(page: Page, names: tuple[str, ...], command: str) -> Locator:
    """Select them and press the command; returns the question."""
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    page.get_by_role("group", name="Selected hosts").get_by_role("button", name=command, exact=True).click()
    return page.get_by_role("dialog")


def pull_in_turn(page: Page, careful: bool = False) -> Locator:
    """Pull on all of NAMES, one after the other; returns what tells how far it is."""
    dialog = choose(page, NAMES, "Pull")
    dialog.get_by_label("How many at a time").select_option("1")
    dialog.get_by_label("After a failure, begin no more").set_checked(careful)
    dialog.get_by_role("button", name="Pull · 4").click()
    return page.get_by_role("region", name="Pull on 4 hosts")


def test_the_question_names_the_hosts_and_says_which_the_filter_hides(
    fleet: Lab, agents: Agents, log_in: LogIn
) -> None:
    page = log_in(fleet)
    page.get_by_role("checkbox", name="Select gate").check()
    page.get_by_role("searchbox", name="Filter the hosts").fill("q")
    expect(page.locator("[data-host]")).to_have_count(4)
    chosen = page.get_by_role("group", name="Selected hosts")
    expect(chosen).to_contain_text("1 host selected, 1 hidden by the filter")
    dialog = choose(page, ("q1",), "Switch")
    expect(dialog.get_by_role("heading")).to_have_text("Switch 2 hosts?")
    hosts = dialog.get_by_role("list", name="Hosts").get_by_role("listitem").filter(visible=True)
    expect(hosts).to_have_text(["q1", "gate high hidden"], use_inner_text=True)
    expect(dialog).to_contain_text("1 of them is hidden by the filter.")
    dialog.get_by_role("button", name="Cancel").click()


def test_who_is_away_is_named_and_counted_once_it_is_wanted(
    fleet: Lab, agents: Agents, log_in: LogIn
) -> None:
    agents["q2"].close()
    page = log_in(fleet)
    expect(page.locator('[data-host="q2"]')).to_contain_text("Offline")
    dialog = choose(page, ("q1", "q2"), "Pull")
    expect(dialog.get_by_role("heading")).to_have_text("Pull q1?")
    expect(dialog).to_contain_text("Left out: q2 is not connected.")
    dialog.get_by_label("Also those that are away").check()
    expect(dialog.get_by_role("heading")).to_have_text("Pull 2 hosts?")
    expect(dialog.get_by_role("list", name="Hosts")).to_contain_text("q2")
    expect(dialog).not_to_contain_text("Left out")
    dialog.get_by_role("button", name="Cancel").click()


def test_how_far_it_is_stands_above_the_hosts_until_it_is_put_away(
    fleet: Lab, agents: Agents, log_in: LogIn
) -> None:
    page = log_in(fleet)
    panel = pull_in_turn(page)
    expect(panel.get_by_role("heading")).to_have_text("Pull: 0 of 4 done, 1 running, 3 waiting, 0 failed")
    expect(panel).to_be_focused()  # the button that had the focus is gone
    expect(panel).to_be_in_viewport()
    end(agents["q1"])
    expect(panel.get_by_role("heading")).to_have_text("Pull: 1 of 4 done, 1 running, 2 waiting, 0 failed")
    expect(panel.get_by_role("button", name="Put away")).to_be_hidden()
    page.goto(f"{fleet.server.url}/#/settings")
    expect(panel).to_be_hidden()
    end(agents["q2"], "failed", "the remote says no")
    page.goto(f"{fleet.server.url}/#/")
    expect(panel.get_by_role("heading")).to_have_text("Pull: 1 of 4 done, 1 running, 1 waiting, 1 failed")
    end(agents["q3"])
    end(agents["q4"])
    expect(panel.get_by_role("heading")).to_have_text("Pull: 3 of 4 done, 1 failed")
    expect(page.locator("#outcome")).to_have_text("Pull on 4 hosts is over: 3 of 4 done, 1 failed")
    wrong = panel.get_by_role("link")
    expect(wrong).to_have_text("q2 failed the remote says no")
    wrong.click()
    expect(page.get_by_role("heading", name="Pull on q2")).to_be_visible()
    page.keyboard.press("Escape")
    panel.get_by_role("button", name="Put away: Pull on 4 hosts").click()
    expect(panel).to_have_count(0)
    expect(page.locator("#page-title")).to_be_focused()


def test_what_is_left_out_after_a_failure_is_named(fleet: Lab, agents: Agents, log_in: LogIn) -> None:
    page = log_in(fleet)
    panel = pull_in_turn(page, careful=True)
    expect(panel.get_by_role("heading")).to_contain_text("1 running")
    end(agents["q1"], "failed", "the remote says no")
    expect(panel.get_by_role("heading")).to_have_text("Pull: 0 of 4 done, 1 failed, 3 left out")
    expect(panel.get_by_role("link")).to_have_count(4)
    expect(panel.get_by_role("link").last).to_contain_text("another host's run failed before this one began")
    expect(panel.get_by_role("link").last).to_have_attribute("href", "#/hosts/q4")


def test_all_of_it_is_stopped_also_after_a_reload(fleet: Lab, agents: Agents, log_in: LogIn) -> None:
    page = log_in(fleet)
    panel = pull_in_turn(page)
    heading = panel.get_by_role("heading")
    expect(heading).to_have_text("Pull: 0 of 4 done, 1 running, 3 waiting, 0 failed")
    until(lambda: agents["q1"].running, "q1 at work")
    page.reload()
    expect(heading).to_have_text("Pull: 0 of 4 done, 1 running, 3 waiting, 0 failed")
    stop = panel.get_by_role("button", name="Stop: Pull on 4 hosts")
    stop.focus()
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Stop “Pull” on all of them?")
    expect(question).to_contain_text("It is stopped on 1 host. Every process of the command is ended")
    expect(question).to_contain_text("3 hosts where it has not begun are left out.")
    question.get_by_role("button", name="Stop all").click()
    expect(heading).to_have_text("Pull: 0 of 4 done, 1 failed, 3 left out")
    expect(panel.get_by_role("link").first).to_contain_text("q1 stopped")
    expect(panel.get_by_role("link").last).to_contain_text("before this one began")
    expect(stop).to_be_hidden()
    away = panel.get_by_role("button", name="Put away: Pull on 4 hosts")
    expect(away).to_be_focused()
    away.click()
    page.reload()
    expect(page.locator(".live")).to_have_text("Live")
    expect(panel).to_have_count(0)


def test_it_is_followed_over_a_lost_connection(fleet: Lab, agents: Agents, log_in: LogIn) -> None:
    page = log_in(fleet)
    panel = pull_in_turn(page)
    expect(panel.get_by_role("heading")).to_contain_text("1 running")
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    for name in NAMES[:3]:
        end(agents[name])
    until(lambda: agents["q4"].running, "q4 at work")
    page.context.set_offline(False)
    expect(panel.get_by_role("heading")).to_have_text("Pull: 3 of 4 done, 1 running, 0 waiting, 0 failed")
    end(agents["q4"])
    expect(panel.get_by_role("heading")).to_have_text("Pull: 4 of 4 done, 0 failed")


def test_a_server_that_does_not_tell_how_far_it_is_is_no_error(
    fleet: Lab, agents: Agents, log_in: LogIn
) -> None:
    page = log_in(fleet)
    page.route("**/api/v1/bulk/*", lambda route: route.fulfill(status=404, json={"code": "not_found"}))
    dialog = choose(page, ("q1", "q2"), "Pull")
    with page.expect_response("**/api/v1/bulk/*"):
        dialog.get_by_role("button", name="Pull · 2").click()
    expect(page.get_by_role("group", name="Selected hosts")).to_be_hidden()
    expect(page.locator("#bulks")).to_be_hidden()
    expect(page.locator('.toast[data-tone="bad"]')).to_have_count(0)
    end(agents["q1"])
    end(agents["q2"])


def test_a_host_that_is_away_gets_it_when_it_is_back(
    fleet: Lab, agents: Agents, log_in: LogIn, simulate: Simulate
) -> None:
    agents["q1"].close()
    page = log_in(fleet)
    expect(page.locator('[data-host="q1"]')).to_contain_text("Offline")
    page.get_by_role("button", name="More: q1").click()
    menu = page.get_by_role("menu", name="Actions of q1")
    for name in ("Pull", "Switch", "Pull + Switch", "Test"):
        expect(menu.get_by_role("menuitem", name=f"{name} when it is back", exact=True)).to_be_enabled()
    menu.get_by_role("menuitem", name="Switch when it is back", exact=True).click()
    question = page.get_by_role("dialog", name="Switch q1 when it is back?")
    expect(question).to_contain_text("It waits for q1 to be back, for an hour at most.")
    question.get_by_role("button", name="Switch").click()
    expect(page.get_by_role("region", name="Runs and output")).to_contain_text("queued")
    expect(page.locator('[data-host="q1"]')).to_contain_text("1 queued")
    back = simulate("q1", play=begin)
    until(lambda: back.running, "the switch at the host")
    end(back)


def test_a_host_at_work_gets_it_afterwards(fleet: Lab, agents: Agents, log_in: LogIn) -> None:
    page = log_in(fleet)
    more = page.get_by_role("button", name="More: q3")
    more.click()
    expect(page.get_by_role("menuitem", name="Pull afterwards")).to_have_count(0)  # it can do it now
    page.keyboard.press("Escape")
    fleet.client.run("q3", "test")
    expect(page.locator('[data-host="q3"]')).to_have_attribute("aria-busy", "true")
    more.click()
    page.get_by_role("menuitem", name="Pull afterwards").click()
    expect(page.get_by_role("region", name="Runs and output")).to_contain_text("queued")
    end(agents["q3"])
    until(lambda: [one.command for one in agents["q3"].commands] == ["test", "pull"], "the pull at the host")
    end(agents["q3"])


def test_a_restart_of_the_agent_asks_while_something_runs(fleet: Lab, agents: Agents, log_in: LogIn) -> None:
    page = log_in(fleet)
    fleet.client.run("q4", "switch")
    expect(page.locator('[data-host="q4"]')).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="More: q4").click()
    page.get_by_role("menuitem", name="Restart agent").click()
    question = page.get_by_role("dialog", name="Restart the agent of q4?")
    expect(question).to_contain_text("Switch goes on meanwhile")
    question.get_by_role("button", name="Cancel").click()
    assert [one.command for one in agents["q4"].commands] == ["switch"]
    end(agents["q4"])
    expect(page.locator('[data-host="q4"]')).not_to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="More: q4").click()
    page.get_by_role("menuitem", name="Restart agent").click()
    expect(page.get_by_role("log", name="Messages")).to_contain_text("q4 is asked to restart its agent")
