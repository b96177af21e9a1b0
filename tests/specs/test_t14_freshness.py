"""Spec T14, freshness: commits, paths and versions are compared; what isn't known is never called current nor stale."""

from collections.abc import Iterator

import pytest

from nixfleet_protocol.messages import Facts
from tests.server.support import FakeAgent, ServerProcess, problem, start, until
from tests.specs.served import served

OLD, NEW = "a" * 40, "b" * 40
CURRENT = {"commit": NEW, "configuration_revision": NEW, "dirty": False, "system": "normal"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with served(tmp_path_factory.mktemp("t14")) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("no-commit", {"commit": None}),
        ("no-revision", {"configuration_revision": None}),
        ("other-revision", {"configuration_revision": OLD}),
        ("dirty-revision", {"configuration_revision": f"{NEW}-dirty"}),
        ("dirty", {"dirty": True}),
        ("maybe-dirty", {"dirty": None}),
        ("staged", {"system": "staged"}),
        ("drift", {"system": "drift"}),
        ("no-system", {"system": None}),
        ("touched", {"changed_outside": True}),
        ("degraded", {"failed_units": ("nginx.service",)}),
    ],
)
def test_a_switch_goes_ahead_unless_all_is_known_to_be_current(
    server: ServerProcess, name: str, change: dict[str, object]
) -> None:
    token = server.host(f"t14-{name}")
    script = server.token(name)
    with FakeAgent(server, token, f"t14-{name}") as agent, server.client(script) as api:
        agent.register(facts=Facts(**(CURRENT | change)))  # type: ignore[arg-type]
        assert start(api, "switch", f"t14-{name}")["state"] == "sent"


def test_facts_of_a_fresh_heartbeat_decide_and_an_empty_one_takes_nothing_away(server: ServerProcess) -> None:
    """The earlier server compared with what it had stored long ago, and let a heartbeat without facts erase them."""
    token = server.host("t14-fresh")
    path = "/api/v1/hosts/t14-fresh/runs"
    with FakeAgent(server, token, "t14-fresh") as agent, server.client(server.token("fresh")) as api:
        agent.register(facts=Facts(commit=NEW, configuration_revision=OLD, dirty=False, system="normal"))
        agent.heartbeat(facts=Facts(**CURRENT))  # type: ignore[arg-type]
        agent.heartbeat()

        def revision() -> str:
            return str(api.get("/api/v1/hosts/t14-fresh").json()["facts"]["configuration_revision"])

        until(lambda: revision() == NEW, "the heartbeat counts")
        assert problem(api.post(path, json={"command": "switch"})) == (409, "already_current")
        assert revision() == NEW


def test_the_agents_version_is_the_one_that_registered_last(server: ServerProcess) -> None:
    token = server.host("t14-agent")
    with server.client(server.token("agents")) as api:
        for version in ("0.1.0", "0.2.0"):
            with FakeAgent(server, token, "t14-agent") as agent:
                agent.register(agent_version=version)
                assert api.get("/api/v1/hosts/t14-agent").json()["agent_version"] == version
