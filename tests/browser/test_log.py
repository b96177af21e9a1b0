"""A run's output in the page: live, whole, each line once, and harmless whatever it holds."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from nixfleet_protocol.messages import CommandMessage, Facts, Metrics, ProgressState
from nixfleet_protocol.messages import TestFailure as Failure
from nixfleet_protocol.messages import TestReport as Report
from tests.browser.chromium import PHONE
from tests.browser.conftest import LogIn
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab, until

pytestmark = pytest.mark.needs("chromium", "git")

Simulate = Callable[..., SimulatedAgent]
EVIL = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'


def start(page: Page, name: str, host: str) -> None:
    page.get_by_role("button", name=f"{name}: {host}", exact=True).click()


def log(page: Page) -> Locator:
    return page.locator("nf-log")


def text(page: Page) -> list[str]:
    """All lines of the log, those out of sight included."""
    whole: str = page.evaluate("document.querySelector('nf-log').text()")
    return whole.splitlines()


def test_output_appears_while_the_command_runs_and_then_its_result(
    fleet: Lab, log_in: LogIn, simulate: Simulate
) -> None:
    agent = simulate(play=lambda self, command: self.begin(command))
    page = log_in(fleet)
    start(page, "Test", "web1")
    until(lambda: agent.commands, "the command at the agent")
    command = agent.commands[0]
    agent.say(command, "first line")
    expect(log(page)).to_contain_text("first line")
    agent.progress(command, ProgressState(phase="test", current=3, total=10, label="3/10 T03-dns.sh"))
    expect(page.get_by_role("progressbar", name="Progress of the run")).to_have_attribute(
        "aria-valuenow", "30"
    )
    agent.say(command, "\x1b[31mlast\x1b[0m line")
    expect(log(page).locator(".fg-1")).to_have_text("last")
    failure = Failure(name="T03-dns.sh", exit_code=1, output="no answer from 192.0.2.1\n")
    report = Report(total=10, passed=9, failed=1, failures=(failure,))
    agent.end(command, "failed", exit_code=1, message="9/10 pass, 1 fail: T03-dns.sh", tests=report)
    dock = page.get_by_role("region", name="Runs and output")
    expect(dock).to_contain_text("Test failed · 9 of 10 tests passed · exit 1")
    expect(dock.locator(".failure")).to_contain_text("no answer from 192.0.2.1")
    expect(page.locator('[data-host="web1"]')).to_contain_text("failed")


def test_a_link_to_a_run_opens_it_also_after_a_login(fleet: Lab, log_in: LogIn, simulate: Simulate) -> None:
    def play(self: SimulatedAgent, command: CommandMessage) -> None:
        self.begin(command)
        self.say(command, "what it said")
        self.end(command)

    simulate(play=play)
    run = fleet.client.run("web1", "pull")
    run.wait(30)
    page = log_in(fleet, f"/#/runs/{run.id}")
    expect(log(page)).to_contain_text("what it said")
    page.goto(f"{fleet.server.url}/#/hosts/web1")
    expect(page.get_by_role("region", name="Host", exact=True)).to_contain_text("Pull")


def test_an_address_of_a_run_that_is_not_there_is_told(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet, f"/#/runs/{'0' * 32}")
    dock = page.get_by_role("region", name="Runs and output")
    expect(dock).to_contain_text("There is no run at this address")
    expect(dock.get_by_role("button")).to_have_count(1)
    expect(log(page)).to_be_hidden()
    expect(page.locator("body")).not_to_contain_text("nixfleet runs")
    dock.get_by_role("button", name="Close").click()
    expect(dock).to_be_hidden()
    expect(page).to_have_url(f"{fleet.server.url}/#/")


def test_following_pauses_when_one_scrolls_up_and_counts_what_comes(
    fleet: Lab, log_in: LogIn, simulate: Simulate
) -> None:
    agent = simulate(play=lambda self, command: self.begin(command))
    page = log_in(fleet)
    start(page, "Test", "web1")
    until(lambda: agent.commands, "the command at the agent")
    command = agent.commands[0]
    for number in range(1, 501):
        agent.say(command, f"line {number}")
    expect(log(page).locator(".log-line").last).to_have_text("line 500")
    assert log(page).locator(".log-line").count() < 400, "only what is near the view is drawn"
    log(page).hover()
    page.mouse.wheel(0, -3000)
    follow = page.get_by_role("button", name="Follow the end of the log")
    expect(follow).to_have_attribute("aria-pressed", "false")
    for number in range(501, 504):
        agent.say(command, f"line {number}")
    news = page.get_by_role("button", name="↓ 3 new lines")
    expect(news).to_be_visible()
    assert page.get_by_text("line 503", exact=True).count() == 0
    news.click()
    expect(page.get_by_text("line 503", exact=True)).to_be_in_viewport()
    assert text(page) == [f"line {number}" for number in range(1, 504)]


def test_one_scrolls_back_to_the_first_line_of_a_long_log(
    fleet: Lab, log_in: LogIn, simulate: Simulate
) -> None:
    def play(self: SimulatedAgent, command: CommandMessage) -> None:
        self.begin(command)
        for number in range(1, 5001):
            self.say(command, f"line {number} " + "x" * (number % 300))
        self.end(command)

    simulate(play=play)
    run = fleet.client.run("web1", "pull")
    run.wait(60)
    page = log_in(fleet, f"/#/runs/{run.id}")
    page.get_by_role("button", name="Wrap long lines").click()
    until(lambda: len(text(page)) == 5000, "all lines in the page")
    log(page).locator(".log-scroller").focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("line 1 x", exact=True)).to_be_in_viewport()


def test_a_killed_server_costs_no_line_and_doubles_none(tmp_path: Path, log_in: LogIn) -> None:
    lines = 150
    with lab(tmp_path) as mine:
        script = f"i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i; sleep 0.05; done"
        mine.agent("web1", {"switch": "true", "hosts/web1/tests/T01-slow.sh": script})
        page = log_in(mine)
        start(page, "Pull", "web1")
        expect(page.locator(".result")).to_contain_text("Pull ok")
        start(page, "Test", "web1")
        expect(page.get_by_text("line 30", exact=True)).to_be_attached()
        mine.server.process.end(signal.SIGKILL)
        expect(page.locator(".banner")).to_contain_text("No connection to the server")
        expect(page.locator('[data-host="web1"]')).to_be_visible()  # greyed, not blanked
        expect(page.get_by_role("button", name="Pull: web1")).to_be_disabled()
        mine.server.start()
        expect(page.locator(".live")).to_have_text("Live", timeout=90_000)
        expect(page.locator(".result")).to_contain_text("Test ok", timeout=90_000)
        expected = [f"line {number}" for number in range(1, lines + 1)]
        shown = [line for line in text(page) if line.startswith("line ")]
        assert shown == expected


def test_stop_asks_and_ends_the_run_with_its_output_kept(tmp_path: Path, log_in: LogIn) -> None:
    with lab(tmp_path) as mine:
        mine.agent("web1", {"switch": "echo before; sleep 600; echo after"})
        page = log_in(mine)
        start(page, "Pull + Switch", "web1")
        page.get_by_role("dialog").get_by_role("button", name="Pull + Switch").click()
        expect(page.get_by_text("before", exact=True)).to_be_attached()
        page.get_by_role("region", name="Runs and output").get_by_role("button", name="Stop").click()
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("Every process of the command is ended")
        question.get_by_role("button", name="Stop it").click()
        expect(page.locator(".result")).to_contain_text("stopped")
        assert "after" not in text(page)
        assert "before" in text(page)


@pytest.mark.parametrize("narrow", [False, True])
def test_whatever_a_host_says_is_only_ever_text(
    fleet: Lab, log_in: LogIn, simulate: Simulate, narrow: bool
) -> None:
    facts = Facts(
        os=EVIL[:60], os_version=EVIL[:60], generation=EVIL[:60], commit="1f3c0b8a", repo_error=EVIL * 8
    )
    name = "web1"
    agent = simulate(
        name,
        facts=facts,
        metrics=Metrics(cpu=100.0, ram=0.0),
        agent_version=EVIL[:60],
        play=lambda self, command: self.begin(command),
    )
    page = log_in(fleet)
    if narrow:
        page.set_viewport_size(PHONE)
    start(page, "Test", name)
    until(lambda: agent.commands, "the command at the agent")
    command = agent.commands[0]
    agent.progress(command, ProgressState(phase=EVIL[:60], current=1, total=2, label=EVIL))
    agent.say(command, EVIL)
    agent.say(command, f"\x1b]8;;javascript:window.pwned=1\x1b\\{EVIL}\x1b]8;;\x1b\\")
    for piece in ("cut <im", 'g src=x onerror="window.pwned', '=1">'):
        agent.say(command, piece, partial=piece != '=1">')
    agent.say(command, "\x1b[3", partial=True)
    agent.say(command, "1mred\x1b]52;c;ZXZpbA==\x07 after\u202e turned")
    agent.say(command, EVIL, stream="stderr")
    agent.say(command, EVIL, stream="note")
    failure = Failure(name=EVIL[:60], exit_code=1, output=EVIL * 10)
    agent.end(
        command,
        "failed",
        message=EVIL,
        generation=EVIL[:60],
        tests=Report(total=1, passed=0, failed=1, failures=(failure,)),
    )
    expect(page.locator(".result")).to_contain_text(EVIL)
    expect(page.locator(".failure")).to_contain_text(EVIL[:60])
    until(lambda: len(text(page)) == 6, "all lines in the page")
    assert text(page) == [
        EVIL,
        EVIL,
        'cut <img src=x onerror="window.pwned=1">',
        "red after\u202e turned",
        EVIL,
        EVIL,
    ]
    assert page.evaluate("window.pwned") is None
    assert (
        page.locator(
            "nf-log img, nf-log a:not(.log-n, .button), nf-log script, .result img, .host img"
        ).count()
        == 0
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
