"""The settings: each does what it says to a real server, and an older server is told apart from a broken one."""

from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from nixfleet_protocol.client import Client
from tests.browser.chromium import PHONE
from tests.browser.conftest import LogIn
from tests.support.lab import Lab, lab

pytestmark = pytest.mark.needs("chromium")

PARTS = ("login", "sessions", "tokens", "audit", "look", "about")


def part(page: Page, to: Lab, name: str) -> Locator:
    page.goto(f"{to.server.url}/#/settings/{name}")
    settings = page.get_by_role("region", name="Settings", exact=True)
    expect(settings).to_be_visible()
    return settings


def set_up(page: Page, to: Lab, code: str, password: str) -> None:
    page.goto(f"{to.server.url}/setup#{code}")
    page.get_by_label("Password").fill(password)
    page.get_by_label("The same again").fill(password)
    page.get_by_role("button", name="Set the password and log in").click()


def test_a_token_is_made_shown_once_works_and_is_revoked(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    settings = part(page, fleet, "tokens")
    settings.get_by_label("Name").fill("from-the-page")
    settings.get_by_label("May").select_option("operate")
    settings.get_by_role("button", name="Make it").click()
    expect(settings.get_by_text("shown this once:")).to_be_visible()
    token = settings.locator(".once code").inner_text()
    with Client(url=fleet.server.url, token=token) as client:
        client.hosts()
        row = settings.get_by_role("row").filter(has_text="from-the-page")
        expect(row).to_contain_text("operate")
        row.get_by_role("button", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(row).to_have_count(0)
        with pytest.raises(Exception, match="token"):
            client.hosts()
    page.reload()
    expect(settings.get_by_role("row").filter(has_text="tests")).to_be_visible()
    assert token not in page.content()


def test_what_is_pressed_while_the_list_is_on_its_way_is_done(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    held: list[Route] = []
    page.route("**/api/v1/tokens", lambda route: held.append(route) if not held else route.continue_())
    settings = part(page, fleet, "tokens")
    settings.get_by_label("Name").fill("in-between")
    settings.get_by_role("button", name="Make it").click()
    expect(settings.get_by_text("shown this once:")).to_be_visible()
    rows = settings.get_by_role("row").filter(has_text="in-between")
    expect(rows).to_have_count(1)
    held[0].fulfill(json={"tokens": []})  # the answer to what was asked before comes last
    page.wait_for_load_state("networkidle")
    expect(rows).to_have_count(1)


def test_one_time_tokens_are_listed_with_what_came_of_them_and_revoked(fleet: Lab, log_in: LogIn) -> None:
    with Client(url=fleet.server.url, token=fleet.server.add_token("enroller", "admin")) as client:
        names = ("let-in", "not-yet", "meanwhile")
        used, waiting, raced = (client.add_enroll_token(name) for name in names)
    enrol = f"{fleet.server.url}/api/v1/enroll"
    assert httpx.post(enrol, json={"token": used.token, "hostname": "let-in"}).status_code == 201
    settings = part(page := log_in(fleet), fleet, "tokens")
    listed = settings.get_by_role("region", name="One-time tokens")
    row = listed.get_by_role("row").filter(has_text="let-in")
    expect(row.get_by_role("link", name="let-in")).to_have_attribute("href", "#/hosts/let-in")
    expect(row.get_by_role("button", name="Revoke")).to_have_count(0)
    row = listed.get_by_role("row").filter(has_text="not-yet")
    expect(row).to_contain_text("waits, ends in 59 min")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    expect(settings.get_by_role("heading", name="One-time tokens")).to_be_focused()  # its row is gone
    assert httpx.post(enrol, json={"token": waiting.token, "hostname": "not-yet"}).status_code == 403
    row = listed.get_by_role("row").filter(has_text="meanwhile")
    row.get_by_role("button", name="Revoke").click()
    assert httpx.post(enrol, json={"token": raced.token, "hostname": "meanwhile"}).status_code == 201
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(settings.get_by_text("it has let in meanwhile already")).to_be_visible()
    expect(row).to_contain_text("let in")
    assert waiting.token not in page.content()


def test_sessions_are_listed_and_another_is_ended_at_once(
    fleet: Lab, log_in: LogIn, watched: BrowserContext
) -> None:
    page = log_in(fleet)
    browser = watched.browser
    assert browser
    other = browser.new_context()
    second = other.new_page()
    second.goto(fleet.server.url)
    second.get_by_label("Password").fill(fleet.password)
    second.keyboard.press("Enter")
    expect(second.locator(".live")).to_have_text("Live")
    settings = part(page, fleet, "sessions")
    expect(settings.get_by_text("this one").filter(visible=True)).to_have_count(1)
    settings.get_by_role("button", name="End all others").click()
    expect(settings.get_by_role("button", name="End", exact=True).filter(visible=True)).to_have_count(0)
    second.wait_for_url("**/login*", timeout=60_000)
    expect(second.get_by_label("Password")).to_be_visible(timeout=60_000)
    other.close()


def test_what_was_done_stands_in_the_audit_log_page_by_page(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    made = "for-the-audit"
    settings = part(page, fleet, "tokens")
    settings.get_by_label("Name").fill(made)
    settings.get_by_role("button", name="Make it").click()
    expect(settings.get_by_text("shown this once:")).to_be_visible()
    settings = part(page, fleet, "audit")
    entry = settings.get_by_role("row").filter(has_text="token.add").first
    expect(entry).to_contain_text("admin")
    expect(entry).to_contain_text("ok")


def test_the_theme_chosen_here_is_the_bars_too(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    settings = part(page, fleet, "look")
    settings.get_by_label("Dark").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()


def test_about_names_versions_and_gives_a_backup(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    settings = part(page, fleet, "about")
    for label in ("Server", "This page", "Protocol", "Database"):
        expect(settings.locator("dt", has_text=label)).to_be_visible()
    with page.expect_download() as download:
        settings.get_by_role("link", name="Download a backup").click()
    assert Path(download.value.path()).stat().st_size > 1000


@pytest.mark.long
def test_from_the_set_up_link_to_a_second_factor_and_a_recovery_code(
    tmp_path: Path, watched: BrowserContext
) -> None:
    """The server's printed link, a first password, another one, TOTP on, in with a code, in with a recovery code, off."""
    with lab(tmp_path) as mine:
        mine.server.process.end()
        mine.server.process.environment.pop("NIXFLEET_PASSWORD_HASH", None)
        mine.server.process.environment.pop("NIXFLEET_PASSWORD_HASH_FILE", None)
        mine.server.start()
        code = mine.server.process.tail(200).rpartition("/setup#")[2].split()[0]
        page = watched.new_page()
        first, changed = "the first password here", "another password by now"
        set_up(page, mine, code, first)
        expect(page.locator(".live")).to_have_text("Live")

        settings = part(page, mine, "login")
        settings.get_by_label("Password now").fill(first)
        settings.get_by_label("New password").fill(changed)
        settings.get_by_label("The same again").fill(changed)
        settings.get_by_role("button", name="Change the password").click()
        expect(page.get_by_role("log", name="Messages")).to_contain_text("The password is changed")

        settings.get_by_role("button", name="Set it up").click()
        expect(settings.get_by_role("img", name="QR code")).to_be_visible()
        secret = settings.locator("code.mono").inner_text().replace(" ", "")
        settings.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
        settings.get_by_label("Your password").fill(changed)
        settings.get_by_role("button", name="Turn it on").click()
        expect(settings.get_by_text("Keep these recovery codes.")).to_be_visible()
        recovery = settings.locator(".codes").inner_text().split()
        assert len(recovery) >= 5

        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(lambda url: "/login" in url.partition("#")[0])
        page.get_by_label("Password").fill(changed)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        page.get_by_label("Code").fill(recovery[0])  # the field came with the refusal
        page.get_by_role("button", name="Log in").click()
        expect(page.locator(".live")).to_have_text("Live")
        settings = part(page, mine, "login")
        expect(settings).to_contain_text(f"{len(recovery) - 1} recovery codes are left")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_part_fits_a_phone(fleet: Lab, log_in: LogIn, scheme: str) -> None:
    page = log_in(fleet)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for name in PARTS:
        part(page, fleet, name)
        page.wait_for_timeout(200)
        assert page.evaluate("document.getElementById('main').scrollWidth") <= PHONE["width"], name


def test_an_older_server_is_told_as_one(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    for path in ("access", "sessions", "tokens", "enroll-tokens", "audit", "about"):
        page.route(
            f"**/api/v1/{path}*",
            lambda route: route.fulfill(
                status=404, json={"title": "Not Found", "status": 404, "code": "not_found"}
            ),
        )
    for name, words in (("login", "older"), ("sessions", "older"), ("tokens", "older"), ("audit", "older")):
        expect(part(page, fleet, name)).to_contain_text(words)
