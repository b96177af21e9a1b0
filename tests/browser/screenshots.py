"""Pictures of the demo fleet's pages: `python -m tests.browser.screenshots OUTDIR [--all]`.

Without `--all` only fleet.png, the README's picture: a live switch in dark. With it, every view in dark and light at
1440x900 and 390x844 as VIEW-SCHEME-WIDTH.png.
"""

import argparse
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from demo.fleet import Fleet, running
from nixfleet_protocol.client import Client
from tests.browser.chromium import DESKTOP, PHONE, chromium

PAUSE = 1.0
"""Seconds that a step of the demo's switch takes: long enough to be caught at work."""
HOST = "web1"
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def prepare(client: Client) -> str:
    """Give every host a past. Returns the id of the test run that failed."""
    runs = [client.run(host.host_id, "pull-switch") for host in client.hosts()]
    for run in runs:
        run.wait(120)
    failed = client.run("db1", "test")
    failed.wait(120)
    for host in ("web1", "lab1"):
        client.run(host, "test").wait(120)
    return failed.id


def log_in(page: Page, fleet: Fleet) -> None:
    """From the login page to the fleet."""
    page.goto(f"{fleet.server.url}/login")
    page.get_by_label("Password").fill(fleet.server.password)
    page.keyboard.press("Enter")
    expect(page.locator(".live")).to_have_text("Live")


def switching(page: Page, fleet: Fleet, client: Client) -> None:
    """Open a switch that is at work."""
    run = client.get_run(client.run(HOST, "pull-switch").id)
    page.goto(f"{fleet.server.url}/#/runs/{run.id}")
    expect(page.locator(".log-line")).not_to_have_count(0)
    page.wait_for_timeout(4 * PAUSE * 1000)


def settled(client: Client) -> None:
    """Wait until no run is under way."""
    for run in client.runs(host=HOST, limit=1):
        client.get_run(run.run_id).wait(120)


def shoot(page: Page, place: Path) -> None:
    page.wait_for_timeout(400)  # transitions
    page.screenshot(path=place)
    print(place)


def readme(browser: Browser, fleet: Fleet, client: Client, out: Path) -> None:
    """The picture at the top of the README."""
    context = browser.new_context(viewport=DESKTOP, color_scheme="dark")
    page = context.new_page()
    log_in(page, fleet)
    switching(page, fleet, client)
    shoot(page, out / "fleet.png")
    context.close()
    settled(client)


def every_view(browser: Browser, fleet: Fleet, client: Client, failed: str, out: Path) -> None:
    """All views in both schemes and widths."""
    for scheme in SCHEMES:
        for size in (DESKTOP, PHONE):
            context = browser.new_context(viewport=size, color_scheme=scheme)
            page = context.new_page()
            end = f"{scheme}-{size['width']}.png"
            page.goto(f"{fleet.server.url}/login")
            shoot(page, out / f"login-{end}")
            log_in(page, fleet)
            shoot(page, out / f"hosts-{end}")
            page.get_by_role("button", name=f"Switch: {HOST}", exact=True).click()
            shoot(page, out / f"confirm-{end}")
            page.keyboard.press("Escape")
            page.goto(f"{fleet.server.url}/#/runs/{failed}")
            expect(page.locator(".failure")).to_be_visible()
            shoot(page, out / f"failed-{end}")
            switching(page, fleet, client)
            shoot(page, out / f"switch-{end}")
            context.close()
            settled(client)


def main(argv: list[str] | None = None) -> int:
    """Make the pictures; exit code 0 when all were made."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--all", action="store_true", help="every view, both schemes, both widths")
    options = parser.parse_args(argv)
    options.outdir.mkdir(parents=True, exist_ok=True)
    with (
        running(pause=PAUSE) as fleet,
        chromium() as browser,
        Client(url=fleet.server.url, token=fleet.token) as client,
    ):
        failed = prepare(client)
        readme(browser, fleet, client, options.outdir)
        if options.all:
            every_view(browser, fleet, client, failed, options.outdir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
