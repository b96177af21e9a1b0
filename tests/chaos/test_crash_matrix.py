"""Each part killed, and the network cut, at each step of a deployment: one result, the true exit code, no byte lost.

Every cell has a host of its own, held at its step by files; the hosts of one fault stand at all steps at once.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from demo.processes import Agent
from nixfleet_protocol.client import Run
from nixfleet_protocol.messages import RunView
from tests.support.lab import Lab, lab, read_log, until
from tests.support.proxy import Proxy

pytestmark = pytest.mark.long

LINES = 300
SCRIPT_STEPS = ("build", "activate", "confirm", "profile")
STEPS = ("pull", *SCRIPT_STEPS, "result")
"""Where a fault comes: while git fetches, in each step of the switch, and when it has ended but nobody knows yet."""
SWITCH = f"""#!/usr/bin/env python3
import os, sys, time

with open("../started", "a") as file:
    file.write("x")

def hold(step):
    open("../at-" + step, "w").close()
    while not os.path.exists("../go-" + step):
        time.sleep(0.05)

for step in {SCRIPT_STEPS}:
    for i in range({LINES}):
        os.write(1, b"%s %d caf\\xe9\\n" % (step.encode(), i))
        if i % 10 == 0:
            os.write(2, b"warning %d\\n" % i)
    os.write(1, b"an unfinished line in " + step.encode())
    hold(step)
    os.write(1, b"\\n")
os.write(1, b"no newline at the end")
sys.exit(9)
"""
GIT = """#!/bin/sh
case " $* " in
  *" fetch "*)
    touch "$STATE/at-pull"
    while ! [ -e "$STATE/go-pull" ]; do sleep 0.05; done;;
esac
exec {git} "$@"
"""


def expected(until_step: str | None = None) -> bytes:
    """What the switch writes to stdout: all of it, or up to where it holds in a step."""
    out = b""
    for step in SCRIPT_STEPS:
        out += b"".join(b"%s %d caf\xe9\n" % (step.encode(), i) for i in range(LINES))
        out += b"an unfinished line in " + step.encode()
        if step == until_step:
            return out
        out += b"\n"
    return out + b"no newline at the end"


@dataclass
class Cell:
    """One host, held at one step."""

    agent: Agent
    proxy: Proxy
    step: str
    run: Run | None = None
    view: RunView | None = None

    def at(self) -> bool:
        """Whether it has come to its step."""
        if self.step == "result":
            assert self.run
            return (self.agent.journal(self.run.id) / "result.json").exists()
        return (self.agent.state / f"at-{self.step}").exists()

    def go(self, *steps: str) -> None:
        for step in steps:
            (self.agent.state / f"go-{step}").touch()


def kill_resident(here: Lab, cells: list[Cell]) -> None:
    for cell in cells:
        assert cell.agent.process.end(signal.SIGKILL) == -signal.SIGKILL
        cell.agent.start()


def kill_runner(here: Lab, cells: list[Cell]) -> None:
    for cell in cells:
        pids = [p.pid for p in psutil.process_iter() if is_runner(p, cell.agent)]
        assert len(pids) == (cell.step != "result"), f"{cell.step}: runners {pids}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def is_runner(process: psutil.Process, agent: Agent) -> bool:
    try:
        return (
            process.cmdline()[-1:] == ["run-command"]
            and process.environ().get("NIXFLEET_STATE_DIR") == str(agent.state)
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.Error, OSError):
        return False


def kill_server(here: Lab, cells: list[Cell]) -> None:
    assert here.server.process.end(signal.SIGKILL) == -signal.SIGKILL
    time.sleep(1)
    here.server.start()


def cut(here: Lab, cells: list[Cell]) -> None:
    for cell in cells:
        cell.proxy.refuse()
    time.sleep(3)
    for cell in cells:
        cell.proxy.accept()


FAULTS: dict[str, Callable[[Lab, list[Cell]], None]] = {
    "resident": kill_resident,
    "runner": kill_runner,
    "server": kill_server,
    "network": cut,
}


class Matrix:
    """Runs a fault's row when one of its cells is asked for."""

    def __init__(self, directory: Path, here: Lab) -> None:
        self._directory = directory
        self.here = here
        self._rows: dict[str, dict[str, Cell]] = {}

    def cell(self, step: str, fault: str) -> Cell:
        if fault not in self._rows:
            self._rows[fault] = self._row(fault)
        return self._rows[fault][step]

    def _row(self, fault: str) -> dict[str, Cell]:
        with ThreadPoolExecutor(3) as pool:
            cells = list(pool.map(lambda step: self._make(fault, step), STEPS))
        for cell in cells:
            cell.run = self.here.client.run(cell.agent.name, "pull-switch")
            if cell.step == "result":
                until(lambda c=cell: (c.agent.state / "at-pull").exists(), "the last host's run")
                cell.proxy.hold()
            place = STEPS.index(cell.step)
            cell.go(*STEPS[:place])
        for cell in cells:
            until(cell.at, f"{fault}: the host held at {cell.step}\n{self.here.logs()}")
        FAULTS[fault](self.here, cells)
        for cell in cells:
            cell.proxy.release()
            self.here.online(cell.agent.name)
        for cell in cells:
            cell.go(*STEPS)
        for cell in cells:
            assert cell.run
            cell.view = self.here.ended(cell.run.id)
        return {cell.step: cell for cell in cells}

    def _make(self, fault: str, step: str) -> Cell:
        name = f"{fault}-{step}"
        tools = self._directory / "tools"
        proxy = Proxy(self.here.server.port)
        agent = self.here.agent(
            name,
            {"switch": SWITCH},
            url=proxy.url,
            PATH=f"{tools}:{os.environ['PATH']}",
            STATE=str(self.here.directory / name / "state"),
        )
        return Cell(agent, proxy, step)

    def close(self) -> None:
        for row in self._rows.values():
            for cell in row.values():
                cell.proxy.close()


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    directory = tmp_path_factory.mktemp("matrix")
    (directory / "tools").mkdir()
    tool = directory / "tools" / "git"
    found = next(Path(p) / "git" for p in os.environ["PATH"].split(":") if (Path(p) / "git").exists())
    tool.write_text(GIT.format(git=found))
    tool.chmod(0o755)
    with lab(directory / "lab") as here:
        made = Matrix(directory, here)
        yield made
        made.close()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_one_result_with_the_true_exit_code_and_every_byte(matrix: Matrix, step: str, fault: str) -> None:
    cell = matrix.cell(step, fault)
    here, agent, view = matrix.here, cell.agent, cell.view
    assert view
    died = fault == "runner" and step != "result"

    assert (view.result, view.exit_code) == (("interrupted", None) if died else ("failed", 9)), view

    assert [run.run_id for run in here.client.runs(agent.name)] == [view.run_id]
    started = (agent.state / "started").read_text() if (agent.state / "started").exists() else ""
    assert started == ("" if died and step == "pull" else "x")

    journal = (agent.journal(view.run_id) / "output").read_bytes()
    assert here.server_log(view.run_id) == journal
    records = read_log(journal)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert view.lines == len(records)
    stdout = b"".join(record.raw() for record in records if record.stream == "stdout")
    stdout = re.sub(rb"\AHEAD is now at .*\n", b"", stdout)  # git's, of the pull
    if not died:
        assert stdout == expected()
    elif (
        step != "pull"
    ):  # what it had written before it was killed was nobody's any more, and is there all the same
        assert stdout == expected(step)


@pytest.mark.parametrize("step", STEPS)
def test_after_a_killed_runner_nothing_of_the_run_is_left_and_the_host_takes_commands(
    matrix: Matrix, step: str
) -> None:
    cell = matrix.cell(step, "runner")
    assert cell.view

    assert matrix.here.client.run(cell.agent.name, "test").wait(60).result == "ok"
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("NIXFLEET_RUN_ID") == cell.view.run_id:
                left.append(process.cmdline())
        except (psutil.Error, OSError):
            continue
    assert left == []
