"""The asyncio client does what the sync one does."""

import asyncio

import pytest

from nixfleet_protocol.client import AsyncClient, NotAllowed, NotConnected, Refused
from tests.protocol.standin import Script, StandIn

RUN = "ab" * 16


def test_dispatch_follow_wait_and_list(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one", "two"], result="failed", exit_code=7)

    async def story() -> None:
        async with AsyncClient() as fleet:
            assert [host.host_id for host in await fleet.hosts()] == ["web1"]
            assert (await fleet.host("web1")).connected
            run = await fleet.run("web1", "switch")
            assert [record.line async for record in run.follow()] == ["one", "two"]
            assert (await run.wait()).exit_code == 7
            assert [view.run_id for view in await fleet.runs("web1")] == [run.id]
            assert (await fleet.get_run(run.id[:32])).view == run.view
            assert [record.line async for record in fleet.log(run.id)] == ["one", "two"]
            assert b"".join([piece async for piece in fleet.raw_log(run.id)]) == b"one\ntwo\n"
            with pytest.raises(Refused):
                await run.stop()
            with pytest.raises(Refused):
                [piece async for piece in fleet.raw_log("f" * 32)]

    asyncio.run(story())


def test_many_followers_over_broken_connections(server: StandIn) -> None:
    server.scripts["switch"] = Script([f"line {n}" for n in range(1, 101)])
    ids = [f"{n:032x}" for n in range(5)]
    for run_id in ids:
        server.add("switch", run_id)
    server.break_after = [3, 0, 17, 50, 99, 1, 2]

    async def follow(fleet: AsyncClient, run_id: str) -> list[int]:
        return [record.seq async for record in (await fleet.get_run(run_id)).follow()]

    async def story() -> list[list[int]]:
        async with AsyncClient() as fleet:
            return await asyncio.gather(*(follow(fleet, run_id) for run_id in ids))

    assert asyncio.run(story()) == [list(range(1, 101))] * 5


def test_bounded_wait_and_stop(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one"], hold=True)

    async def story() -> None:
        async with AsyncClient() as fleet:
            run = await fleet.run("web1", "switch")
            with pytest.raises(TimeoutError):
                await run.wait(0.2)
            stop = await run.stop()
            assert (await stop.wait(20)).result == "ok"
            assert (await run.wait(20)).result == "stopped"

    asyncio.run(story())


def test_redirects_are_not_followed_with_the_token(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one"])
    server.add("switch", RUN)

    async def story() -> None:
        async with AsyncClient() as fleet:
            run = await fleet.get_run(RUN)
            server.refuse_sockets = [302]
            with pytest.raises(NotConnected, match="302"):
                [record async for record in run.follow()]

    asyncio.run(story())


def test_errors(server: StandIn) -> None:
    async def story() -> None:
        async with AsyncClient(token="wrong") as fleet:
            with pytest.raises(NotAllowed):
                await fleet.hosts()
        server.stop()
        async with AsyncClient(patience=0.2) as fleet:
            with pytest.raises(NotConnected):
                await fleet.hosts()
            with pytest.raises(NotConnected):
                [piece async for piece in fleet.raw_log(RUN)]

    asyncio.run(story())
