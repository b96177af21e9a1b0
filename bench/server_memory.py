"""Resident set of the server, in MiB: just started, after a login with argon2id, and at work (NFR-1.4: under 100 MB).

At work: 50 agents, 2 browsers, and a run of 100,000 lines that both follow.
"""

import asyncio
import signal
import tempfile
from pathlib import Path

import httpx
import psutil

from nixfleet_server.auth.passwords import hash_password
from tests.server.support import ServerProcess
from tests.support.swarm import SimAgent, SimBrowser, start_all

HOSTS, LINES = 50, 100_000
PASSWORD = "a long enough password"


def main() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        server = ServerProcess(
            Path(directory) / "data", env={"NIXFLEET_PASSWORD_HASH": hash_password(PASSWORD, "argon2id")}
        ).start()
        try:
            assert server.process
            first = _mib(psutil.Process(server.process.pid))
            server.end(signal.SIGTERM)
            server.start()  # every start but the first has nothing to migrate
            return {"first start, which made the database": first} | asyncio.run(_measure(server))
        finally:
            server.end()


async def _measure(server: ServerProcess) -> dict[str, float]:
    assert server.process
    process = psutil.Process(server.process.pid)
    figures = {"just started": _mib(process)}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        (await client.post("/api/v1/session", json={"password": PASSWORD})).raise_for_status()
    figures["after a login"] = _mib(process)
    token = server.token()
    agents = [
        SimAgent(server.ws, name, secret, count=LINES, pause=0.0, interval=1.0)
        for name, secret in server.hosts(HOSTS).items()
    ]
    browsers = [SimBrowser(server.ws, token) for _ in range(2)]
    tasks = [asyncio.create_task(one.live()) for one in (*agents, *browsers)]
    await asyncio.gather(*(agent.online.wait() for agent in agents))
    (run_id,) = await start_all(server.url, token, [agents[0].name])
    for browser in browsers:
        await browser.follow(run_id)
    most = 0.0
    while not agents[0].finished or any(len(browser.seen[run_id]) < LINES for browser in browsers):
        most = max(most, _mib(process))
        await asyncio.sleep(0.1)
    figures |= {"at work, at most": most, "afterwards": _mib(process)}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return figures


def _mib(process: psutil.Process) -> float:
    return float(round(process.memory_info().rss / 2**20, 1))
