"""What the core's actions about runs do: launchers, journals, signals. Small and blocking only on the disk."""

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from nixfleet_agent import actions as a
from nixfleet_agent import events as e
from nixfleet_agent.files import Disk
from nixfleet_agent.journal import claim, directory, write_result
from nixfleet_agent.launch import FORGET_MAX, REQUEST_MAX, Launcher, parse_answer
from nixfleet_agent.log import Log
from nixfleet_agent.runs import Runs
from nixfleet_protocol.messages import Status


class Hands:
    """Does actions about runs; answers that come later are told through `tell`."""

    def __init__(
        self,
        own_dir: str,
        runs: Runs,
        launcher: Launcher,
        log: Log,
        selector: selectors.BaseSelector,
        tell: Callable[[e.Event], None],
    ) -> None:
        self._own_dir = own_dir
        self._runs = runs
        self._launcher = launcher
        self._log = log
        self._selector = selector
        self._tell = tell
        self._disk = Disk()
        self._asked: dict[socket.socket, tuple[e.Request, bytes]] = {}

    def reap(self) -> bool:
        """Whether a process that was started has ended since the last call."""
        return bool(self._launcher.reap())

    def launch(self, action: a.Launch) -> e.Event | None:
        try:
            answer = self._launcher.launch(action.request)
        except OSError as error:
            return e.NotLaunched(
                action.request.run_id, "error", f"no runner can be started: {error.strerror}"
            )
        self._asked[answer] = (action.request, b"")
        self._selector.register(answer, selectors.EVENT_READ, lambda mask: self._on_answer(answer))
        return None

    def _on_answer(self, sock: socket.socket) -> None:
        request, raw = self._asked[sock]
        with contextlib.suppress(BlockingIOError):
            try:
                data = sock.recv(REQUEST_MAX)
            except ConnectionError:
                data = b""
            raw += data
            self._asked[sock] = (request, raw)
            if data and not raw.endswith(b"\n") and len(raw) <= REQUEST_MAX:
                return
            self._selector.unregister(sock)
            sock.close()
            del self._asked[sock]
            self._tell(self._judge(request, parse_answer(raw) or {}))

    def _judge(self, request: e.Request, answer: dict[str, Any]) -> e.Event:
        """What a runner's answer means. No answer, but a claim: the answer was lost on the way."""
        run_id = request.run_id
        if isinstance(answer.get("pid"), int):
            return e.Launched(run_id, answer["pid"])
        if answer.get("refused") == "exists" or (not answer and self._runs.exists(run_id)):
            return self._existing(run_id)
        why = str(answer.get("refused", "error"))
        running = answer.get("running") or {}
        title = f"{running.get('command', 'another command')} (run {running.get('run_id', 'unknown')})"
        said = str(
            answer.get("message", "the runner died before it began; see runner.log in the state directory")
        )
        return e.NotLaunched(run_id, why, said, title)

    def _existing(self, run_id: str) -> e.Event:
        self._runs.undeliver(run_id)
        return e.Existing(self._runs.load(run_id))

    def record(self, action: a.RecordRun) -> e.Event:
        run_id = action.request.run_id
        if self._runs.exists(run_id):
            return self._existing(run_id)
        try:
            path = claim(self._own_dir, action.request, self._disk)
            if action.result:
                write_result(path, action.result, self._disk)
        except FileExistsError:
            return self._existing(run_id)
        except OSError:
            return e.Recorded(run_id, stored=False)
        return e.Recorded(run_id)

    def finish(self, action: a.Finish) -> None:
        try:
            write_result(directory(self._own_dir, action.status.run_id), action.status, self._disk)
        except OSError as error:
            self._log.error("a result can't be stored", run=action.status.run_id, reason=error.strerror)

    def look(self, action: a.Look) -> e.Event:
        try:
            seen = self._runs.look(action.run_id, action.after, action.limit)
        except OSError as error:  # a disk in trouble: the host stays visible, and we look again
            self._log.error("a journal can't be read", run=action.run_id, reason=error.strerror)
            seen = e.Seen([], False, True, None, None)
        return e.Looked(action.run_id, seen, action.limit)

    def settle(self, action: a.Settle) -> None:
        if self._runs.apart(
            action.run_id
        ):  # no runner had it: this process, or one before, died over its result
            command = self._runs.load(action.run_id).request.command
            message = "interrupted: the agent died before it could answer"
            at = time.time_ns() // 1_000_000
            self.finish(
                a.Finish(
                    Status(
                        run_id=action.run_id, command=command, status="interrupted", at=at, message=message
                    )
                )
            )
            return
        self.helper("settle", action.run_id, str(action.have))

    def decide(self, action: a.Decide) -> None:
        if self._runs.undecided(action.run_id):
            self.helper("facts")

    def signal(self, action: a.Signal) -> None:
        if action.late and self._runs.shielded(action.run_id):
            return  # a later look asks again
        self._launcher.signal(action.run_id, action.pid, action.force)

    def delivered(self, action: a.Delivered) -> None:
        self._runs.delivered(action.run_id)
        self._runs.prune()
        self.forget()

    def forget(self) -> None:
        """Tell root, where it has the journals, what the server has whole."""
        if names := self._runs.unforgotten():
            self.helper("forget", *names[:FORGET_MAX])

    def helper(self, *words: str) -> None:
        """Start a short-lived process of our own."""
        try:
            self._launcher.helper(*words)
        except OSError as error:
            self._log.error("a helper can't be started", helper=words[0], reason=error.strerror)


HANDS: dict[type, Callable[[Hands, Any], e.Event | None]] = {
    a.Launch: Hands.launch,
    a.RecordRun: Hands.record,
    a.Finish: Hands.finish,
    a.Look: Hands.look,
    a.Settle: Hands.settle,
    a.Decide: Hands.decide,
    a.Signal: Hands.signal,
    a.Delivered: Hands.delivered,
}
