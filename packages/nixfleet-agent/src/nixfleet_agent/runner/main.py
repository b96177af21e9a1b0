"""`nixfleet-agent run-command`: takes one request on descriptor 3, claims it, answers, does it, stores the result."""

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from typing import Any

from nixfleet_agent import facts, platforms, state
from nixfleet_agent.config import Config
from nixfleet_agent.doorbell import ring_once
from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk, NotPrivate, swap_json
from nixfleet_agent.journal import Journal, claim
from nixfleet_agent.launch import REQUEST_FD, REQUEST_MAX
from nixfleet_agent.lock import Held, Lock
from nixfleet_agent.runner import cgroup, children
from nixfleet_agent.runner.commands import DOES, Result, perform
from nixfleet_agent.runner.context import Context
from nixfleet_agent.system import boot_id
from nixfleet_protocol import limits
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages import CommandMessage, Status
from nixfleet_protocol.states import COMMANDS
from nixfleet_protocol.validate import read_json

REQUEST_TIMEOUT = 10.0
"""Seconds for the request to arrive."""


class Refused(Exception):
    """The request is not begun. `answer` goes to whoever asked."""

    def __init__(self, why: str, **more: Any) -> None:
        super().__init__(why)
        self.answer = {"refused": why, **more}


def main(config: Config, disk: Disk | None = None) -> int:
    """Exit code 0: the run has a result, whatever it is. 1: refused, or the result could not be stored."""
    stop = begin_process()
    try:
        enter(config)
        raw = receive(REQUEST_FD)
    except Refused as refused:
        answer(refused.answer)
        return 1
    return take(config, raw, disk or Disk(), stop)


def begin_process() -> "Stop":
    """Make this process a runner: in a session of its own, deaf to hangups, the parent of what it leaves behind."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = Stop()
    signal.signal(signal.SIGTERM, stop)
    with contextlib.suppress(PermissionError):  # it leads one already
        os.setsid()
    children.become_subreaper()
    return stop


def take(config: Config, raw: bytes, disk: Disk, stop: "Stop") -> int:
    """Claim the requested run, answer, do it, store its result. Exit codes as `main`."""
    try:
        request = parse_request(raw)
        problem = None if config.resident_user else cgroup.leave(request.run_id)
        locks, path = _begin(config, request, disk)
    except Refused as refused:
        answer(refused.answer)
        return 1
    answer({"claimed": True, "pid": os.getpid()})
    if problem:
        sys.stderr.write(f"run {request.run_id}: stays in the agent's unit: {problem}\n")
    try:
        return _work(config, request, path, disk, stop)
    finally:
        for lock in locks:
            lock.release()
        ring_once(config.resident_dir, request.run_id)


def parse_request(raw: bytes) -> Request:
    """Read and check a request, whoever sent it. Raises Refused."""
    try:
        message = read_json(CommandMessage, raw)
    except RemoteProtocolError as error:
        raise Refused("invalid", message=str(error)) from None
    if message.command not in DOES:
        raise Refused("invalid", message=f"this agent has no command {message.command}")
    rule = COMMANDS[message.command]
    for name in ("ref", "generation", "target"):
        if getattr(message.options, name) is not None and name not in rule.options:
            raise Refused("invalid", message=f"{message.command} takes no option {name}")
    return Request(message.run_id, message.command, message.options)


class Stop:
    """The SIGTERM handler; the context, once there is one, sees what it noticed."""

    def __init__(self) -> None:
        self.asked = False
        self.context: Context | None = None

    def __call__(self, number: int, frame: object) -> None:
        self.asked = True
        if self.context:
            self.context.stop_asked = True


def enter(config: Config) -> None:
    """Work in the state directory, if it can be trusted. Raises Refused."""
    try:
        state.enter(config)
    except NotPrivate as error:
        raise Refused("error", message=str(error)) from None
    except OSError as error:
        raise Refused("error", message=f"{config.state_dir}: {error.strerror}") from None


def receive(fd: int) -> bytes:
    """One bounded line. Raises Refused."""
    raw = b""
    end = time.monotonic() + REQUEST_TIMEOUT
    while not raw.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise Refused("invalid", message="no request came")
        data = os.read(fd, REQUEST_MAX)
        raw += data
        if not data or len(raw) > REQUEST_MAX:
            raise Refused("invalid", message="not one line of request")
    return raw


def _begin(config: Config, request: Request, disk: Disk) -> tuple[list[Lock], str]:
    """Lock and claim. Raises Refused."""
    about = {"pid": os.getpid(), "run_id": request.run_id, "command": request.command}
    try:
        if os.path.exists(os.path.join(config.state_dir, "runs", request.run_id)):
            raise Refused("exists")
        busy = Lock(os.path.join(config.state_dir, "busy.lock"), about)
        locks = [busy]

        def lock(path: str) -> None:
            locks.append(Lock(os.path.join(path, "lock")))
            swap_json(
                os.path.join(path, "runner.json"),
                {
                    "pid": os.getpid(),
                    "boot_id": boot_id(config.files),
                    "started": time.time_ns() // 1_000_000,
                    "unit": cgroup.unit_of(os.getpid()),
                },
            )

        return locks, claim(config.state_dir, request, disk, before=lock)
    except Held as held:
        raise Refused("busy", running=held.holder) from None
    except FileExistsError:
        raise Refused("exists") from None
    except OSError as error:
        raise Refused("error", message=f"{error.filename}: {error.strerror}") from None


def _work(config: Config, request: Request, path: str, disk: Disk, stop: Stop) -> int:
    journal = Journal(path, disk, log_max=config.log_max)
    context = stop.context = Context(config, request, journal)
    context.stop_asked = stop.asked
    try:
        result = perform(context)
    except Exception as error:  # noqa: BLE001  (a run always gets a result)
        traceback.print_exc()
        result = Result("failed", 1, f"internal error of the agent: {type(error).__name__}: {error}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it's over: nothing may keep the result from being stored
    context.close()
    if not result.status:  # the next start of the host will tell
        return 0
    commit, generation = _outcome(config)
    status = Status(
        run_id=request.run_id,
        command=request.command,
        status=result.status,
        at=time.time_ns() // 1_000_000,
        exit_code=result.exit_code,
        message=result.message.replace("\n", " ")[: limits.TEXT_MAX],
        pid=os.getpid(),
        generation=generation,
        commit=commit,
        tests=result.tests,
        outcome=result.outcome,
    )
    return store(journal, status)


def store(journal: Journal, status: Status) -> int:
    """Write the result, again and again for a minute while the disk refuses; 0 when it's stored."""
    for pause in (0.2, 1.0, 3.0, 10.0, 20.0, 30.0, None):
        try:
            journal.finish(status)
        except OSError as error:
            sys.stderr.write(f"run {status.run_id}: the result can't be stored: {error}\n")
            if pause is None:
                return 1
            time.sleep(pause)
        else:
            return 0
    return 1


def _outcome(config: Config) -> tuple[str | None, str | None]:
    """Commit and generation afterwards; also refreshes the facts."""
    with contextlib.suppress(Exception):
        found = facts.publish(config)
        return found.commit, found.generation
    with contextlib.suppress(Exception):
        return None, platforms.of(config).generation()
    return None, None


def answer(said: dict[str, Any]) -> None:
    """Best effort: whoever asked may be gone, and the run doesn't depend on him."""
    with contextlib.suppress(OSError):
        os.write(REQUEST_FD, json.dumps(said).encode() + b"\n")
    with contextlib.suppress(OSError):
        os.close(REQUEST_FD)
