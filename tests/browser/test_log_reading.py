"""Reading a log: search, first error, parts, links to lines, what is missing, what a run left, a million lines."""

import re
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from nixfleet_protocol.messages import CommandMessage, ProgressState
from nixfleet_protocol.messages import TestFailure as Failure
from nixfleet_protocol.messages import TestReport as Report
from nixfleet_protocol.messages.parts import BuildFailure, NixProgress, Outcome, Step
from tests.browser.big_log import grow
from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import LogIn
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab, until

pytestmark = pytest.mark.needs("chromium", "git")

Simulate = Callable[..., SimulatedAgent]
CLOCK = re.compile(r"\d\d:\d\d:\d\d")
ERROR = "\x1b[31;1merror:\x1b[0m builder for '/nix/store/x-hello.drv' failed"


def log(page: Page) -> Locator:
    return page.locator("nf-log")


def line(page: Page, seq: int) -> Locator:
    return page.locator(f'.log-line[data-seq="{seq}"]')


# Scrolled at once and read once drawn. Keys would not do: their scrolling is animated, each adds to what is still to be
# scrolled, and where frames come late the next one may be several screens on, past lines that were never in view.
READ = """async (scroller, screens) => {
  const frame = () => new Promise(requestAnimationFrame);
  scroller.dispatchEvent(new Event("pointerdown"));  // a hand, not what still scrolls after a key
  scroller.scrollTop += scroller.clientHeight * screens;
  await frame();
  for (let at = 0; at < 1800 && scroller.querySelector("[data-waiting]"); at += 1) await frame();
  const view = scroller.getBoundingClientRect();
  const seen = (line) => line.getBoundingClientRect().bottom > view.top && line.getBoundingClientRect().top < view.bottom;
  return Array.from(scroller.querySelectorAll(".log-line:not([data-waiting])")).filter(seen).map((line) => line.innerText);
}"""


def read_on(page: Page, by: float = 0.8) -> list[str]:
    """The output lines in view, as they stand there, so many screens further on."""
    texts: list[str] = page.locator(".log-scroller").evaluate(READ, by)
    return [text for text in texts if text.startswith("line ")]


def build(self: SimulatedAgent, command: CommandMessage) -> None:
    """4,000 lines with an error at 1,502, a part that was not kept, and what the run left."""
    self.begin(command)
    self.say(command, "pull: main from git@git.example.org:me/machines.git", stream="note")
    for number in range(2, 502):
        self.say(command, f"Receiving objects {number}")
    self.say(command, "build: web1 at 9a7be02", stream="note")
    for number in range(503, 1502):
        self.say(
            command, f"\x1b[34mhello>\x1b[0m needle {number}" if number % 100 == 0 else f"hello> {number}"
        )
    self.say(command, ERROR, stream="stderr")
    for number in range(1503, 4000):
        self.say(command, f"after {number}")
    self.say(command, "[3145728 bytes of output were not kept: the limit is 4 bytes a run]", stream="note")
    failure = BuildFailure(
        name="hello-2.12",
        derivation="/nix/store/x-hello.drv",
        reason="exit code 2",
        log="undefined reference\nmake: *** Error 1\n",
    )
    steps = (Step(name="pull", outcome="ok", seconds=2.0), Step(name="build", outcome="failed", seconds=61.0))
    self.end(command, "failed", exit_code=1, outcome=Outcome(steps=steps, failures=(failure,)))


@pytest.fixture
def built(fleet: Lab, simulate: Simulate, request: pytest.FixtureRequest) -> str:
    """The run's id. It is made once a module."""
    made: str | None = getattr(request.module, "_built", None)
    if made is None:
        simulate("builder", play=build)
        run = fleet.client.run("builder", "switch")
        run.wait(120)
        made = request.module._built = run.id
    return made


def test_the_whole_log_is_searched_and_matches_are_gone_through(
    fleet: Lab, log_in: LogIn, built: str
) -> None:
    page = log_in(fleet, f"/#/runs/{built}")
    expect(line(page, 4000)).to_be_in_viewport()
    page.keyboard.press("Control+f")
    field = page.get_by_role("searchbox", name="Search the log")
    expect(field).to_be_focused()
    page.keyboard.type("NEEDLE")
    tally = page.locator(".log-tally")
    expect(tally).to_have_text("1/10")
    expect(line(page, 600)).to_be_in_viewport()
    expect(line(page, 600).locator("mark")).to_have_text("needle")
    page.keyboard.press("Enter")
    expect(tally).to_have_text("2/10")
    expect(line(page, 700)).to_be_in_viewport()
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(tally).to_have_text("10/10")
    expect(line(page, 1500)).to_be_in_viewport()
    page.keyboard.press("Escape")  # to the log, where n and N go on
    expect(page.locator(".log-scroller")).to_be_focused()
    expect(tally).to_have_text("10/10")
    page.keyboard.press("n")
    expect(tally).to_have_text("1/10")
    expect(line(page, 600)).to_be_in_viewport()
    page.keyboard.press("N")
    expect(tally).to_have_text("10/10")
    expect(line(page, 1500).locator("mark")).to_be_in_viewport()
    page.keyboard.press("Escape")  # ends the search
    expect(page.locator("nf-log mark")).to_have_count(0)
    expect(tally).to_have_text("")
    expect(field).to_have_value("")
    expect(page.get_by_role("region", name="Runs and output")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Runs and output")).to_be_hidden()


def test_the_other_runs_of_the_host_come_and_move_nothing(fleet: Lab, log_in: LogIn, built: str) -> None:
    page = log_in(fleet)
    page.set_viewport_size(PHONE)
    held: list[Route] = []
    page.route("**/api/v1/runs?*", lambda route: held.append(route))
    page.goto(f"{fleet.server.url}/#/runs/{built}")
    expect(line(page, 4000)).to_be_in_viewport()
    runs = page.get_by_role("navigation", name="Runs of this host").get_by_role("link")
    expect(runs).to_have_count(1)
    bar = page.locator(".log-bar")
    place = bar.bounding_box()
    with page.expect_response("**/api/v1/runs?*"):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert bar.bounding_box() == place


def test_a_search_is_ended_by_its_button_too(fleet: Lab, log_in: LogIn, built: str) -> None:
    page = log_in(fleet)
    page.set_viewport_size(PHONE)
    page.goto(f"{fleet.server.url}/#/runs/{built}")
    expect(line(page, 4000)).to_be_in_viewport()
    page.get_by_role("button", name="Search the log").click()
    page.get_by_role("searchbox", name="Search the log").fill("needle")
    expect(page.locator(".log-tally")).to_have_text("1/10")
    page.get_by_role("button", name="End the search").click()
    expect(page.locator("nf-log mark")).to_have_count(0)
    expect(page.get_by_role("searchbox", name="Search the log")).to_be_hidden()
    expect(page.get_by_role("button", name="First error")).to_be_visible()


def test_the_keyboard_alone_leads_from_the_login_to_the_error_of_a_failed_host(
    fleet: Lab, watched: object, log_in: LogIn, built: str
) -> None:
    page = watched.new_page()  # type: ignore[attr-defined]
    page.goto(f"{fleet.server.url}/login")
    page.keyboard.type(fleet.password)
    page.keyboard.press("Enter")
    expect(page.locator(".live")).to_have_text("Live")
    page.keyboard.press("Control+k")
    page.keyboard.type("builder")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="builder", level=1)).to_be_focused()
    failed = (
        page.get_by_role("main").get_by_role("link").filter(has_text="Switch").filter(has_text="failed").first
    )
    for _ in range(80):
        page.keyboard.press("Tab")
        if failed.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text("hello-2.12")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.locator(".log-scroller").evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("e")
    expect(line(page, 1502)).to_be_in_viewport()
    expect(line(page, 1502)).to_contain_text("error: builder for '/nix/store/x-hello.drv' failed")


def test_parts_fold_and_say_how_long_they_took_and_what_is_missing_is_marked(
    fleet: Lab, log_in: LogIn, built: str
) -> None:
    page = log_in(fleet, f"/#/runs/{built}")
    expect(line(page, 4000)).to_have_attribute("data-mark", "gap")
    expect(line(page, 4000)).to_contain_text("3145728 bytes of output were not kept")
    page.get_by_role("button", name="Fold all parts").click()
    expect(page.locator(".log-line")).to_have_count(2)
    expect(line(page, 1)).to_contain_text("500 lines")
    expect(line(page, 502)).to_contain_text("3,498 lines")
    page.get_by_role("button", name="Unfold pull").click()
    expect(line(page, 2)).to_be_in_viewport()
    page.get_by_role("button", name="First error").click()
    expect(line(page, 1502)).to_be_in_viewport()


def test_what_failed_stands_above_the_log_with_its_last_lines(fleet: Lab, log_in: LogIn, built: str) -> None:
    page = log_in(fleet, f"/#/runs/{built}")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text("Switch failed")
    expect(result.get_by_role("list", name="Steps")).to_contain_text("pull")
    expect(result.get_by_role("list", name="Steps")).to_contain_text("1:01 min")
    failure = result.locator(".failure")
    expect(failure).to_contain_text("make: *** Error 1")
    expect(failure).to_contain_text("nix log /nix/store/x-hello.drv")


def test_a_line_has_an_address_and_times_can_be_shown(fleet: Lab, log_in: LogIn, built: str) -> None:
    page = log_in(fleet, f"/#/runs/{built}/L777")
    expect(line(page, 777)).to_be_in_viewport()
    expect(line(page, 777)).to_have_attribute("data-looked", "")
    line(page, 779).locator(".log-n").click()
    expect(line(page, 779)).to_have_attribute("data-looked", "")
    assert page.url.endswith(f"/#/runs/{built}/L779")
    at = line(page, 779).locator(".log-at")
    expect(at).to_be_hidden()
    page.get_by_role("button", name="Time of each line").click()
    expect(at).to_be_visible()
    expect(at).to_have_attribute("data-t", CLOCK)
    expect(page.locator(".run-facts")).to_contain_text(
        CLOCK
    )  # the same 24 hours, whatever the browser speaks
    expect(page.locator("#dock")).not_to_contain_text(re.compile(r"\d [AP]M"))
    page.get_by_role("button", name="Time of each line").click()


def test_a_key_copies_the_link_to_a_line_and_an_error_is_told_without_its_colour(
    fleet: Lab, log_in: LogIn, built: str
) -> None:
    page = log_in(fleet, f"/#/runs/{built}/L777")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(line(page, 777)).to_be_in_viewport()
    page.locator(".log-scroller").focus()
    messages = page.get_by_role("log", name="Messages")
    page.keyboard.press("e")
    expect(line(page, 1502)).to_have_attribute("data-looked", "")
    page.keyboard.press("l")
    expect(messages).to_contain_text("The link to line 1,502 is copied")
    copied: str = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{fleet.server.url}/#/runs/{built}/L1502"
    said = line(page, 1502).aria_snapshot()
    assert "error: error: builder" in said, said
    assert line(page, 1502).inner_text().startswith("error: builder")  # what is said is not in the text
    page.keyboard.press("Home")
    expect(line(page, 1)).to_be_in_viewport()
    page.keyboard.press("l")  # what was looked at is out of sight: the first line is
    expect(messages).to_contain_text("The link to line 1 is copied")
    expect(line(page, 1)).to_have_attribute("data-looked", "")


def test_records_that_the_server_lost_are_told_with_their_number(
    fleet: Lab, log_in: LogIn, built: str
) -> None:
    page = log_in(fleet)

    def without(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        body = answer.json()
        body["records"] = [record for record in body["records"] if not 11 <= record["seq"] <= 40]
        route.fulfill(response=answer, json=body)  # type: ignore[attr-defined]

    page.route("**/log?from=*", without)
    page.goto(f"{fleet.server.url}/#/runs/{built}/L5")
    # What lies in the middle of an answer is not taken, and asked for by itself.
    expect(log(page)).to_contain_text("30 lines missing here")
    expect(line(page, 41)).to_contain_text("Receiving objects 41")


def test_the_whole_log_is_copied_and_downloaded_as_the_program_wrote_it(
    fleet: Lab, log_in: LogIn, built: str
) -> None:
    page = log_in(fleet, f"/#/runs/{built}")
    expect(line(page, 4000)).to_be_in_viewport()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the log").click()
    expect(page.get_by_role("log", name="Messages")).to_contain_text("The log is copied")
    copied: str = page.evaluate("navigator.clipboard.readText()")
    assert copied.count("\n") == 4000
    assert "hello> needle 600\n" in copied
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the log").click()
    assert b"\x1b[34mhello>\x1b[0m needle 600\n" in Path(download.value.path()).read_bytes()


def test_the_log_fills_the_screen_and_escape_leads_back(fleet: Lab, log_in: LogIn, built: str) -> None:
    page = log_in(fleet, f"/#/runs/{built}")
    expect(line(page, 4000)).to_be_in_viewport()
    full = page.get_by_role("button", name="Full screen")
    full.click()
    expect(full).to_have_attribute("aria-pressed", "true")
    expect(line(page, 4000)).to_be_in_viewport()
    box = page.locator("nf-log").bounding_box()
    assert box
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, *DESKTOP.values())
    page.keyboard.press("Escape")
    expect(full).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    expect(line(page, 4000)).to_be_in_viewport()


def test_paper_gets_the_lines_and_nothing_of_the_page(fleet: Lab, log_in: LogIn, built: str) -> None:
    page = log_in(fleet, f"/#/runs/{built}")
    expect(line(page, 4000)).to_be_in_viewport()
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Print the log").click()
    page.wait_for_function("() => window.printed")
    page.emulate_media(media="print")
    expect(page.locator(".print-sheet h1")).to_contain_text("Switch on builder")
    expect(page.locator(".print-sheet pre")).to_contain_text("hello> needle 600")
    expect(page.locator(".topbar")).to_be_hidden()
    expect(page.locator("nf-log")).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".print-sheet")).to_have_count(0)
    expect(line(page, 4000)).to_be_in_viewport()
    page.evaluate("window.printed = false")
    page.keyboard.press("Control+p")  # the same
    page.wait_for_function("() => window.printed")
    expect(page.locator(".print-sheet pre")).to_contain_text("hello> needle 600")


def test_the_browser_s_own_print_has_the_log_too_and_else_a_light_page(
    fleet: Lab, log_in: LogIn, built: str
) -> None:
    page = log_in(fleet)
    page.emulate_media(color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator(".topbar")).to_be_hidden()
    expect(page.locator(".host-list")).to_be_visible()
    expect(page.locator("html")).to_have_css("color-scheme", "light")
    page.emulate_media(media="screen")
    page.goto(f"{fleet.server.url}/#/runs/{built}")
    expect(line(page, 4000)).to_contain_text("bytes of output")
    page.evaluate(
        """addEventListener("beforeprint", () => {
          window.paper = document.querySelector(".print-sheet").innerText;
        })"""
    )
    page.pdf()
    paper: str = page.evaluate("window.paper")
    assert paper.startswith("Switch on builder")
    assert "before these are left out" in paper
    assert "after 3999" in paper
    expect(page.locator(".print-sheet")).to_have_count(0)


def test_a_narrow_bar_has_the_rest_in_a_menu(fleet: Lab, log_in: LogIn, built: str) -> None:
    page = log_in(fleet)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.set_viewport_size(PHONE)
    page.goto(f"{fleet.server.url}/#/runs/{built}")
    expect(line(page, 4000)).to_be_in_viewport()
    page.evaluate("window.print = () => { window.printed = true; }")
    more = page.get_by_role("button", name="More of the log")

    def choose(name: str, role: Literal["menuitem", "menuitemcheckbox"] = "menuitem") -> None:
        more.click()
        page.get_by_role("menu", name="More of the log").get_by_role(role, name=name).click()
        expect(more).to_have_attribute("aria-expanded", "false")

    choose("Copy the link to this run")
    expect(page.get_by_role("log", name="Messages")).to_contain_text("The link to this run is copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{fleet.server.url}/#/runs/{built}"
    expect(more).to_be_focused()
    choose("Print the log")
    page.wait_for_function("() => window.printed")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    choose("Full screen", "menuitemcheckbox")
    expect(page.locator("nf-log")).to_have_attribute("data-full", "")
    choose("Full screen", "menuitemcheckbox")
    expect(page.locator("nf-log")).not_to_have_attribute("data-full", "")
    with page.expect_download():
        choose("Download the log")
    bar = page.locator(".log-bar")
    assert bar.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_what_nix_does_is_told_and_a_run_that_takes_long_asks(tmp_path: Path, log_in: LogIn) -> None:
    nix = NixProgress(
        planning=False,
        built=12,
        to_build=40,
        copied=3,
        to_copy=9,
        current="linux-6.12",
        build_phase="buildPhase",
    )
    with lab(tmp_path, NIXFLEET_TIMEOUTS="test=1/400") as mine:
        token = mine.server.add_host("slow1")
        with closing(SimulatedAgent(mine.server.url, token, "slow1", play=SimulatedAgent.begin)) as agent:
            agent.start()
            run = mine.client.run("slow1", "test")
            until(lambda: agent.commands, "the command at the agent")
            page = log_in(mine, f"/#/runs/{run.id}")
            dock = page.get_by_role("region", name="Runs and output")
            expect(dock).to_contain_text("This takes longer than it should. It is ended in")
            agent.progress(agent.commands[0], ProgressState(phase="build", nix=nix))
            expect(dock).to_contain_text("building 12/40, copying 3/9")
            expect(dock).to_contain_text("linux-6.12 · buildPhase")
            expect(dock.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "31")
            dock.get_by_role("button", name="Let it run").click()
            expect(dock.get_by_text("It is ended in")).to_be_hidden()
            assert mine.client.get_run(run.id).view.timeout_at is None
            agent.end(agent.commands[0])


def test_each_test_is_a_part_that_says_how_it_ended(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    def play(self: SimulatedAgent, command: CommandMessage) -> None:
        self.begin(command)
        for number, word in ((1, "passed"), (2, "failed with exit code 1")):
            self.say(command, f"test: {number}/2 T0{number}-x.sh", stream="note")
            self.say(command, f"output of {number}")
            self.say(command, f"test: T0{number}-x.sh {word}", stream="note")
        failure = Failure(name="T02-x.sh", exit_code=1, output="no answer\n")
        self.end(command, "failed", tests=Report(total=2, passed=1, failed=1, failures=(failure,)))

    simulate("tested", play=play)
    run = fleet.client.run("tested", "test")
    run.wait(30)
    page = log_in(fleet, f"/#/runs/{run.id}")
    page.get_by_role("button", name="Fold all parts").click()
    expect(page.locator(".log-line")).to_have_count(2)
    expect(page.locator(".log-line").nth(0)).to_contain_text("passed · 2 lines")
    expect(page.locator(".log-line").nth(1)).to_contain_text("failed · 2 lines")
    expect(page.locator(".failure")).to_contain_text("no answer")


def test_of_many_failed_tests_the_names_come_first_and_few_are_open(
    fleet: Lab, log_in: LogIn, simulate: Simulate
) -> None:
    failures = tuple(Failure(name=f"T{number:03}.sh", exit_code=1, output="no\n") for number in range(64))

    def play(self: SimulatedAgent, command: CommandMessage) -> None:
        self.begin(command)
        self.end(command, "failed", tests=Report(total=300, passed=100, failed=200, failures=failures))

    simulate("tested", play=play)
    run = fleet.client.run("tested", "test")
    run.wait(30)
    page = log_in(fleet, f"/#/runs/{run.id}")
    blocks = page.locator(".failure")
    expect(blocks).to_have_count(65)
    expect(blocks.first).to_contain_text("200 failed")
    expect(blocks.first).to_contain_text("136 more failed: the log has them")
    expect(page.locator(".failure[open]")).to_have_count(4)
    last = page.locator(".failure", has_text="T063.sh").last
    expect(last.locator("pre")).to_be_hidden()
    blocks.first.get_by_role("button", name="T063.sh").click()
    expect(last.locator("summary")).to_be_focused()
    expect(last.locator("pre")).to_have_text("no\n")
    expect(last.locator("summary")).to_be_in_viewport()


def test_that_a_command_started_is_said_once(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    agent = simulate("spoken", play=SimulatedAgent.begin)
    page = log_in(fleet, "/#/hosts/spoken")
    page.evaluate(
        """window.said = [];
        new MutationObserver(() => window.said.push(document.getElementById("outcome").textContent))
          .observe(document.getElementById("outcome"), { childList: true });"""
    )
    page.get_by_role("button", name="Pull: spoken", exact=True).click()
    expect(page.locator("#outcome")).to_have_text("Pull on spoken started")
    until(lambda: agent.commands, "the command at the agent")
    agent.end(agent.commands[0])
    expect(page.locator("#outcome")).to_have_text("Pull on spoken: ok")
    assert page.evaluate("window.said") == ["Pull on spoken started", "Pull on spoken: ok"]


@pytest.mark.long
def test_opened_in_the_middle_a_killed_server_costs_no_line_and_doubles_none(
    tmp_path: Path, log_in: LogIn
) -> None:
    """The page follows from near the end: what was before is asked for, what comes is followed, both over a restart."""
    first, last = 3000, 3100
    with lab(tmp_path) as mine:
        script = f"seq -f 'line %.0f' {first}; i={first}; while [ $i -lt {last} ]; do i=$((i+1)); echo line $i; sleep 0.1; done"
        mine.agent("web1", {"switch": "true", "hosts/web1/tests/T01-slow.sh": script})
        mine.client.run("web1", "pull").wait(60)
        run = mine.client.run("web1", "test")
        until(lambda: mine.client.get_run(run.id).view.lines > first, "the first lines at the server")
        page = log_in(mine, f"/#/runs/{run.id}")
        expect(page.get_by_text("line 3010", exact=True)).to_be_attached()
        mine.server.process.end(signal.SIGKILL)
        expect(page.locator(".banner")).to_contain_text("No connection to the server")
        mine.server.start()
        expect(page.locator(".live")).to_have_text("Live", timeout=90_000)
        expect(page.locator(".result")).to_contain_text("Test ok", timeout=90_000)
        expected = [f"line {number}" for number in range(1, last + 1)]
        whole: str = page.evaluate("document.querySelector('nf-log').text()")
        assert [one for one in whole.splitlines() if one.startswith("line ")] == expected
        page.locator(".log-scroller").focus()
        page.keyboard.press("Home")
        expect(page.get_by_text("line 1", exact=True)).to_be_in_viewport()
        shown = read_on(page, by=0)
        while shown[-1] != expected[-1]:
            screen = read_on(page)
            assert screen[0] in shown, f"{screen[0]} comes after {shown[-1]}"
            known = shown[shown.index(screen[0]) :]
            assert screen[: len(known)] == known
            assert len(screen) > len(known), f"the log ends with {known[-1]}"
            shown += screen[len(known) :]
        assert shown == expected


@pytest.mark.long
def test_a_million_lines_open_at_once_and_scroll(tmp_path: Path, log_in: LogIn) -> None:
    """Bounds wide enough for a loaded machine; bench has the figures."""
    lines = 1_000_000
    with lab(tmp_path) as mine:
        agent = SimulatedAgent(mine.server.url, mine.server.add_host("web1"), "web1", play=_nothing).start()
        run = mine.client.run("web1", "pull")
        run.wait(30)
        agent.close()
        grow(mine, run.id, lines)
        page = log_in(mine)
        began = time.monotonic()
        page.goto(f"{mine.server.url}/#/runs/{run.id}")
        expect(line(page, lines)).to_be_in_viewport()
        assert time.monotonic() - began < 10
        scroller = page.locator(".log-scroller")
        scroller.focus()
        page.keyboard.press("Home")
        expect(line(page, 1)).to_contain_text("1 building")
        for _ in range(40):
            page.keyboard.press("PageDown")
        expect(page.locator(".log-line[data-waiting]")).to_have_count(0)
        page.keyboard.press("PageDown")
        page.keyboard.press("Home")  # while the browser still scrolls smoothly
        page.wait_for_timeout(600)
        expect(line(page, 1)).to_be_in_viewport()
        scroller.dispatch_event("pointerdown")  # a hand on the scroll bar
        scroller.evaluate("element => { element.scrollTop = element.scrollHeight / 2; }")
        first = page.locator(".log-line").first  # drawn in the frame after: what was there before is not it
        expect(first).to_have_attribute("data-seq", re.compile(r"^(4[89]|5[01])\d{4}$"))
        expect(first).to_contain_text("building")
        page.goto(f"{mine.server.url}/#/runs/{run.id}/L123456")
        expect(line(page, 123_456)).to_be_in_viewport()
        page.keyboard.press("Control+f")
        page.keyboard.type("123456 building")
        expect(page.locator(".log-tally")).to_have_text("1/1")
        page.locator(".log-scroller").focus()
        page.keyboard.press("End")
        expect(line(page, lines)).to_be_in_viewport()
        assert page.locator(".log-line").count() < 400, "only what is near the view is there"


def _nothing(self: SimulatedAgent, command: CommandMessage) -> None:
    self.begin(command)
    self.end(command)
