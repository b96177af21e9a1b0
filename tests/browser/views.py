"""Every view of the page, each opened as an operator would: for pictures, and for tests that look at all of them."""

from collections.abc import Callable
from itertools import count

from playwright.sync_api import Page, expect

View = Callable[[Page, str], None]
"""Opens the view on a page that is logged in, given the server's address."""

GROUPS = "#fleet-groups button"


def at(path: str, ready: str) -> View:
    """The view of an address; `ready` is a selector of what shows that it is there."""

    def open_it(page: Page, url: str) -> None:
        page.goto(f"{url}/{path}")
        expect(page.locator(ready).first).to_be_visible()

    return open_it


fleet = at("#/", ".host-id")


def cards(page: Page, url: str) -> None:
    fleet(page, url)
    page.get_by_role("button", name="View", exact=True).click()
    page.get_by_role("menuitemcheckbox", name="Cards").click()
    expect(page.locator("#hosts")).to_have_attribute("data-layout", "cards")


def view_menu(page: Page, url: str) -> None:
    fleet(page, url)
    page.get_by_role("button", name="View", exact=True).click()
    expect(page.get_by_role("menu", name="View")).to_be_visible()


def filtered(page: Page, url: str) -> None:
    fleet(page, url)
    page.get_by_role("searchbox", name="Filter the hosts").fill("nixos main")


def selected(page: Page, url: str) -> None:
    fleet(page, url)
    page.get_by_role("checkbox", name="Select gate").check()
    page.get_by_role("checkbox", name="Select mail").check()
    expect(page.get_by_role("group", name="Selected hosts")).to_be_visible()


def bulk(page: Page, url: str) -> None:
    selected(page, url)
    bar = page.get_by_role("group", name="Selected hosts")
    bar.get_by_role("button", name="Pull + Switch").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def confirm(page: Page, url: str) -> None:
    fleet(page, url)
    page.get_by_role("button", name="Switch: gate", exact=True).click()
    expect(page.get_by_role("dialog", name="Switch gate?")).to_be_visible()


def finder(page: Page, url: str) -> None:
    fleet(page, url)
    page.keyboard.press("Control+k")
    page.keyboard.type("mail s")
    expect(page.get_by_role("option").first).to_be_visible()


def keys(page: Page, url: str) -> None:
    fleet(page, url)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def host(page: Page, url: str) -> None:
    at("#/hosts/db-main", ".generation")(page, url)
    expect(page.locator("#chart-load canvas")).to_be_visible()


def difference(page: Page, url: str) -> None:
    host(page, url)
    page.get_by_text("What it changed").first.click()
    expect(page.locator(".difference table").first).to_be_visible()
    page.locator(".difference").first.scroll_into_view_if_needed()


def changed(page: Page, url: str) -> None:
    host(page, url)
    page.locator(".strip a").nth(1).click()
    page.get_by_text("What changed").click()
    expect(page.locator("#dock .difference table").first).to_be_visible()


def failed(page: Page, url: str) -> None:
    fleet(page, url)
    page.get_by_role("link", name="Read its output: mail").click()
    expect(page.locator(".log-line").first).to_be_visible()


def running(page: Page, url: str) -> None:
    fleet(page, url)
    page.locator('[data-host="builder-1"] .activity').click()
    expect(page.locator(".log-line").first).to_be_visible()


def found(page: Page, url: str) -> None:
    running(page, url)
    page.keyboard.press("Control+f")
    page.keyboard.type("a")
    expect(page.locator(".log-line mark").first).to_be_visible()


def folded(page: Page, url: str) -> None:
    running(page, url)
    page.get_by_role("button", name="Time of each line").click()
    page.get_by_role("button", name="Fold all parts").click()
    expect(page.locator('.log-fold[aria-expanded="false"]').first).to_be_visible()


def add_steps(page: Page, url: str) -> None:
    """The host it makes stays, so each look makes another."""
    at("#/add", "dialog[open]")(page, url)
    add = page.get_by_role("dialog", name="Add a host")
    add.get_by_label("Name").fill(f"new-{next(_NEW)}")
    add.get_by_role("button", name="Make its token").click()
    expect(add.locator("pre").first).to_be_visible()


_NEW = count(1)

VIEWS: dict[str, View] = {
    "fleet": fleet,
    "cards": cards,
    "view": view_menu,
    "filtered": filtered,
    "selected": selected,
    "bulk": bulk,
    "confirm": confirm,
    "finder": finder,
    "keys": keys,
    "host": host,
    "difference": difference,
    "changed": changed,
    "failed": failed,
    "running": running,
    "add": at("#/add", "dialog[open]"),
    "found": found,
    "folded": folded,
    "add-steps": add_steps,
    "settings": at("#/settings/login", ".settings-nav a"),
    "sessions": at("#/settings/sessions", "td"),
    "tokens": at("#/settings/tokens", "#token-name"),
    "audit": at("#/settings/audit", "td"),
    "look": at("#/settings/look", ".choices"),
    "about": at("#/settings/about", "dd"),
}
