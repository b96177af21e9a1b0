"""The fleet page against a real server: logging in, hosts that come and change, buttons, narrow screens."""

import re
from collections.abc import Callable
from contextlib import ExitStack, closing
from json import dumps
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from nixfleet_protocol.client.calls import Call
from nixfleet_protocol.messages import Facts, Metrics, RunView
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
    asked: list[Route] = []
    page.route("**/login", lambda route: asked.append(route))
    with page.expect_response(lambda response: response.status == 401):  # its connection has ended too
        page.get_by_role("button", name="Log out").click()
    page.wait_for_timeout(200)
    assert len(asked) == 1, "it goes there once: a second way there breaks off the first"
    asked[0].continue_()
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
    agent = simulate(play=lambda self, command: self.begin(command))
    page = log_in(fleet)
    expect(button(page, "Pull", "web1")).to_be_enabled()
    page.route(
        "**/api/v1/hosts/web1/runs", lambda route: (fleet.client.run("web1", "test"), route.continue_())
    )
    button(page, "Pull", "web1").click()
    expect(page.get_by_role("log", name="Messages")).to_contain_text("test")
    until(lambda: agent.running, "it runs")
    agent.end(agent.commands[0])  # what never reached its host would be sent to the next test's
    expect(button(page, "Pull", "web1")).to_be_enabled()


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


WATCH_SHIFTS = """() => {
    window.shift = 0;
    window.shifts = [];
    const told = ({ node, previousRect: from, currentRect: to }) => [node?.className ?? node?.nodeName, from.toJSON(), to.toJSON()];
    new PerformanceObserver((list) => list.getEntries().forEach(({ value, startTime, sources }) => {
        window.shift += value;
        window.shifts.push({ value, startTime, moved: sources.map(told) });
    })).observe({ type: "layout-shift" });
}"""
WELL = Facts(os="NixOS")
BROKEN = Facts(os="NixOS", failed_units=("nginx.service",))


@pytest.mark.parametrize(("count", "scrolled"), [(3, 0), (14, 0), (14, 300)])
def test_rows_stay_under_the_pointer_while_problems_come_and_go(
    tmp_path: Path, log_in: LogIn, count: int, scrolled: int
) -> None:
    with lab(tmp_path) as here, ExitStack() as stack:
        names = [f"web{number:02}" for number in range(count)]
        agents = {}
        for name in names:
            agent = SimulatedAgent(here.server.url, here.server.add_host(name), name, facts=WELL)
            agents[name] = stack.enter_context(closing(agent.start()))

        def turn(name: str, facts: Facts) -> None:
            agents[name].facts = facts
            agents[name].heartbeat()

        page = log_in(here)
        expect(page.get_by_text(f"{count} online")).to_be_visible()
        cards = page.locator("#problem-list .problem")
        pull = button(page, "Pull", names[8 if scrolled else 2])
        page.mouse.move(700, 500)
        page.mouse.wheel(0, scrolled)

        def scrolls_to(place: int) -> None:
            until(lambda: page.evaluate("document.getElementById('main').scrollTop") == place, f"at {place}")

        scrolls_to(scrolled)
        pull.hover()
        page.evaluate(WATCH_SHIFTS)
        place = pull.bounding_box()

        def stays() -> None:
            page.wait_for_timeout(100)  # it may not move in the frames to come either
            assert pull.bounding_box() == place
            assert place
            for x in (6, 5):  # a pointer that rests for long keeps nothing out of sight
                page.mouse.move(place["x"] + x, place["y"] + 5)

        for number, name in enumerate(names[:3], 1):
            turn(name, BROKEN)
            expect(cards).to_have_count(number)
            stays()
        for name in names[:3]:
            turn(name, WELL)
        expect(cards).to_have_count(0)
        stays()
        turn(names[0], BROKEN)
        expect(cards).to_have_count(1)
        stays()
        if not scrolled:  # once nobody points at the list they are shown
            page.mouse.move(500, 10)
            scrolls_to(0)
            expect(cards.first).to_be_in_viewport(ratio=1)
            pull.hover()
            place = pull.bounding_box()
            turn(names[0], WELL)
            expect(page.get_by_text("No host needs you any more")).to_be_visible()
            stays()
            page.mouse.move(500, 10)
            expect(page.get_by_text("No host needs you any more")).to_be_hidden()
            scrolls_to(0)
        assert page.evaluate("window.shift") < 0.01, page.evaluate("window.shifts")


def test_a_problem_comes_into_sight_though_the_pointer_lies_on_the_page(
    tmp_path: Path, log_in: LogIn
) -> None:
    with lab(tmp_path) as here:
        agent = SimulatedAgent(here.server.url, here.server.add_host("web1"), "web1", facts=WELL)
        with closing(agent.start()):
            page = log_in(here)
            button(page, "Pull", "web1").hover()
            agent.facts = BROKEN
            agent.heartbeat()
            card = page.locator("#problem-list .problem")
            expect(card).to_contain_text("nginx.service")
            expect(card).to_be_in_viewport(ratio=1)


def test_a_run_past_its_time_is_counted_everywhere(tmp_path: Path, log_in: LogIn) -> None:
    """It comes with time alone: nothing is heard just then."""
    with lab(tmp_path) as here:
        token = here.server.add_host("web1")
        agent = SimulatedAgent(here.server.url, token, "web1", interval=60.0, play=SimulatedAgent.begin)
        with closing(agent.start()):
            page = log_in(here)
            run = here.client.run("web1", "pull")
            link = page.get_by_role("link", name=re.compile("^Pull running [0-9]+ s"))
            expect(link).to_be_visible()
            more = dumps({"action": "wait", "seconds": 2}).encode()
            here.client.call(Call("POST", f"/runs/{run.id}/timeout", RunView, body=more))
            expect(page.get_by_role("heading", name="1 host needs you")).to_be_visible()
            expect(page.get_by_role("button", name="1 need you")).to_be_visible()
            expect(page).to_have_title("(1) Fleet · NixFleet")
            expect(page.locator("#favicon")).to_have_attribute("href", "/static/icons/favicon-warn.svg")
            page.get_by_role("button", name="1 need you").click()
            expect(row(page, "web1")).to_be_visible()


def test_a_run_that_nobody_hears_of_stands_still(tmp_path: Path, log_in: LogIn) -> None:
    with lab(tmp_path) as here:
        token = here.server.add_host("web1")
        agent = SimulatedAgent(here.server.url, token, "web1", play=SimulatedAgent.begin).start()
        page = log_in(here)
        here.client.run("web1", "pull")
        until(lambda: agent.running, "it runs")
        agent.close()
        seen = row(page, "web1").locator(".host-seen")
        expect(seen).to_have_text(re.compile(r"^Unreachable · ([2-9]|\d\d) s ago$"))
        assert seen.evaluate("(seen) => seen.scrollWidth <= seen.clientWidth"), "all of it is seen"
        link = page.get_by_role("link", name=re.compile("^Pull was running"))
        expect(link).to_be_visible()
        expect(link.locator('[data-shape="spin"], [data-unknown]')).to_have_count(0)
        said = link.inner_text()
        page.wait_for_timeout(2100)
        assert link.inner_text() == said, "nothing of it goes on"


def test_long_names_and_many_chips_say_what_is_cut(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    name = "a-name-that-is-as-long-as-the-name-of-a-host-may-be-" + "x" * 11
    facts = Facts(os="NixOS", generation="1", behind=12, dirty=True, system="drift", reboot="required")
    simulate(name, facts=facts)
    page = log_in(fleet)
    link = row(page, name).get_by_role("link", name=name)
    link.hover()
    expect(link).to_have_attribute("title", name)
    chips = row(page, name).locator(".chips")
    more = chips.locator(".chips-more")
    expect(more).to_have_text("+3")
    expect(more).to_have_attribute("title", "12 behind, dirty, drifted")
    expect(chips).to_contain_text("drifted")  # also for who can't see
    line = chips.bounding_box()
    assert line
    for seen in (chips.locator(".chip").first, more):
        box = seen.bounding_box()
        assert box
        assert box["x"] + box["width"] <= line["x"] + line["width"]
        assert box["y"] == line["y"]
    expect(chips.locator(".chip").first).to_have_text("reboot needed")
    more.click()  # as anywhere in the row
    heading = page.get_by_role("heading", name=name, level=1)
    expect(heading).to_be_visible()
    page.set_viewport_size(PHONE)
    assert heading.evaluate("(one) => one.scrollWidth <= one.clientWidth"), "the name is there in full"


def test_a_group_that_comes_moves_no_host(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    simulate("left").close()
    simulate("broken", facts=BROKEN)
    agent = simulate("grows", facts=WELL, play=SimulatedAgent.begin)
    page = log_in(fleet)
    page.set_viewport_size({"width": 910, "height": 900})
    row(page, "grows")
    groups = page.get_by_role("group", name="Show only")
    expect(groups.get_by_role("button", name="offline")).to_have_count(1)
    place = groups.bounding_box()
    agent.facts = Facts(os="NixOS", generation="1", behind=2, reboot="required")
    fleet.client.run("grows", "pull")
    for name in ("at work", "behind", "to reboot"):
        expect(groups.get_by_role("button", name=name)).to_have_count(1)
    assert groups.evaluate("(groups) => groups.scrollWidth > groups.clientWidth"), "more than one row of them"
    assert groups.bounding_box() == place
    last = groups.get_by_role("button", name="to reboot")
    last.click()
    expect(last).to_have_attribute("aria-pressed", "true")


def test_a_problem_leads_to_its_host_and_hands_on_the_focus(tmp_path: Path, log_in: LogIn) -> None:
    with lab(tmp_path) as here, ExitStack() as stack:
        agents = [
            stack.enter_context(
                closing(
                    SimulatedAgent(here.server.url, here.server.add_host(name), name, facts=BROKEN).start()
                )
            )
            for name in ("web1", "web2")
        ]
        page = log_in(here)
        cards = page.locator("#problem-list .problem")
        expect(cards).to_have_count(2)
        cards.first.get_by_role("link", name="web1").focus()
        for agent, now in zip(agents, (cards.get_by_role("link", name="web2"), None), strict=True):
            agent.facts = WELL
            agent.heartbeat()
            expect(now or row(page, "web2").get_by_role("link", name="web2")).to_be_focused()
        agents[0].facts = BROKEN
        agents[0].heartbeat()
        expect(cards).to_have_count(1)
        width = cards.first.evaluate("(card) => card.clientWidth")
        cards.first.click(position={"x": width - 20, "y": 12})  # where it holds nothing
        expect(page.get_by_role("heading", name="web1", level=1)).to_be_visible()
