"""After the server is killed with 200 agents connected: seconds until all are back, and how long a request waits then.

NFR-2.3: all within 30 s. The agents here wait between attempts as real ones do.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx

from tests.server.support import ServerProcess
from tests.support.swarm import SimAgent

HOSTS = 200


def main() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        server = ServerProcess(Path(directory) / "data").start()
        try:
            return asyncio.run(_measure(server))
        finally:
            server.end()


async def _measure(server: ServerProcess) -> dict[str, float]:
    token = server.token()
    agents = [SimAgent(server.ws, name, secret, backoff=None) for name, secret in server.hosts(HOSTS).items()]
    tasks = [asyncio.create_task(agent.live()) for agent in agents]
    began = time.monotonic()
    await asyncio.gather(*(agent.online.wait() for agent in agents))
    first = time.monotonic() - began
    killed = time.monotonic()
    await asyncio.to_thread(server.end)
    await asyncio.sleep(1)
    assert not any(agent.online.is_set() for agent in agents)
    await asyncio.to_thread(server.start)
    up = time.monotonic()
    waits: list[float] = []
    asking = asyncio.create_task(_ask(server.url, token, waits))
    await asyncio.gather(*(agent.online.wait() for agent in agents))
    back = time.monotonic()
    await asyncio.sleep(1)
    for task in (asking, *tasks):
        task.cancel()
    await asyncio.gather(asking, *tasks, return_exceptions=True)
    return {
        "hosts": HOSTS,
        "first connect of all, s": round(first, 1),
        "server serves again after the kill, s": round(up - killed, 1),
        "all back after the kill, s": round(back - killed, 1),
        "requests meanwhile": len(waits),
        "longest wait of one, s": round(max(waits), 2),
    }


async def _ask(url: str, token: str, waits: list[float]) -> None:
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as client:
        while True:
            began = time.monotonic()
            (await client.get("/api/v1/hosts")).raise_for_status()
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
