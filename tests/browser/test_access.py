"""For everybody: axe-core finds nothing on any view, names and landmarks are there, the focus survives live updates."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser import views
from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import LogIn
from tests.browser.gallery import gallery
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab

pytestmark = pytest.mark.needs("chromium", "git")

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SIZES = {"wide": DESKTOP, "narrow": PHONE}


@pytest.fixture(scope="module")
def hosts(fleet: Lab) -> Iterator[dict[str, SimulatedAgent]]:
    with gallery(fleet) as agents:
        yield agents


def violations(page: Page) -> list[str]:
    """What axe-core has to say: rule, and the first elements that break it."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{one['id']} ({one['help']}): {node['html'][:160]} {node['failureSummary'][:240]}"
        for one in found
        for node in one["nodes"][:3]
    ]


def check(page: Page, names: list[str], url: str) -> None:
    faults: list[str] = []
    for name in names:
        page.goto("about:blank")
        views.VIEWS[name](page, url)
        page.wait_for_timeout(300)  # colours are judged once they no longer change
        faults += [f"{name}: {fault}" for fault in violations(page)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_no_violation_on_the_fleet_and_a_host(
    fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn, scheme: str
) -> None:
    page = log_in(fleet)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    check(page, ["fleet", "host"], fleet.server.url)


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "size"), [("dark", "wide"), ("light", "narrow")])
def test_no_violation_on_any_view(
    fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn, scheme: str, size: str
) -> None:
    page = log_in(fleet)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    # So tall that no host happens to lie half under the bar at the bottom, from where one scrolls it away.
    page.set_viewport_size(SIZES[size] | {"height": 2400})  # type: ignore[arg-type]
    check(page, list(views.VIEWS), fleet.server.url)


def test_landmarks_and_one_heading_of_first_rank(
    fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn
) -> None:
    page = log_in(fleet)
    for path, heading in (("#/", "Fleet"), ("#/hosts/gate", "gate"), ("#/settings", "Settings")):
        page.goto(f"{fleet.server.url}/{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        for landmark in ("banner", "navigation", "main"):
            expect(page.get_by_role(landmark).first).to_be_visible()  # type: ignore[arg-type]


def test_another_page_gets_the_focus_on_its_heading(
    fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn
) -> None:
    page = log_in(fleet)
    page.get_by_role("link", name="gate", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="gate", level=1)).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.get_by_role("heading", name="Fleet", level=1)).to_be_focused()


def test_the_focus_survives_updates_and_sorting(
    fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn
) -> None:
    page = log_in(fleet)
    button = page.get_by_role("button", name="Test: cache", exact=True)
    button.focus()
    page.get_by_role("button", name="View", exact=True).click()
    page.get_by_role("menuitemcheckbox", name="What needs you first").click()
    button.focus()
    for name in ("gate", "db-main", "cache"):
        hosts[name].heartbeat()
    page.wait_for_timeout(6000)  # the list sorts itself again each five seconds
    expect(button).to_be_focused()
    page.get_by_role("button", name="View", exact=True).click()
    page.get_by_role("menuitemcheckbox", name="Criticality, then name").click()


def test_live_regions_do_not_chatter(fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn) -> None:
    """Heartbeats and ticking ages are for the eye; only what ended is told."""
    page = log_in(fleet)
    page.evaluate(
        """() => {
            window.said = 0;
            const regions = document.querySelectorAll("[role=status], [role=log], [role=alert], [aria-live]");
            for (const region of regions) {
                new MutationObserver(() => (window.said += 1)).observe(region, { subtree: true, childList: true, characterData: true });
            }
        }"""
    )
    for _ in range(5):
        for name in ("gate", "db-main", "laptop-ada"):
            hosts[name].heartbeat()
        page.wait_for_timeout(500)
    assert page.evaluate("window.said") == 0


def test_at_200_percent_and_at_320_pixels_nothing_is_lost(
    fleet: Lab, hosts: dict[str, SimulatedAgent], log_in: LogIn
) -> None:
    page = log_in(fleet)
    for width in (720, 320):  # 1440 at 200 %, 1280 at 400 %
        page.set_viewport_size({"width": width, "height": 450})
        for path in ("#/", "#/hosts/db-main"):
            page.goto(f"{fleet.server.url}/{path}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.wait_for_timeout(300)
            main = page.locator("#main")
            assert main.evaluate("(main) => main.scrollWidth - main.clientWidth") <= 0, (width, path)
