"""One server for all specs that only look at agents; specs that take a server down make their own Lab."""

from collections.abc import Callable, Iterator

import pytest

from demo.processes import Agent
from tests.support.lab import Lab, lab, until
from tests.support.proxy import Proxy


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Real server, real agents. Each spec adds hosts of its own, named after it, as `t01-web`."""
    with lab(tmp_path_factory.mktemp("specs")) as made:
        yield made


@pytest.fixture
def proxied(fleet: Lab) -> Iterator[Callable[..., tuple[Agent, Proxy]]]:
    """Makes agents that reach the server over a proxy of their own, which the test can cut."""
    proxies: list[Proxy] = []

    def make(name: str, scripts: dict[str, str], **more: str) -> tuple[Agent, Proxy]:
        proxies.append(Proxy(fleet.server.port))
        agent = fleet.agent(name, scripts, url=proxies[-1].url, **more)
        # The server knows first: what is cut before its answer is there is a registration, not a connection.
        until(
            lambda: '"event": "connected"' in agent.process.log.read_text(),
            "the agent knows that it is connected",
        )
        return agent, proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()
