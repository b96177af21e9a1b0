"""The client covers the whole API: against the table of routes, and against a real server."""

import asyncio
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nixfleet_protocol.client import AsyncClient, Client, NotAllowed, Refused
from nixfleet_protocol.client import calls as basic
from nixfleet_protocol.client import more_calls as more
from nixfleet_protocol.client.calls import Call
from nixfleet_protocol.messages import Ack, Options
from nixfleet_server.api.routes import RULES
from nixfleet_server.api.rules import API
from tests.server.access_support import LONG, code_now, set_up
from tests.server.support import FakeAgent, ServerThread

NOT_FOR_CLIENTS = {
    ("POST", "/session"): "a browser's login",
    ("GET", "/session"): "a browser's",
    ("DELETE", "/session"): "a browser's",
    ("POST", "/setup"): "there is no token yet: the link is for a browser",
    ("POST", "/enroll"): "the agent's own",
}
_ARGUMENTS: dict[str, Any] = {
    "options": Options(),
    "hosts": ("web1",),
    "action": "wait",
    "seconds": 1.0,
    "criticality": "high",
    "scope": "read",
    "command": "pull",
    "stop_on_failure": False,
    "run_id": "a" * 32,
    "bulk_id": "a" * 32,
    "word": "a" * 32,
    "key": None,
}


_NO_CALLS = ("part", "read_answer", "records_of")


def every_call() -> set[tuple[str, str]]:
    """Method and path of each request the client can make, ids as `{}`."""
    found = set()
    for module in (basic, more):
        for name, function in vars(module).items():
            ours = inspect.isfunction(function) and function.__module__ == module.__name__
            if not ours or name.startswith("_") or name in _NO_CALLS:
                continue
            found.add(_first(function))
    return found


def _first(function: Callable[..., Any]) -> tuple[str, str]:
    given = {}
    for name, parameter in inspect.signature(function).parameters.items():
        wants = str(parameter.annotation)
        given[name] = _ARGUMENTS.get(name, 60 if "int" in wants and "str" not in wants else "web1")
    made = function(**given)
    call = made if isinstance(made, Call) else next(made)
    return call.method, re.sub(r"/(web1|a{32})(?=/|$)", "/{}", call.path)


def test_the_client_has_a_call_for_every_route() -> None:
    routes = {
        (rule.method, re.sub(r"{\w+}", "{}", rule.path.removeprefix(API)))
        for rule in RULES
        if rule.path.startswith(API)
    }
    assert every_call() == routes - set(NOT_FOR_CLIENTS)


def test_both_clients_offer_the_same() -> None:
    def surface(cls: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(function).parameters)
            for name, function in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith("_")
        }

    assert surface(Client) == surface(AsyncClient)
    for cls in (Client, AsyncClient):
        for name in surface(cls):
            assert getattr(cls, name).__doc__, name


def test_managing_with_the_client(server: ServerThread) -> None:
    token = server.token("boss", "admin")
    with Client(url=server.url, token=token) as fleet:
        made = fleet.add_host("db1", notes="rack 3")
        with FakeAgent(server, made.token, "db1") as agent:
            agent.register()
            run = fleet.run("db1", "pull", key="once")
            assert fleet.run("db1", "pull", key="once").id == run.id
            agent.output(agent.take(), 1, 3)
            bulk = fleet.run_many(["db1"], "pull")
            assert bulk.items[0].problem == "host_busy"
            assert fleet.bulk(bulk.bulk_id).bulk_id == bulk.bulk_id
        assert fleet.change_host("db1", criticality="high").notes == "rack 3"
        assert fleet.rotate_host_token("db1", 60).overlap_until
        fleet.revoke_host_token("db1")
        assert fleet.metrics("db1").host_id == "db1"
        assert fleet.stats().hosts == 1
        assert fleet.search(run.id, "nothing") == []
        fleet.remove_host("db1")
        with pytest.raises(Refused) as refused:
            fleet.host("db1")
        assert refused.value.code == "no_such_host"
        assert fleet.access().password == "environment"
        assert fleet.about().server_version
        ci = fleet.add_token("ci", expires_in=3600)
        assert [view.name for view in fleet.tokens()] == ["ci", "boss"]
        with Client(url=server.url, token=ci.token) as reader, pytest.raises(NotAllowed):
            reader.add_host("x")
        fleet.revoke_token(ci.id)
        enrol = fleet.add_enroll_token("web2")
        assert [view.id for view in fleet.enroll_tokens()] == [enrol.id]
        fleet.revoke_enroll_token(enrol.id)
        assert fleet.sessions() == ()
        fleet.end_sessions()
        actions = [entry.action for entry in fleet.audit(5)]
        assert actions[:2] == ["sessions.end", "enroll-token.revoke"]
        assert len(fleet.audit(1000)) > 5
        assert b'"openapi":"3.1.0"' in fleet.openapi()
        assert b"".join(fleet.backup())


def test_the_same_with_await(tmp_path: Path) -> None:
    async def story(url: str, token: str) -> None:
        async with AsyncClient(url=url, token=token) as fleet:
            start = await fleet.start_totp()
            codes = (await fleet.confirm_totp(code_now(start.secret), LONG)).codes
            assert (await fleet.access()).recovery_codes == len(codes) == 10
            new = (await fleet.new_recovery_codes(codes[0], LONG)).codes
            await fleet.remove_totp(new[0], LONG)
            await fleet.change_password(LONG, "another long one")
            with pytest.raises(Refused):
                await fleet.end_session("0" * 32)
            assert (await fleet.add_host("db1")).token
            assert [entry.action for entry in await fleet.audit(2)] == ["host.add", "session.end"]

    with set_up(tmp_path / "data") as (server, _):
        asyncio.run(story(server.url, server.token("boss", "admin")))


def test_a_search_goes_on_over_pages(server: ServerThread, web1: str) -> None:
    with Client(url=server.url, token=server.token()) as fleet, FakeAgent(server, web1) as agent:
        agent.register()
        run = fleet.run("web1", "switch")
        command = agent.take()
        agent.output(command, 1, 300, "line {} of the log")
        agent.end(command, 300)
        agent.expect(Ack, lambda ack: ack.ended)
        assert [match.seq for match in fleet.search(run.id, "LINE 29", 100)] == [29, *range(290, 300)]
        assert len(fleet.search(run.id, "line", 7)) == 7
