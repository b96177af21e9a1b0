"""From a line's being written on a host to its arrival at a browser, in ms: 50 and 200 hosts, a line a second each.

NFR-1.2: under 100 ms. One process plays all agents and browsers over real sockets, and shares the machine with the server.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from nixfleet_protocol import limits
from nixfleet_protocol.messages.browser import CommandOutput
from tests.server.support import ServerProcess
from tests.support.swarm import SimAgent, SimBrowser, start_all

SECONDS = 30


def main() -> dict[str, float]:
    figures: dict[str, float] = {}
    for hosts in (50, 200):
        with tempfile.TemporaryDirectory() as directory:
            server = ServerProcess(Path(directory) / "data").start()
            try:
                delays = asyncio.run(_measure(server, hosts))
            finally:
                server.end()
        cuts = quantiles(delays, n=1000)
        figures |= {f"{hosts} hosts: lines": len(delays)}
        for name, value in (("median", cuts[499]), ("p99", cuts[989]), ("longest", max(delays))):
            figures[f"{hosts} hosts: {name}, ms"] = round(value, 1)
    return figures


async def _measure(server: ServerProcess, hosts: int) -> list[float]:
    delays: list[float] = []
    came, began = 0, float("inf")

    def on_line(message: CommandOutput) -> None:
        nonlocal came
        came += 1
        if int(message.line) > began:
            delays.append((time.monotonic_ns() - int(message.line)) / 1e6)

    token = server.token()
    agents = [
        SimAgent(server.ws, name, secret, count=SECONDS, pause=1.0, line=lambda _: str(time.monotonic_ns()))
        for name, secret in server.hosts(hosts).items()
    ]
    browsers = [SimBrowser(server.ws, token, on_line) for _ in range(-(-hosts // limits.SUBSCRIPTIONS_MAX))]
    tasks = [asyncio.create_task(one.live()) for one in (*agents, *browsers)]
    await asyncio.gather(*(agent.online.wait() for agent in agents))

    async def begin(i: int) -> None:
        await asyncio.sleep(random.uniform(0, hosts / 25))  # hosts don't write in step
        (run_id,) = await start_all(server.url, token, [agents[i].name])
        await browsers[i % len(browsers)].follow(run_id)

    await asyncio.gather(*(begin(i) for i in range(hosts)))
    began = time.monotonic_ns()
    while any(agent.runs for agent in agents):  # noqa: ASYNC110  no event tells of all of them
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert came == hosts * SECONDS, f"{came} of {hosts * SECONDS} lines came"
    return delays  # of the lines written once all were under way
