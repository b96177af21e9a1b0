"""`nixfleet-agent settle RUN`: gives a result to a run whose runner died without one.

What the run left running is ended, what it wrote and nobody read is moved into the log, then the run is `interrupted`
(or what the caller says). A run that lives, or has a result, is left alone.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

from nixfleet_agent import facts
from nixfleet_agent.config import Config
from nixfleet_agent.doorbell import ring_once
from nixfleet_agent.files import Disk, read_json
from nixfleet_agent.journal import Journal, directory, load_request, load_result, runs_dir
from nixfleet_agent.lock import Held, Lock
from nixfleet_agent.runner import cgroup, expired, nixlog, pending, reboot, report, timer
from nixfleet_agent.runner.capture import Capture
from nixfleet_agent.runner.main import store
from nixfleet_agent.system import boot_id
from nixfleet_agent.tail import records
from nixfleet_protocol.messages import Status

GRACE = 3.0


def main(
    config: Config, run_id: str, have: int, disk: Disk | None = None, *, ended: tuple[str, str] | None = None
) -> int:
    """`have`: last record the server holds durably; numbering goes on behind it. Exit code 1: not settled.

    `ended`: the result and why, where the caller knows.
    """
    disk = disk or Disk()
    path = directory(config.state_dir, run_id)
    try:
        lock = Lock(os.path.join(path, "lock"))
    except (Held, OSError):
        return 1
    try:
        if load_result(path) is not None:
            pending.told(config, run_id, disk)
            return 0
        if reboot.asked(path):
            ended = reboot.outcome(config, path)
        else:
            ended = ended or expired.outcome(config, run_id)
        if ended is None:  # its switch is yet to be confirmed, or the host is going down
            return 1
        end_leftovers(run_id)
        journal, whole = reopen(path, have, disk, config.log_max)
        if whole:
            _import_raw(journal, path)
        request = load_request(path)
        status = Status(
            run_id=run_id,
            command=request.command,
            status=ended[0],
            at=time.time_ns() // 1_000_000,
            exit_code=0 if ended[0] == "ok" else None,
            message=report.line(ended[1] or _reason(config, path)),
            generation=None,
            outcome=report.load(path),
        )
        code = store(journal, status)
        if code == 0:
            pending.told(config, run_id, disk)
        with contextlib.suppress(Exception):
            facts.publish(config)
        return code
    finally:
        lock.release()
        ring_once(config.resident_dir, run_id)


def dead(config: Config) -> int:
    """`nixfleet-agent settle-dead`: what systemd starts when a runner's unit ends. Its run, if it has no result, gets one."""
    unit = cgroup.unit_of(os.getpid())
    for run_id in os.listdir(runs_dir(config.state_dir)):
        path = directory(config.state_dir, run_id)
        if os.path.exists(os.path.join(path, "result.json")):
            continue
        runner = read_json(os.path.join(path, "runner.json")) or {}
        if not unit or runner.get("unit") != unit or runner.get("boot_id") != boot_id(config.files):
            continue
        waiting = pending.load(config)
        if waiting and waiting.run_id == run_id:
            if timer.stopping():
                continue  # the next boot brings the system before, and tells
            if waiting.activated is None and not waiting.decided and timer.arm(run_id, 1) is None:
                continue  # going back may take longer than systemd waits for us
        main(config, run_id, 0)
    return 0


def reopen(path: str, have: int, disk: Disk, log_max: int) -> tuple[Journal, bool]:
    """The journal of a dead run, cut after its last good record.

    Also returns whether it holds everything that the server has. If not (a power loss took records that had been sent),
    what the raw files hold can't be told apart from what was sent, and is left.
    """
    last, end, kept = 0, 0, 0
    for record, offset in records(path):
        last, end = record.seq, offset
        kept += len(record.raw()) if record.stream != "note" else 0
    file = os.path.join(path, "output")
    if os.path.exists(file) and os.path.getsize(file) > end:
        os.truncate(file, end)
    journal = Journal(path, disk, log_max=log_max, last_seq=max(last, have), kept=kept)
    if have > last:
        journal.note("[output was lost in a crash of the host]")
    return journal, have <= last


def _import_raw(journal: Journal, path: str) -> None:
    """Move what the programs wrote and the dead runner did not."""
    nixlog.recover(path)
    taken = {"stdout": 0, "stderr": 0}
    for record, _ in records(path):
        if record.stream in taken:
            taken[record.stream] += len(record.raw())
    capture = Capture(journal, taken)
    capture.finish_lines(time.monotonic(), sleep=time.sleep)
    capture.close()


def _reason(config: Config, path: str) -> str:
    runner = read_json(os.path.join(path, "runner.json")) or {}
    before, now = runner.get("boot_id"), boot_id(config.files)
    if before and now and before != now:
        return "interrupted: the host restarted while it ran"
    return "interrupted: the process that ran it was killed"


def end_leftovers(run_id: str) -> None:
    """End every process of the run, found by the run id in its environment."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        living = list(_processes(run_id))
        for process in living:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(living, timeout=patience)


def _processes(run_id: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get("NIXFLEET_RUN_ID") == run_id:
                yield process
