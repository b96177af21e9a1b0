"""`nixfleet-agent runner`: one connection that the supervisor accepted, one request, done as root.

Nothing that the resident says decides what root runs: its request names one of a few verbs and a run. Clone, journals,
key, address, branch and signers come from this process's own configuration and from root's state directory.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from nixfleet_agent import facts, state
from nixfleet_agent.config import Config
from nixfleet_agent.files import Disk, NotPrivate
from nixfleet_agent.journal import directory, load_result
from nixfleet_agent.launch import REQUEST_FD
from nixfleet_agent.lock import is_held
from nixfleet_agent.runner import expired, peer, settle, stop, verbs
from nixfleet_agent.runner.main import Refused, answer, begin_process, enter, receive, take
from nixfleet_agent.runs import Runs
from nixfleet_protocol.messages import CommandMessage


def main(config: Config) -> int:
    """Exit code 0: done, and if it was a run, it has a result. 1: refused. 2: there is no connection."""
    try:
        _take_connection(peer.connection(), config.state_dir)
    except OSError:
        sys.stderr.write("nixfleet-agent: `runner` is started by systemd or launchd, for a connection\n")
        return 2
    stopped = begin_process()
    try:
        _check_peer(config)
        enter(config)
        raw = receive(REQUEST_FD)
        try:
            ask = verbs.parse(raw)
        except ValueError as error:
            raise Refused("invalid", message=str(error)) from None
        if isinstance(ask, CommandMessage):
            return take(config, raw, Disk(), stopped)
        said = _VERBS[type(ask)](config, ask)
    except Refused as refused:
        said = refused.answer
    answer(said)
    if "refused" in said:
        sys.stderr.write(f"nixfleet-agent: request refused: {said['refused']}: {said.get('message', '')}\n")
    return int("refused" in said)


def _take_connection(fd: int, state_dir: str) -> None:
    """Put the connection where runners expect it, and nothing of it where a program would write."""
    if fd != REQUEST_FD:  # inetd's way: it is stdin, stdout and stderr
        os.dup2(fd, REQUEST_FD, inheritable=False)
        out = os.open(os.devnull, os.O_WRONLY)
        with contextlib.suppress(OSError):
            how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            out = os.open(os.path.join(state_dir, "runner.log"), how, 0o600)
        for number in (1, 2):
            os.dup2(out, number)
        os.close(out)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _check_peer(config: Config) -> None:
    """Raises Refused unless the resident, or the runner's own user, is at the other end."""
    try:
        user = peer.uid(REQUEST_FD)
        allowed = {os.geteuid(), state.resident_uid(config)}
    except (NotPrivate, OSError) as error:
        raise Refused("error", message=str(error)) from None
    if user not in allowed:
        raise Refused("denied", message=f"user {user} may not ask this runner")


def _stop(config: Config, ask: verbs.Stop) -> dict[str, Any]:
    return stop.main(config, ask.run_id, force=ask.force)


def _settle(config: Config, ask: verbs.Settle) -> dict[str, Any]:
    if not os.path.isdir(directory(config.state_dir, ask.run_id)):
        return {"refused": "gone", "message": f"there is no run {ask.run_id}"}
    return {"settled": settle.main(config, ask.run_id, ask.have) == 0}


def _forget(config: Config, ask: verbs.Forget) -> dict[str, Any]:
    """Only what has ended can be forgotten, and what keeps a run from being started again stays its 30 days."""
    runs = Runs(config.state_dir)
    for run_id in ask.run_ids:
        path = directory(config.state_dir, run_id)
        if not is_held(os.path.join(path, "lock")) and load_result(path) is not None:
            runs.delivered(run_id)
    runs.prune()
    return {"forgotten": len(ask.run_ids)}


def _facts(config: Config, ask: verbs.Gather) -> dict[str, Any]:
    answer({"gathering": True})  # a first clone takes its time, and nobody waits for it
    expired.overdue(config)
    return {"gathered": facts.main(config) == 0}


_VERBS: dict[type, Callable[[Config, Any], dict[str, Any]]] = {
    verbs.Stop: _stop,
    verbs.Settle: _settle,
    verbs.Forget: _forget,
    verbs.Gather: _facts,
}
