"""The server goes and comes: what is shown stays and says so, what is typed stays, and the page goes on by itself."""

import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from nixfleet_protocol.messages import Facts, Metrics
from nixfleet_protocol.messages.facts import Generation
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
        assert page.locator("#favicon").get_attribute("href") == "/static/icons/favicon-lost.svg"
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
