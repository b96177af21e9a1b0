"""A table of steps × faults: hosts held at each step of a deployment by files, while something is killed or cut."""

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from demo.processes import Agent
from nixfleet_protocol.client import Run
from nixfleet_protocol.messages import RunView
from tests.support.lab import Lab, until
from tests.support.proxy import Proxy

GIT = """#!/bin/sh
case " $* " in
  *" fetch "*)
    touch "$HELD/at-pull"
    while ! [ -e "$HELD/go-pull" ]; do sleep 0.05; done;;
esac
exec {git} "$@"
"""


def held_git(directory: Path) -> str:
    """A PATH whose git waits in `fetch`, in the agent's directory $HELD."""
    directory.mkdir(parents=True)
    found = next(Path(p) / "git" for p in os.environ["PATH"].split(":") if (Path(p) / "git").exists())
    (directory / "git").write_text(GIT.format(git=found))
    (directory / "git").chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


@dataclass
class Cell:
    """One host, held at one step. `files` is where it says `at-STEP` and waits for `go-STEP`."""

    agent: Agent
    proxy: Proxy
    step: str
    files: Path
    run: Run | None = None

    @property
    def journal(self) -> Path:
        assert self.run
        return self.agent.journal(self.run.id)

    def at(self, step: str) -> bool:
        """Whether it has come to the step."""
        if step == "result":
            return (self.journal / "result.json").exists()
        if step == "confirm":
            try:
                return bool(json.loads((self.journal / "progress.json").read_text())["phase"] == "confirm")
            except (OSError, ValueError):
                return False
        return (self.files / f"at-{step}").exists()

    def go(self, *steps: str) -> None:
        for step in steps:
            (self.files / f"go-{step}").touch()

    def again(self) -> None:
        """All steps hold again."""
        for path in (*self.files.glob("at-*"), *self.files.glob("go-*")):
            path.unlink()


@dataclass(frozen=True)
class Ended:
    """What a cell's run has left, looked at before the next fault comes to its host."""

    cell: Cell
    view: RunView
    log: bytes
    journal: bytes
    known: list[str]
    """Runs of the host, the newest first."""
    more: dict[str, object]


def kill_resident(here: Lab, cells: list[Cell]) -> None:
    for cell in cells:
        assert cell.agent.process.end(signal.SIGKILL) == -signal.SIGKILL
        cell.agent.start()


def kill_runner(here: Lab, cells: list[Cell]) -> None:
    for cell in cells:
        pids = runners(cell.agent)
        assert len(pids) == 1 or cell.step == "result", f"{cell.step}: runners {pids}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def runners(agent: Agent) -> list[int]:
    """Processes of the agent's living runners."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.cmdline()[-1:] == ["run-command"]
                and process.environ().get("NIXFLEET_STATE_DIR") == str(agent.state)
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def kill_server(here: Lab, cells: list[Cell]) -> None:
    assert here.server.process.end(signal.SIGKILL) == -signal.SIGKILL
    for cell in cells:  # what was on its way is lost
        cell.proxy.release()
    time.sleep(1)
    here.server.start()


def cut(here: Lab, cells: list[Cell]) -> None:
    for cell in cells:
        cell.proxy.refuse()
        cell.proxy.release()
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
    """A host a step; a fault's row is run, at all steps at once, when one of its cells is first asked for."""

    def __init__(
        self,
        here: Lab,
        steps: tuple[str, ...],
        make: Callable[[str], Cell],
        *,
        offline: dict[str, str],
        before: Callable[[Cell], None] = lambda cell: None,
        look: Callable[[Cell], dict[str, object]] = lambda cell: {},
        without: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """`offline`: steps that a host only stays in while the server is silent, and the step before which that begins.

        `before` is called with each cell before its run, `look` after it, for what else a test wants to know.
        `without`: pairs of step and fault that are left out.
        """
        self.here, self.steps = here, steps
        self._offline, self._before, self._look, self._without = offline, before, look, without
        with ThreadPoolExecutor(3) as pool:
            self.cells = list(pool.map(make, steps))
        self._rows: dict[str, dict[str, Ended]] = {}

    def ended(self, step: str, fault: str) -> Ended:
        if fault not in self._rows:
            self._rows[fault] = self._row(fault)
        return self._rows[fault][step]

    def _row(self, fault: str) -> dict[str, Ended]:
        cells = [cell for cell in self.cells if (cell.step, fault) not in self._without]
        for cell in cells:
            cell.again()
            self._before(cell)
        for cell in cells:
            cell.run = self.here.client.run(cell.agent.name, "pull-switch")
            last = self._offline.get(cell.step, cell.step)
            cell.go(*self.steps[: self.steps.index(last)])
        for cell in cells:
            if last_seen := self._offline.get(cell.step):
                until(lambda c=cell, s=last_seen: c.at(s), f"{fault}: the host at {last_seen}")
                cell.proxy.hold()
                cell.go(*self.steps[: self.steps.index(cell.step)])
        for cell in cells:
            until(
                lambda c=cell: c.at(c.step),
                lambda c=cell: f"{fault}: the host held at {c.step}\n{self.here.logs()}",
            )
        FAULTS[fault](self.here, cells)
        for cell in cells:
            cell.proxy.release()
        for cell in cells:
            self.here.online(cell.agent.name)
        for cell in cells:
            cell.go(*self.steps)
        return {cell.step: self._end(cell) for cell in cells}

    def _end(self, cell: Cell) -> Ended:
        assert cell.run
        view = self.here.ended(cell.run.id)
        log = self.here.server_log(view.run_id)
        known = [run.run_id for run in self.here.client.runs(cell.agent.name)]
        return Ended(cell, view, log, (cell.journal / "output").read_bytes(), known, self._look(cell))

    def close(self) -> None:
        for cell in self.cells:
            cell.proxy.close()


def leftovers(run_id: str) -> list[list[str]]:
    """Command lines of what is left of a run."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("NIXFLEET_RUN_ID") == run_id:
                left.append(process.cmdline())
        except (psutil.Error, OSError):
            continue
    return left
