"""Resident set of the agent's processes, in MiB, over ws and wss.

The resident is measured after 50 heartbeats and a 10,000-line command (NFR-1.3: under 20 MB), the runner during it.
"""

import tempfile
from pathlib import Path

import psutil

from tests.support.lab import Lab, lab, until
from tests.support.tls import TlsProxy

SCRIPTS = {"switch": "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo line $i; done; sleep 2"}
BEATS = 50
INTERVAL = 0.2


def main() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory, lab(Path(directory)) as here:
        figures = _measure(here, "ws")
        proxy = TlsProxy(here.server.port, Path(directory) / "tls")
        figures |= _measure(here, "wss", url=proxy.url, NIXFLEET_CA_FILE=str(proxy.ca_file))
        proxy.close()
    return figures


def _measure(here: Lab, name: str, url: str | None = None, **extra: str) -> dict[str, float]:
    agent = here.agent(name, SCRIPTS, url=url, interval=INTERVAL, **extra)
    run = here.client.run(name, "switch")
    host = until(lambda: (h := here.client.host(name)).command_pid and h, "a heartbeat with the runner's pid")
    runner = psutil.Process(host.command_pid)
    peak = 0
    while runner.is_running() and runner.status() != psutil.STATUS_ZOMBIE:
        try:
            peak = max(peak, runner.memory_info().rss)
        except psutil.NoSuchProcess:
            break
    here.ended(run.id)
    seen: set[int | None] = set()
    until(lambda: seen.add(here.client.host(name).last_seen_at) or len(seen) > BEATS, "50 heartbeats")
    return {
        f"{name}: resident": _mib(psutil.Process(agent.process.pid).memory_info().rss),
        f"{name}: runner, at most": _mib(peak),
    }


def _mib(size: int) -> float:
    return round(size / 2**20, 1)
