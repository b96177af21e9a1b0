"""Resident set of the server, in MiB: just started, and with the demo's fleet after a run each (NFR-1.4: under 100 MB)."""

import contextlib
import io
import tempfile
from pathlib import Path

import psutil

from demo import once
from demo.fleet import running
from tests.support.lab import lab


def main() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory, lab(Path(directory)) as here:
        idle = psutil.Process(here.server.process.pid).memory_info().rss
    with running(pause=0.05) as fleet:
        with contextlib.redirect_stdout(io.StringIO()):
            once.check(fleet)
        busy = psutil.Process(fleet.server.process.pid).memory_info().rss
    return {"just started": round(idle / 2**20, 1), "demo fleet, six runs later": round(busy / 2**20, 1)}
