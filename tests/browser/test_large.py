"""A thousand hosts, each beating every five seconds: the page stays smooth, and nothing on it moves by itself.

The hosts come from the test in place of the server, through the page's own socket, so that what is measured is the page.
"""

import json
import time
from typing import Any

import pytest
from playwright.sync_api import CDPSession, expect

from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages.browser import HostRemoved, HostUpdate
from tests.browser.conftest import LogIn
from tests.browser.many import HOSTS, INTERVAL, Beats, host
from tests.support.lab import Lab, until

pytestmark = [pytest.mark.needs("chromium", "git"), pytest.mark.long]

MEASURED = 10.0
SCRIPTING_MAX = 0.5
"""Share of one core. A wide bound for a machine under load; by itself it is a few percent."""
TRANSFERRED_MAX = 150_000
"""Bytes of all bodies, packed."""


def metrics(session: CDPSession) -> dict[str, float]:
    found = session.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}


def test_a_thousand_hosts_that_beat(fleet: Lab, log_in: LogIn, watched: Any) -> None:
    page = log_in(fleet)
    beats = Beats(page)
    page.reload()
    expect(page.locator(".live")).to_have_text("Live")
    expect(page.locator("[data-host]")).to_have_count(HOSTS)
    page.evaluate(
        """() => {
            window.shift = 0;
            window.longest = 0;
            new PerformanceObserver((list) => list.getEntries().forEach((one) => { window.shift += one.hadRecentInput ? 0 : one.value; })).observe({ type: "layout-shift" });
            new PerformanceObserver((list) => list.getEntries().forEach((one) => { window.longest = Math.max(window.longest, one.duration); })).observe({ type: "longtask" });
        }"""
    )
    beats.go_on(INTERVAL)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = metrics(session)
    begun = time.monotonic()
    beats.go_on(MEASURED)
    after = metrics(session)
    past = time.monotonic() - begun
    share = (after["ScriptDuration"] - before["ScriptDuration"]) / past
    work = (after["TaskDuration"] - before["TaskDuration"]) / past
    print(
        f"scripting {share:.1%}, all work {work:.1%} of one core, nodes {after['Nodes']:.0f}, longest task {page.evaluate('window.longest'):.0f} ms"
    )
    assert page.evaluate("window.shift") < 0.01, "heartbeats move nothing"
    assert share < SCRIPTING_MAX

    page.locator("#main").evaluate("(main) => { main.scrollTop = main.scrollHeight / 2; }")
    until(lambda: page.evaluate(SEEN_ROWS_ARE_DRAWN), "rows are drawn where one scrolls to")
    assert page.locator(".host-actions").count() < HOSTS / 4, "what is out of sight is not made"
    page.get_by_role("searchbox", name="Filter the hosts").fill("host-0777")
    expect(page.locator("[data-host]")).to_have_count(1)
    expect(page.locator('[data-host="host-0777"]')).to_contain_text("Online")


def test_a_thousand_hosts_stay_in_order_and_in_reach(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    beats = Beats(page)
    page.reload()
    expect(page.locator("[data-host]")).to_have_count(HOSTS)
    names = "() => [...document.querySelectorAll('[data-host]')].map((row) => row.dataset.host)"
    expected = sorted(range(HOSTS), key=lambda number: (number % 3, number))
    assert page.evaluate(names) == [f"host-{number:04}" for number in expected]

    assert beats.route
    beats.route.send(encode(HostUpdate(**{**host(998, 1), "criticality": "high"})))
    expected.remove(998)
    expected.insert(expected.index(999), 998)
    until(lambda: page.evaluate(names) == [f"host-{number:04}" for number in expected], "998 went up")
    beats.route.send(encode(HostRemoved(host_id="host-0000")))
    until(lambda: page.evaluate(names) == [f"host-{number:04}" for number in expected[1:]], "0 went away")

    page.get_by_role("link", name="host-0003", exact=True).focus()
    for _ in range(60):  # far beyond what is drawn
        page.keyboard.press("j")
    expect(page.get_by_role("link", name=f"host-{expected[61]:04}", exact=True)).to_be_focused()
    expect(page.get_by_role("link", name=f"host-{expected[61]:04}", exact=True)).to_be_in_viewport()
    until(lambda: page.evaluate(SEEN_ROWS_ARE_DRAWN), "rows are drawn where the keys lead")
    expect(page.get_by_role("list", name="Hosts").get_by_role("listitem")).to_have_count(HOSTS - 1)

    for width in (390, 800, 1200, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        until(lambda: page.evaluate(SEEN_ROWS_ARE_DRAWN), "rows are drawn at another width")
        assert page.evaluate(NOTHING_IS_WIDER), f"cards or rows are wider than the page of {width}"
    page.set_viewport_size({"width": 390, "height": 900})
    assert len(set(page.evaluate(CORNERS))) == 1, "the last card is as round as the others"


NOTHING_IS_WIDER = """() => [...document.querySelectorAll("[data-host]")].every((row) => row.getBoundingClientRect().right <= innerWidth)"""
CORNERS = (
    """() => [...document.querySelectorAll("[data-host]")].map((row) => getComputedStyle(row).borderRadius)"""
)
SEEN_ROWS_ARE_DRAWN = """() => {
    const seen = [...document.querySelectorAll("[data-host]")].filter((row) => {
        const { top, bottom } = row.getBoundingClientRect();
        return bottom > 100 && top < innerHeight && row.checkVisibility({ contentVisibilityAuto: true });
    });
    return seen.length > 1 && seen.every((row) => row.querySelector(".host-actions button"));
}"""


def test_what_a_page_costs_to_load(fleet: Lab, log_in: LogIn) -> None:
    page = log_in(fleet)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.reload()
    expect(page.locator(".live")).to_have_text("Live")
    measured = page.evaluate(
        """() => {
            const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
            const sum = (of) => all.reduce((total, one) => total + (one[of] || 0), 0);
            const first = performance.getEntriesByType("paint").find((one) => one.name === "first-contentful-paint");
            return { requests: all.length, bodies: sum("encodedBodySize"), plain: sum("decodedBodySize"), paint: first && first.startTime };
        }"""
    )
    print(json.dumps(measured))
    assert measured["bodies"] < TRANSFERRED_MAX
