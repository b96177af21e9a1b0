"""Memory (MiB as `ps` shows it), processor time and wake-ups of the agent over TLS, on each Python that is here.

The resident is measured after 50 heartbeats and a 10,000-line command (NFR-1.3: under 20,000,000 bytes, 19.07 MiB), with
the CA's bundle loaded; "before" is its peak, before it dropped clean text pages. Then idle, at the default interval.
Other Pythons than this one get an environment of their own, from the package index.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from demo.processes import Agent
from tests.support.lab import Lab, lab, until
from tests.support.tls import TlsProxy

SCRIPTS = {"switch": "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo line $i; done; sleep 2"}
BEATS = 50
INTERVAL = 0.2
IDLE = 60.0
"""Seconds of idleness measured: two heartbeats of the default interval."""
VERSIONS = ("3.11", "3.12", "3.13")
PACKAGES = Path(__file__).resolve().parent.parent / "packages"


def main() -> dict[str, float]:
    figures = {}
    with tempfile.TemporaryDirectory() as directory, lab(Path(directory)) as here:
        proxy = TlsProxy(here.server.port, Path(directory) / "tls")
        for version, python in pythons(Path(directory)).items():
            agent = start(here, version, python, proxy)
            figures |= {f"{version}: {name}": value for name, value in busy(here, agent).items()}
            agent.process.end()
            agent.process.environment["NIXFLEET_INTERVAL"] = "30"
            agent.start()
            here.online(agent.name)
            figures |= {f"{version}: {name}": value for name, value in idle(agent).items()}
            agent.process.end()
        proxy.close()
    return figures


def pythons(directory: Path) -> dict[str, str]:
    """Version → an interpreter that has the agent."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = {}
    for version in VERSIONS:
        if version == own:
            found[version] = sys.executable
        elif base := interpreter(version):
            place = directory / f"python-{version}"
            subprocess.run([base, "-m", "venv", str(place)], check=True)
            packages = [str(PACKAGES / name) for name in ("nixfleet-protocol", "nixfleet-agent")]
            argv = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]
            subprocess.run(argv, check=True)
            found[version] = argv[0]
        else:
            print(f"  Python {version} is not here, and not measured")
    return found


def interpreter(version: str) -> str | None:
    """A Python of this version, from PATH or pyenv."""
    for place in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        return str(place)
    return shutil.which(f"python{version}")


def start(here: Lab, version: str, python: str, proxy: TlsProxy) -> Agent:
    name = f"py{version.replace('.', '')}"
    source = here.repository(name, SCRIPTS)
    extra = {"NIXFLEET_INTERVAL": str(INTERVAL), "NIXFLEET_CA_FILE": str(proxy.ca_file)}
    agent = Agent(here.directory / name, name, proxy.url, here.server.add_host(name), str(source), extra)
    agent.process.argv[0] = python
    here.agents.append(agent)
    agent.start()
    here.online(name)
    return agent


def busy(here: Lab, agent: Agent) -> dict[str, float]:
    """A command of 10,000 lines, then 50 heartbeats."""
    run = here.client.run(agent.name, "switch")
    resident = psutil.Process(agent.process.pid)
    peak = {"runner, at most": 0, "resident and runner, at most (PSS)": 0}
    while here.client.get_run(run.id).view.state != "ended":
        with suppress(psutil.Error):
            host = here.client.host(agent.name)
            if host.command_pid:
                runner = psutil.Process(host.command_pid).memory_full_info()
                both = runner.pss + resident.memory_full_info().pss
                peak["runner, at most"] = max(peak["runner, at most"], runner.rss)
                name = "resident and runner, at most (PSS)"
                peak[name] = max(peak[name], both)
        time.sleep(0.05)
    seen: set[int | None] = set()
    until(lambda: seen.add(here.client.host(agent.name).last_seen_at) or len(seen) > BEATS, "50 heartbeats")
    return {
        "resident": _mib(resident.memory_info().rss),
        "resident, before": _mib(_peak(resident.pid)),
        **{name: _mib(size) for name, size in peak.items()},
    }


def idle(agent: Agent) -> dict[str, float]:
    """Share of one core in percent, and how often it woke, in IDLE seconds after it has settled."""
    time.sleep(10)
    before, began = _cost(agent.process.pid), time.monotonic()
    time.sleep(IDLE)
    after, took = _cost(agent.process.pid), time.monotonic() - began
    return {
        "idle, % of a core": round(100 * (after[0] - before[0]) / took, 3),
        "idle, wake-ups a second": round((after[1] - before[1]) / took, 2),
    }


def _cost(pid: int) -> tuple[float, int]:
    """Seconds of processor time (to the nanosecond, where times(2) counts hundredths) and context switches."""
    spent = sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return spent / 1e9, psutil.Process(pid).num_ctx_switches().voluntary


def _peak(pid: int) -> int:
    line = next(li for li in Path(f"/proc/{pid}/status").read_text().splitlines() if li.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _mib(size: int) -> float:
    return round(size / 2**20, 2)
