"""An upgrade under load, behind a real proxy: from the released 0.1.0 to this checkout, with a real migration.

Fifty agents stream, five watchers follow, a script asks without a pause. Nobody may notice more than a moment's wait.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import bcrypt
import httpx
import pytest

from demo.processes import free_port
from tests.support.swarm import SimAgent, SimBrowser, start_all

AGENTS, BROWSERS = 50, 5
LINES, PAUSE = 150, 0.15
"""Each agent's run: some 22 seconds, across all of the change."""
PATIENCE = 120.0
WHEELS = Path(__file__).parent.parent / "wheels" / "0.1.0"
HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()

pytestmark = [pytest.mark.long, pytest.mark.needs("caddy")]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the released packages are unpacked; their dependencies are this environment's."""
    place = tmp_path_factory.mktemp("0.1.0")
    for wheel in WHEELS.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(place)
    return place


@dataclass
class Station:
    """A data directory, two addresses for servers, and the proxy before them."""

    directory: Path
    released: Path
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    front: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front}"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def env(self, *, old: bool) -> dict[str, str]:
        outer = {name: value for name, value in os.environ.items() if not name.startswith("NIXFLEET_")}
        mine = {"NIXFLEET_PASSWORD_HASH": HASH, "NIXFLEET_DATA_DIR": str(self.data), "NIXFLEET_DRAIN": "1"}
        return outer | mine | ({"PYTHONPATH": str(self.released)} if old else {})

    def run(self, argv: list[str], env: dict[str, str], log: str) -> subprocess.Popen[bytes]:
        with (self.directory / log).open("ab") as out:
            process = subprocess.Popen(argv, env=env, stdout=out, stderr=out, cwd=self.directory)
        self.processes.append(process)
        return process

    def old_server(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "nixfleet_server", "serve", "--listen", f"127.0.0.1:{self.ports[0]}"]
        return self.run(argv, self.env(old=True), "old.log")

    def new_server(self, *options: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "nixfleet_server", "serve", "--listen", f"127.0.0.1:{self.ports[1]}"]
        return self.run([*argv, *options], self.env(old=False), "new.log")

    def proxy(self) -> None:
        upstreams = " ".join(f"127.0.0.1:{port}" for port in self.ports)
        (self.directory / "Caddyfile").write_text(
            "{\n admin off\n auto_https off\n}\n"
            f"http://127.0.0.1:{self.front} {{\n reverse_proxy {upstreams} {{\n"
            "  lb_policy first\n  lb_try_duration 30s\n  lb_try_interval 50ms\n"
            "  health_uri /readyz\n  health_interval 200ms\n  health_timeout 1s\n }\n}\n"
        )
        env = os.environ | {"HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory)}
        self.run(["caddy", "run", "--config", "Caddyfile"], env, "caddy.log")

    def admin(self, *words: str) -> dict[str, str]:
        """A command of the old version, printing JSON."""
        argv = [sys.executable, "-m", "nixfleet_server", *words, "--json", "--data-dir", str(self.data)]
        done = subprocess.run(
            argv, env=self.env(old=True), capture_output=True, check=True, cwd=self.directory
        )
        return dict(json.loads(done.stdout))

    def hosts(self) -> dict[str, str]:
        """Fifty hosts, added in one process for speed; gives their tokens."""
        script = (
            "import json, sys\n"
            "from nixfleet_server.store import hosts\n"
            "from nixfleet_server.store.database import open_database\n"
            "database = open_database(f'sqlite:///{sys.argv[1]}/nixfleet.db')\n"
            "names = [f'host{i:02}' for i in range(int(sys.argv[2]))]\n"
            "print(json.dumps({name: database.write_now(lambda s: hosts.add(s, name, 'medium', 1)) for name in names}))\n"
        )
        argv = [sys.executable, "-c", script, str(self.data), str(AGENTS)]
        done = subprocess.run(
            argv, env=self.env(old=True), capture_output=True, check=True, cwd=self.directory
        )
        return dict(json.loads(done.stdout))

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def station(tmp_path: Path, released: Path) -> Iterator[Station]:
    made = Station(tmp_path, released)
    try:
        yield made
    finally:
        made.close()


@dataclass
class Poller:
    """A script that asks all the time; what it is not answered rightly it writes down."""

    url: str
    token: str
    asked: int = 0
    failures: list[str] = field(default_factory=list)
    longest: float = 0.0
    last: float = 0.0
    versions: set[str] = field(default_factory=set)

    async def live(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60) as client:
            while True:
                for path in ("/api/v1/hosts", "/api/v1/runs?limit=100"):
                    began = time.monotonic()
                    try:
                        answer = await client.get(path)
                        if answer.status_code != 200:
                            self.failures.append(f"{path}: {answer.status_code} {answer.text[:200]}")
                    except httpx.HTTPError as error:
                        self.failures.append(f"{path}: {error!r}")
                    self.asked += 1
                    self.last = time.monotonic()
                    self.longest = max(self.longest, self.last - began)
                await asyncio.sleep(0.02)


async def until(question: object, what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not question():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


async def change(station: Station, how: str) -> None:
    """The whole story; `how` is the signal the old server gets."""
    old = station.old_server()
    await poll_ready(f"http://127.0.0.1:{station.ports[0]}")
    station.proxy()
    await poll_ready(station.url)
    token = station.admin("token", "add", "script", "--scope", "operate")["token"]
    ws = station.url.replace("http", "ws", 1)
    agents = [
        SimAgent(ws, name, secret, count=LINES, pause=PAUSE, line=f"{name} line {{}}".format, interval=2.0)
        for name, secret in station.hosts().items()
    ]
    browsers = [SimBrowser(ws, token) for _ in range(BROWSERS)]
    poller = Poller(station.url, token)
    tasks = [asyncio.create_task(one.live()) for one in (*agents, *browsers)]
    try:
        await until(lambda: all(agent.online.is_set() for agent in agents), "all agents are there")
        run_ids = await start_all(station.url, token, [agent.name for agent in agents])
        for i, run_id in enumerate(run_ids):
            for browser in (browsers[i % BROWSERS], browsers[(i + 1) % BROWSERS]):
                await browser.follow(run_id)
        tasks.append(asyncio.create_task(poller.live()))
        await asyncio.sleep(4)
        assert not poller.failures, poller.failures[:3]
        if how == "term":
            station.new_server("--wait", "60")
            await asyncio.sleep(4)  # it listens, and waits for the data
            old.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(old.wait, 30) == 0
        else:
            old.kill()
            old.wait()
            killed = time.monotonic()
            station.new_server()
            await poll_ready(f"http://127.0.0.1:{station.ports[1]}")
            assert time.monotonic() - killed < 15, "a wide bound on a busy machine; 5 seconds on a free one"
            print(f"serves again {time.monotonic() - killed:.1f} s after the kill")
        await until(lambda: all(len(a.finished) == 1 for a in agents), "every result is acknowledged")
        await until(
            lambda: all(set(b.seen) <= set(b.results) for b in browsers), "every watcher hears of the results"
        )
        await until(
            lambda: all(len(lines) >= LINES for b in browsers for lines in b.seen.values()), "all lines"
        )
        if how == "term":
            assert poller.failures == []
        print(
            f"{poller.asked} requests, {len(poller.failures)} failed, the longest took {poller.longest:.2f} s"
        )
        assert not [wrong for browser in browsers for wrong in browser.wrong]
        assert all(agent.connects >= 2 for agent in agents), "they have seen both servers"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    check_all(station, token, dict(zip(run_ids, agents, strict=True)), browsers)


async def poll_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while not await answers(url):
        assert time.monotonic() < deadline, url
        await asyncio.sleep(0.05)


def check_all(station: Station, token: str, runs: dict[str, SimAgent], browsers: list[SimBrowser]) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=station.url, headers=headers, timeout=60) as client:
        assert client.get("/api/v1/openapi.json").status_code == 200, "this is the new server"
        for run_id, agent in runs.items():
            view = client.get(f"/api/v1/runs/{run_id}").json()
            assert (view["state"], view["result"], view["exit_code"]) == ("ended", "ok", 0)
            assert view["lines"] == LINES
            lines = client.get(f"/api/v1/runs/{run_id}/log?format=raw").text.splitlines()
            assert lines == [f"{agent.name} line {number}" for number in range(1, LINES + 1)]
            for browser in browsers:
                if run_id in browser.seen:
                    assert browser.seen[run_id] == lines
    assert (station.data / "nixfleet.db.schema-0001").exists(), "there was something to migrate"


def test_an_upgrade_under_load_goes_unnoticed(station: Station) -> None:
    asyncio.run(change(station, "term"))


def test_a_kill_under_load_loses_nothing(station: Station) -> None:
    asyncio.run(change(station, "kill"))
