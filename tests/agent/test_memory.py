"""NFR-1.3: the resident stays under 20 MB over TLS, after 50 heartbeats and a 10,000-line command; idle it sleeps."""

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nixfleet_protocol.messages import Heartbeat
from tests.agent.conftest import Agent, Repo
from tests.agent.fake_server import FakeServer
from tests.support.tls import certificate

Make = Callable[..., Agent]
MOST = 20_000_000
"""Bytes of resident set, as `ps` shows it."""


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[FakeServer, Path]]:
    made, key = certificate(tmp_path / "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made, key)
    server = FakeServer(ssl=context)
    yield server, made
    server.stop()


@pytest.mark.long
@pytest.mark.needs("openssl")
@pytest.mark.parametrize("metrics", ["auto", "stasysmo"])
def test_the_resident_stays_under_20_mb(
    secure: tuple[FakeServer, Path], repo: Repo, agent: Make, metrics: str
) -> None:
    server, ca = secure
    repo.commit({"switch": "#!/bin/sh\nseq 1 10000\n"})
    made = agent(url=server.url, NIXFLEET_CA_FILE=str(ca), NIXFLEET_INTERVAL="0.1", NIXFLEET_METRICS=metrics)
    server.connected()
    assert server.ended(run_id := server.command("pull-switch")).status == "ok"
    assert len(server.raw(run_id, "stdout").splitlines()) > 10_000
    count = len(server.of(Heartbeat))
    server.wait(lambda: len(server.of(Heartbeat)) > count + 50, "50 heartbeats")
    assert made.process

    used = psutil.Process(made.process.pid).memory_info().rss

    print(f"{used:,} bytes")
    assert used < MOST, f"{used:,} bytes"


@pytest.mark.long
@pytest.mark.needs("openssl")
def test_an_idle_resident_hardly_wakes(secure: tuple[FakeServer, Path], agent: Make) -> None:
    """No polling faster than once a second, and under 0.1 % of a core (with room for a busy machine)."""
    server, ca = secure
    made = agent(url=server.url, NIXFLEET_CA_FILE=str(ca), NIXFLEET_INTERVAL="30", NIXFLEET_METRICS="auto")
    server.connected()
    server.wait(lambda: any(facts.commit for facts in server.facts()), "the clone")
    time.sleep(3)
    assert made.process
    process = psutil.Process(made.process.pid)
    before, ran = process.num_ctx_switches().voluntary, _ran(process.pid)

    time.sleep(20)

    assert process.num_ctx_switches().voluntary - before <= 20
    assert _ran(process.pid) - ran < 20 * 0.001 * 3


def _ran(pid: int) -> float:
    """Seconds of processor time, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9
