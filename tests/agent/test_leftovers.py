"""What the demo and the tests end behind them: the agents' processes and all that those started."""

import os
import subprocess
import time
from pathlib import Path

import psutil

from demo.processes import end_all_under

PATIENCE = 30.0


def started(file: Path) -> psutil.Process:
    """The process whose pid a shell writes into a file."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return psutil.Process(int(text))
        time.sleep(0.02)
    raise AssertionError(f"{file} was not written")


def test_what_an_agent_s_process_started_ends_with_it(tmp_path: Path) -> None:
    """The child is in a session of its own and doesn't know the state directory, as a run's programs."""
    script = f"env -u NIXFLEET_STATE_DIR setsid sh -c 'echo $$ >{tmp_path}/pid; exec sleep 600' & wait"
    parent = subprocess.Popen(
        ["sh", "-c", script], env={**os.environ, "NIXFLEET_STATE_DIR": str(tmp_path / "state")}
    )
    child = started(tmp_path / "pid")

    end_all_under(tmp_path)

    parent.wait(PATIENCE)  # returns: it is gone
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_run_s_program_without_its_runner_ends_but_no_stranger(tmp_path: Path) -> None:
    program = subprocess.Popen(["sleep", "600"], cwd=tmp_path, env={**os.environ, "NIXFLEET_RUN_ID": "1"})
    stranger = subprocess.Popen(["sleep", "600"], cwd=tmp_path)

    end_all_under(tmp_path)
    alive = stranger.poll() is None
    stranger.kill()
    stranger.wait(PATIENCE)
    program.wait(PATIENCE)  # returns: it is gone

    assert alive
