"""A page of 1,000 hosts that beat every 5 s: how it opens, what heartbeats cost, and whether it stutters when scrolled.

The hosts come from here in place of the server, through the page's own socket, so that what is measured is the page.
"""

import tempfile
import time
from pathlib import Path

from playwright.sync_api import CDPSession, expect

from tests.browser.chromium import DESKTOP, chromium
from tests.browser.many import HOSTS, INTERVAL, Beats
from tests.support.lab import lab

MEASURED = 10.0
WATCH = """() => {
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask" });
    window.frames = [];
    let last = performance.now();
    const step = () => {
        const now = performance.now();
        window.frames.push(now - last);
        last = now;
        window.stepping = requestAnimationFrame(step);
    };
    window.stepping = requestAnimationFrame(step);
}"""
SEEN = "() => { cancelAnimationFrame(window.stepping); return [window.tasks, window.frames.slice(1), document.querySelector('#main').scrollTop]; }"
NOTCH = 100
"""Pixels of the wheel, some thirty times a second: faster than one reads."""


def main() -> dict[str, float]:
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as directory, lab(Path(directory)) as mine, chromium() as browser:
        page = browser.new_context(viewport=DESKTOP).new_page()  # type: ignore[arg-type]
        page.goto(mine.server.url)
        page.get_by_label("Password").fill(mine.password)
        page.keyboard.press("Enter")
        expect(page.locator(".live")).to_have_text("Live")
        beats = Beats(page)
        began = time.monotonic()
        page.reload()
        expect(page.locator("[data-host]")).to_have_count(HOSTS)
        figures = {"open, s": round(time.monotonic() - began, 2)}
        beats.go_on(INTERVAL)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = _metrics(session)
        began = time.monotonic()
        beats.go_on(MEASURED)
        past = time.monotonic() - began
        for name, title in (("ScriptDuration", "scripting"), ("TaskDuration", "all work")):
            figures[f"{title} meanwhile, % of a core"] = round(
                (_metrics(session)[name] - before[name]) / past * 100, 1
            )
        page.mouse.move(DESKTOP["width"] / 2, DESKTOP["height"] / 2)
        page.evaluate(WATCH)
        beats.go_on(MEASURED, lambda: page.mouse.wheel(0, NOTCH))
        tasks, frames, scrolled = page.evaluate(SEEN)
        figures["scrolled by the wheel, pixels"] = round(scrolled)
        figures["tasks over 50 ms while scrolling"] = len(tasks)
        figures["longest of them, ms"] = round(max(tasks, default=0), 1)
        figures["median frame, ms"] = round(sorted(frames)[len(frames) // 2], 1)
        figures["longest frame, ms"] = round(max(frames), 1)
        return figures


def _metrics(session: CDPSession) -> dict[str, float]:
    found = session.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}
