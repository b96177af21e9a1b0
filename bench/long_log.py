"""A log of 1,000,000 lines in the page: how long it takes to open, to jump, to search; what it holds; how it scrolls.

Chromium on the server's machine. Opening is from the address to the last line on screen; the median of five.
"""

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from nixfleet_protocol.messages import CommandMessage
from tests.browser.big_log import grow
from tests.browser.chromium import DESKTOP, chromium
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab

LINES = 1_000_000
TIMES = 5
WHEEL = """async () => {
    const scroller = document.querySelector(".log-scroller");
    const tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
    let last = performance.now(), worst = 0;
    for (let frame = 0; frame < 300; frame += 1) {
        scroller.scrollTop -= 120;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        worst = Math.max(worst, now - last);
        last = now;
    }
    return [worst, Math.max(0, ...tasks)];
}"""


def main() -> dict[str, float]:
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as directory, lab(Path(directory)) as mine, chromium() as browser:
        run_id = _log(mine)
        page = browser.new_context(viewport=DESKTOP).new_page()  # type: ignore[arg-type]
        page.goto(mine.server.url)
        page.get_by_label("Password").fill(mine.password)
        page.keyboard.press("Enter")
        expect(page.locator(".live")).to_have_text("Live")
        return _measure(page, f"{mine.server.url}/#/runs/{run_id}")


def _log(mine: Lab) -> str:
    def play(self: SimulatedAgent, command: CommandMessage) -> None:
        self.begin(command)
        self.end(command)

    agent = SimulatedAgent(mine.server.url, mine.server.add_host("web1"), "web1", play=play).start()
    run = mine.client.run("web1", "pull")
    run.wait(30)
    agent.close()
    grow(mine, run.id, LINES)
    return run.id


def _measure(page: Page, address: str) -> dict[str, float]:
    end = page.locator(f'.log-line[data-seq="{LINES}"]')
    opened = []
    for _ in range(TIMES):
        page.goto(address.partition("#")[0] + "#/")
        expect(end).to_be_hidden()
        opened.append(_seconds(lambda: page.goto(address), lambda: end.wait_for()))
    figures = {"open, s": round(statistics.median(opened), 3)}
    page.locator(".log-scroller").focus()
    first = page.locator('.log-line[data-seq="1"]:not([data-waiting])')
    figures["to the first line, s"] = _seconds(lambda: page.keyboard.press("Home"), first.wait_for)
    page.keyboard.press("Control+f")
    found = page.locator(".log-tally", has_text="1/1")
    figures["search all of it for one line, s"] = _seconds(
        lambda: page.keyboard.insert_text(f"{LINES - 7} building"), found.wait_for
    )
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    end.wait_for()
    worst, task = page.evaluate(WHEEL)
    figures["longest frame in 300 of scrolling, ms"] = round(worst, 1)
    figures["longest task meanwhile, ms (0: none of 50)"] = round(task, 1)
    figures["rows in the document"] = page.locator(".log-line").count()
    figures["heap, MB"] = round(page.evaluate("performance.memory.usedJSHeapSize") / 1e6, 1)
    return figures


def _seconds(begin: object, wait: object) -> float:
    began = time.monotonic()
    begin()  # type: ignore[operator]
    wait()  # type: ignore[operator]
    return round(time.monotonic() - began, 3)
