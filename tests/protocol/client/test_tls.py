"""TLS: trusted only by the given authority, and the error says how to give one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixfleet_protocol.client import AsyncClient, Client, NotConnected
from tests.protocol.standin import Script, StandIn
from tests.support.tls import TlsProxy

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture
def proxy(server: StandIn, tmp_path: Path) -> Iterator[TlsProxy]:
    made = TlsProxy(server.port, tmp_path)
    yield made
    made.close()


def test_with_its_authority(server: StandIn, proxy: TlsProxy) -> None:
    server.scripts["switch"] = Script(["one"])
    with Client(url=proxy.url, ca_file=proxy.ca_file) as fleet:
        run = fleet.run("web1", "switch")
        assert [record.line for record in run.follow()] == ["one"]


def test_without_it(proxy: TlsProxy) -> None:
    with Client(url=proxy.url) as fleet, pytest.raises(NotConnected, match=r"not trusted.*NIXFLEET_CA_FILE"):
        fleet.hosts()


def test_async(server: StandIn, proxy: TlsProxy) -> None:
    server.scripts["switch"] = Script(["one"])

    async def story() -> list[str]:
        async with AsyncClient(url=proxy.url, ca_file=proxy.ca_file) as fleet:
            run = await fleet.run("web1", "switch")
            return [record.line async for record in run.follow()]

    assert asyncio.run(story()) == ["one"]
