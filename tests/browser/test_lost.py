"""The server goes and comes: what is shown stays and says so, what is typed stays, and the page goes on by itself."""

import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from nixfleet_protocol.messages import Facts, Metrics
from nixfleet_protocol.messages.facts import Generation
from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import LogIn
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab

pytestmark = pytest.mark.needs("chromium", "git")
EVIL = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_killed_server_greys_what_is_known_and_loses_nothing_typed(
    tmp_path: Path, log_in: LogIn, scheme: str
) -> None:
    with lab(tmp_path) as mine:
        mine.agent("web1", {"switch": "true"})
        page = log_in(mine)
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{mine.server.url}/#/hosts/web1")
        notes = page.get_by_label("Notes")
        notes.fill("half a sentence")
        mine.server.process.end(signal.SIGKILL)
        expect(page.locator(".banner")).to_contain_text("this is the fleet as of")
        expect(page.get_by_role("button", name="Switch: web1", exact=True)).to_be_disabled()
        expect(page.locator("#favicon")).to_have_attribute("href", "/static/icons/favicon-lost.svg")
        page.get_by_role("link", name="Fleet", exact=True).click()
        expect(page.locator('[data-host="web1"]')).to_contain_text("Online")  # greyed, not blanked
        assert (
            float(page.locator(".page:visible").first.evaluate("(page) => getComputedStyle(page).opacity"))
            < 1
        )
        page.get_by_role("searchbox", name="Filter the hosts").fill("web")
        mine.server.start()
        expect(page.locator(".live")).to_have_text("Live")
        expect(page.locator(".banner")).to_be_hidden()
        expect(page.get_by_role("searchbox", name="Filter the hosts")).to_have_value("web")
        expect(page.get_by_role("button", name="Switch: web1", exact=True).first).to_be_enabled()
        page.go_back()
        expect(notes).to_have_value("half a sentence")


def test_what_runs_on_a_host_that_is_away_is_stopped_once_it_is_back(tmp_path: Path, log_in: LogIn) -> None:
    with lab(tmp_path) as mine:
        agent = mine.agent("web1", {"hosts/web1/tests/T01-long.sh": "echo begun; sleep 600"})
        mine.client.run("web1", "pull").wait(60)
        run = mine.client.run("web1", "test")
        page = log_in(mine, f"/#/runs/{run.id}")
        expect(page.get_by_text("begun", exact=True)).to_be_visible()
        agent.process.end(signal.SIGKILL)  # its runner goes on
        card = page.locator("#problem-list .problem", has_text="Running, unreachable")
        expect(card.get_by_role("button", name="Stop: web1, from its problem")).to_be_enabled()
        dock = page.get_by_role("region", name="Runs and output")
        dock.locator(".run-head").get_by_role("button", name="Stop").click()
        question = page.get_by_role("dialog", name="Stop “Test” on web1?")
        expect(question).to_contain_text("web1 is away: it is told as soon as it is back.")
        question.get_by_role("button", name="Stop it").click()
        expect(page.get_by_role("log", name="Messages")).to_contain_text(
            "web1 is not connected; it is told as soon as it is back"
        )
        expect(dock.locator(".pill")).to_have_text("running when last heard of")
        expect(dock.locator(".run-facts")).to_contain_text("stops once web1 is back")
        assert mine.client.get_run(run.id).view.state == "running"
        agent.start()
        expect(dock.locator(".pill")).to_have_text("stopped")
        assert mine.ended(run.id).result == "stopped"
        expect(page.get_by_role("button", name="Test: web1", exact=True)).to_be_enabled()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["wide", "narrow"])
def test_an_open_run_says_that_it_is_the_past(tmp_path: Path, log_in: LogIn, size: dict[str, int]) -> None:
    with lab(tmp_path) as mine:
        mine.agent("web1", {"switch": "true", "hosts/web1/tests/T01-long.sh": "echo begun; sleep 600"})
        mine.client.run("web1", "pull").wait(60)
        page = log_in(mine)
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.get_by_role("button", name="Test: web1", exact=True).click()
        dock = page.get_by_role("region", name="Runs and output")
        stop = dock.locator(".run-head").get_by_role("button", name="Stop")
        expect(dock.locator(".pill")).to_have_text("running")
        expect(page.get_by_text("begun", exact=True)).to_be_visible()
        mine.server.process.end(signal.SIGKILL)
        expect(dock.locator(".pill")).to_have_text("running when last heard of")
        expect(stop).to_be_disabled()
        expect(stop).to_have_attribute("title", "No connection to the server")
        page.get_by_role("button", name="Try now").click(trial=True)  # nothing lies over it
        facts = dock.locator(".run-facts").inner_text()
        moving = "(dock) => dock.getAnimations({ subtree: true }).filter((one) => one instanceof CSSAnimation).length"
        assert dock.evaluate(moving) == 0
        page.wait_for_timeout(1500)
        assert dock.locator(".run-facts").inner_text() == facts, "nobody knows how long it runs by now"
        said = dock.get_by_text("No connection to the server: what comes meanwhile")
        expect(said).to_be_hidden()
        if size == DESKTOP:
            dock.get_by_role("button", name="Full screen").click()
            expect(said).to_be_visible()  # the banner lies below
        mine.server.start()
        expect(dock.locator(".pill")).to_have_text("running", timeout=90_000)
        expect(said).to_be_hidden()
        if size == DESKTOP:
            page.keyboard.press("Escape")
        expect(stop).to_be_enabled()


def test_parts_not_opened_before_come_with_the_server(tmp_path: Path, log_in: LogIn) -> None:
    with lab(tmp_path) as mine:
        mine.agent("web1", {"switch": "true"})
        page = log_in(mine)
        page.add_init_script("window.requestIdleCallback = () => 0")  # nothing is fetched ahead
        page.route(
            "**/settings-parts.js", lambda route: route.abort()
        )  # as where the loss is not noticed yet
        page.reload()
        expect(page.locator(".live")).to_have_text("Live")
        page.get_by_role("link", name="Settings").click()
        comes = page.get_by_text("This comes when the server is back.")
        expect(comes).to_be_visible()
        page.unroute("**/settings-parts.js")
        mine.server.process.end(signal.SIGKILL)
        expect(page.locator(".banner")).to_be_visible()
        page.goto(f"{mine.server.url}/#/hosts/web1")
        expect(page.get_by_role("main").locator(".waiting:visible")).to_have_count(1)
        page.get_by_role("link", name="Add host").click()
        expect(page.get_by_role("log", name="Messages")).to_contain_text("could not be fetched")
        expect(page.locator("body")).not_to_contain_text("TypeError")
        mine.server.start()
        adding = page.get_by_role("dialog", name="Add a host")
        expect(adding).to_be_visible(timeout=90_000)
        expect(page.locator(".toast")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Switch: web1", exact=True)).to_be_enabled()
        page.get_by_role("link", name="Settings").click()
        expect(page.get_by_role("heading", name="Password")).to_be_visible()
        expect(comes).to_have_count(0)


def test_parts_are_there_before_they_are_needed(tmp_path: Path, log_in: LogIn) -> None:
    with lab(tmp_path) as mine:
        mine.agent("web1", {"switch": "true"})
        page = log_in(mine)
        fetched = (
            "() => performance.getEntriesByType('resource').some((one) => one.name.endsWith('/add-host.js'))"
        )
        page.wait_for_function(fetched)  # the last of them
        mine.server.process.end(signal.SIGKILL)
        expect(page.locator(".banner")).to_be_visible()
        page.get_by_role("link", name="web1", exact=True).click()
        expect(page.get_by_role("heading", name="What it is")).to_be_visible()
        page.get_by_role("link", name="Add host").click()
        expect(page.get_by_role("dialog", name="Add a host")).to_be_visible()
        page.keyboard.press("Escape")
        mine.server.start()
        expect(page.locator(".live")).to_have_text("Live", timeout=90_000)
        expect(page.get_by_text("The history can't be shown")).to_be_hidden()
        expect(page.locator(".toast")).to_have_count(0)


def test_messages_are_told_once_and_go_with_their_reason(tmp_path: Path, log_in: LogIn) -> None:
    with lab(tmp_path) as mine:
        mine.agent("web1", {"switch": "true"})
        page = log_in(mine)
        page.get_by_role("link", name="web1", exact=True).click()
        save = page.get_by_role("button", name="Save")
        toast = page.locator(".toast")
        page.route(
            "**/api/v1/hosts/web1", lambda route: route.fulfill(status=500, json={"title": "No room left"})
        )
        for _ in range(3):
            save.click()
        expect(toast).to_have_text("No room left")
        page.get_by_role("link", name="Fleet", exact=True).click()
        expect(toast).to_have_count(0)
        page.go_back()
        page.unroute("**/api/v1/hosts/web1")
        mine.server.process.end(signal.SIGKILL)
        save.click()
        expect(toast).to_have_text("No connection to the server")
        mine.server.start()
        expect(page.locator(".live")).to_have_text("Live", timeout=90_000)
        expect(toast).to_have_count(0)


def test_nothing_a_host_says_becomes_markup_or_breaks_the_page(fleet: Lab, log_in: LogIn) -> None:
    """US-4's metrics and every fact, as a hostile agent would send them."""
    generation = Generation(number=1, version=EVIL[:60], store_path="/nix/store/" + "x" * 200, current=True)
    facts = Facts(
        os=EVIL[:60],
        os_version="\u202e\u0000evil"[:1] + "evil",
        generation="9" * 60,
        branch="main",
        repo_error=EVIL,
        specialisation=EVIL[:60],
        reboot="required",
        reboot_reasons=(EVIL[:60],),
        failed_units=(EVIL, "a" * 250),
        kernel_running=EVIL[:60],
        generations=(generation,),
        behind=10**9,
        dirty=True,
        store_free=0,
        store_total=1,
    )
    agent = SimulatedAgent(
        fleet.server.url,
        fleet.server.add_host("evil"),
        "evil",
        facts=facts,
        metrics=Metrics(cpu=100.0, load=1e6, cores=1),
    )
    agent.start()
    try:
        page = log_in(fleet)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 844})
            for path in ("#/", "#/hosts/evil"):
                page.goto(f"{fleet.server.url}/{path}")
                expect(page.get_by_text("<img src=x").first).to_be_attached()
                page.wait_for_timeout(300)
                assert page.evaluate("window.pwned") is None
                assert page.locator("#main").evaluate("(main) => main.scrollWidth - main.clientWidth") <= 0
    finally:
        agent.close()
