"""Lighthouse on the fleet page with 50 hosts that beat: performance, accessibility and best practices, of 100.

Needs npm: Lighthouse is fetched with `npx`. Median of five for a desktop and for the slow phone that Lighthouse simulates.
"""

import json
import statistics
import subprocess
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nixfleet_protocol.messages import Metrics
from tests.browser.gallery import nixos
from tests.browser.simulated import SimulatedAgent
from tests.support.lab import Lab, lab

LIGHTHOUSE = "lighthouse@12.8.2"
HOSTS = 50
INTERVAL = 5.0
TIMES = 5
CATEGORIES = ("performance", "accessibility", "best-practices")
AUDITS = {
    "largest-contentful-paint": "largest paint, ms",
    "total-blocking-time": "blocked, ms",
    "cumulative-layout-shift": "layout shift",
}


def main() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory, lab(Path(directory)) as mine, ExitStack() as agents:
        for number in range(HOSTS):
            agents.callback(_host(mine, number).close)
        headers = Path(directory) / "headers.json"
        headers.write_text(json.dumps({"Cookie": _cookie(mine)}))
        figures: dict[str, float] = {}
        for form, flags in (("desktop", ["--preset=desktop"]), ("phone", [])):
            reports = [_report(mine.server.url, headers, flags) for _ in range(TIMES)]
            for category in CATEGORIES:
                scores = [report["categories"][category]["score"] * 100 for report in reports]
                figures[f"{form}: {category}"] = round(statistics.median(scores))
            for audit, title in AUDITS.items():
                values = [report["audits"][audit]["numericValue"] for report in reports]
                figures[f"{form}: {title}"] = round(statistics.median(values), 3)
        return figures


def _host(mine: Lab, number: int) -> SimulatedAgent:
    name = f"host-{number:03}"
    metrics = Metrics(cpu=float(number * 7 % 100), ram=float(number * 13 % 100), load=1.0, cores=4)
    return SimulatedAgent(
        mine.server.url,
        mine.server.add_host(name),
        name,
        facts=nixos(12),
        metrics=metrics,
        interval=INTERVAL,
        platform="nixos",
    ).start()


def _cookie(mine: Lab) -> str:
    request = urllib.request.Request(
        f"{mine.server.url}/api/v1/session",
        data=json.dumps({"password": mine.password}).encode(),
        headers={"Content-Type": "application/json", "Origin": mine.server.url},
    )
    with urllib.request.urlopen(request) as answer:
        return "; ".join(cookie.partition(";")[0] for cookie in answer.headers.get_all("Set-Cookie"))


def _report(url: str, headers: Path, flags: list[str]) -> dict[str, Any]:
    chrome = "--chrome-flags=--headless=new --no-sandbox --disable-gpu"
    argv = ["npx", "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--extra-headers={headers}"]
    argv += [f"--only-categories={','.join(CATEGORIES)}", chrome, *flags]
    for last in (False, False, True):  # now and then it records no navigation, and says to run it again
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=last, timeout=300)
        if done.returncode == 0:
            break
    report: dict[str, Any] = json.loads(done.stdout)
    return report
