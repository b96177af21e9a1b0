"""The demo without a person: run every host's commands through the public client and compare with what is expected."""

import asyncio
import sys
import time

from demo.fleet import Fleet
from demo.hosts import HOSTS, Host
from nixfleet_protocol.cli.terminal import Cleaner, shown
from nixfleet_protocol.client import AsyncClient
from nixfleet_protocol.messages import RunView


def check(fleet: Fleet) -> bool:
    """Run everything, print the output as it streams and a summary. True if every run ended as expected."""
    return asyncio.run(_check(fleet))


async def _check(fleet: Fleet) -> bool:
    began = time.monotonic()
    async with AsyncClient(url=fleet.server.url, token=fleet.token) as client:
        outcomes = await asyncio.gather(*(_run_host(client, host) for host in HOSTS))
    print()
    rows = [row for outcome in outcomes for row in outcome]
    for good, text in rows:
        print(f"{'as expected' if good else 'NOT AS EXPECTED':<16} {text}")
    as_expected = sum(good for good, _ in rows)
    print(
        f"\n{as_expected} of {len(rows)} runs ended as the demo expects, in {time.monotonic() - began:.0f} s"
    )
    return as_expected == len(rows)


async def _run_host(client: AsyncClient, host: Host) -> list[tuple[bool, str]]:
    """One host's commands, one after the other. Returns a row (as expected?, text) for each."""
    rows = []
    for command, expected in host.expected:
        run = await client.run(host.name, command)
        cleaner = Cleaner(colour=sys.stdout.isatty())
        async for record in run.follow():
            line = cleaner.feed(shown(record.line)).rpartition("\r")[2]
            print(f"{host.name:>5} │ {line}", flush=True)
        view = await run.wait()
        good = view.result == expected and _failures(view) == (host.failing if command == "test" else ())
        rows.append(
            (good, f"{host.name:>5}  {command:<12} {view.result:<8} exit {view.exit_code}  {view.message}")
        )
    return rows


def _failures(view: RunView) -> tuple[str, ...]:
    return tuple(failure.name for failure in view.tests.failures) if view.tests else ()
