"""A real server, a real browser that is logged in, and a watch over what must never happen in a page."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import DESKTOP, chromium
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab

expect.set_options(timeout=30_000)  # milliseconds; a wide bound for a loaded machine

LogIn = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a module, not a session: while Playwright is open no other test can use asyncio.run."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server for all tests of a module; each adds hosts of its own names."""
    with lab(tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=DESKTOP)
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext) -> Iterator[BrowserContext]:
    """Fails the test if a page threw, broke the content security policy, or asked a stranger for something."""
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(f"thrown: {error.error}"))
    context.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    context.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if "Content Security Policy" in message.text or "Alpine" in message.text
            else None
        ),
    )
    context.on(
        "request",
        lambda request: None if "//127.0.0.1:" in request.url else faults.append(f"asked {request.url}"),
    )
    yield context
    assert faults == []


@pytest.fixture
def log_in(watched: BrowserContext) -> LogIn:
    """`log_in(lab)` → a page that shows its fleet."""

    def go(to: Lab, path: str = "/") -> Page:
        page = watched.new_page()
        page.goto(f"{to.server.url}{path}")
        page.get_by_label("Password").fill(to.password)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
        expect(page.locator(".live")).to_have_text("Live")
        return page

    return go


@pytest.fixture(scope="module")
def tokens(fleet: Lab) -> dict[str, str]:
    """Tokens of the module's hosts. Making one costs a process, so tests share hosts where the name says nothing."""
    return {}


@pytest.fixture
def simulate(fleet: Lab, tokens: dict[str, str]) -> Iterator[Callable[..., SimulatedAgent]]:
    """`simulate(name, …)` → a connected simulated agent; its host is made when it is not there yet."""
    made: list[SimulatedAgent] = []

    def start(name: str = "web1", **options: Any) -> SimulatedAgent:
        if name not in tokens:
            tokens[name] = fleet.server.add_host(name)
        agent = SimulatedAgent(fleet.server.url, tokens[name], name, **options)
        made.append(agent)
        return agent.start()

    yield start
    for agent in made:
        agent.close()
