"""Acknowledged means durable: seen in the system calls of the real server and the real runner."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import trace
from tests.support.lab import lab, read_log, until

pytestmark = pytest.mark.needs("strace")

CHATTY = "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.1; done"


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run with server and agent under strace: the two traces and the paths in them."""
    directory = tmp_path_factory.mktemp("traced")
    with lab(directory) as here:
        here.server.process.end()
        server = here.server.process
        server.argv = [*trace.ARGV, "-o", str(directory / "server.strace"), *server.argv]
        here.server.start()
        agent = here.agent("web1", {"switch": CHATTY})
        agent.process.end()
        agent.process.argv = [*trace.ARGV, "-o", str(directory / "agent.strace"), *agent.process.argv]
        agent.start()
        here.online("web1")
        run = here.client.run("web1", "switch")
        assert here.ended(run.id).result == "ok", here.logs()
        until(lambda: (agent.state / "delivered" / run.id).exists(), "the run delivered")
        log = here.server.data / "logs" / f"{run.id}.log"
        records = read_log(log.read_bytes())
    return {
        "server": trace.calls((directory / "server.strace").read_text(errors="replace")),
        "agent": trace.calls((directory / "agent.strace").read_text(errors="replace")),
        "log": str(log),
        "journal": str(agent.journal(run.id)),
        "records": len(records),
    }


def test_the_server_syncs_file_and_directory_before_each_ack(traced: dict[str, Any]) -> None:
    log, calls = traced["log"], traced["server"]
    assert trace.unsynced_acks(calls, log, str(Path(log).parent)) == []
    acks = [call for call in calls if '\\"type\\":\\"ack\\"' in call.args]
    assert acks, "the trace shows no acknowledgement at all"


@pytest.mark.parametrize("gone", ["file", "directory"])
def test_the_check_fails_when_a_sync_is_taken_out(traced: dict[str, Any], gone: str) -> None:
    log = traced["log"]
    path = log if gone == "file" else str(Path(log).parent)
    without = [call for call in traced["server"] if not trace.synced(call, path)]
    assert trace.unsynced_acks(without, log, str(Path(log).parent)) != []


CLAIM = [
    ("mkdir", "{run}"),
    ("sync", "{run}/request.json"),
    ("sync", "{run}>"),
    ("sync", "{runs}>"),
    ("execve", "switch"),
]
RESULT = [
    ("execve", "switch"),
    ("sync", "{run}/output>"),
    ("sync", "{run}/result"),
    ("rename", "{run}/result.json"),
    ("sync", "{run}>"),
]


@pytest.mark.parametrize("steps", [CLAIM, RESULT], ids=["claim", "result"])
def test_the_runner_makes_the_journal_durable_in_order(
    traced: dict[str, Any], steps: list[tuple[str, str]]
) -> None:
    run = traced["journal"]
    named = [(name, text.format(run=run, runs=Path(run).parent)) for name, text in steps]
    assert trace.steps_in_order(traced["agent"], named) is None
    for text in [text for name, text in named if name == "sync"]:  # the check sees each one taken out
        without = [c for c in traced["agent"] if not (c.name in ("fsync", "fdatasync") and text in c.args)]
        assert trace.steps_in_order(without, named) is not None
