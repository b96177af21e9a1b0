"""The resident's loop: carries readiness to the core as events, and the core's actions to the world."""

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from nixfleet_agent import actions as a
from nixfleet_agent import doorbell
from nixfleet_agent import events as e
from nixfleet_agent.config import Config
from nixfleet_agent.connection import Connection
from nixfleet_agent.core import Core
from nixfleet_agent.files import read_json, swap_json
from nixfleet_agent.fresh import Fresh
from nixfleet_agent.hands import HANDS, Hands
from nixfleet_agent.launch import Launcher
from nixfleet_agent.link import Link
from nixfleet_agent.log import Log
from nixfleet_agent.memory import drop_clean_text
from nixfleet_agent.metrics import Meter
from nixfleet_agent.runs import Runs
from nixfleet_agent.status import status_of
from nixfleet_protocol.decode import read
from nixfleet_protocol.messages import Facts

SELECT_MAX = 5.0
"""Seconds: a signal that arrives just before select is noticed after this at the latest."""
EXIT_LIMIT = 3.0
"""Seconds to say goodbye before leaving."""
SLEPT = 5.0
"""Seconds of suspend after which the connection is taken for dead."""


class Loop:
    """One resident. `run()` returns the exit code."""

    def __init__(self, config: Config, core: Core, runs: Runs, launcher: Launcher, log: Log) -> None:
        self._config = config
        self._core = core
        self._log = log
        self._meter = Meter(config.metrics)
        self._selector = selectors.DefaultSelector()
        self._hands = Hands(config.resident_dir, runs, launcher, log, self._selector, self._tell)
        self._bell = doorbell.listen(config.resident_dir)
        self._link = Link(config, self._selector, self._tell, self._on_open)
        self._exit: tuple[int, float] | None = None
        self._pending: deque[a.Action] = deque()
        self._terminated = False
        self._drop_in = 0
        self._slept = _suspended()
        self._status: dict[str, Any] = {}
        self._started = time.monotonic()
        self._fresh = Fresh(config, self._started)

    def run(self) -> int:
        """Serve until told to stop."""
        self._prepare()
        self._read_facts()
        self._hands.helper("facts")
        self._apply(self._core.begin(time.monotonic(), _wall()))
        while True:
            self._turn()
            if self._exit and (not self._link.there or time.monotonic() >= self._exit[1]):
                break
        self._link.abandon()
        self._write_status(connection="not running")
        return self._exit[0]

    def _prepare(self) -> None:
        # Kept: a closed one's number would go to the next socket.
        wake, woken = self._wake = socket.socketpair()
        for end in self._wake:
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._watch(wake, lambda mask: _drain(wake))
        if self._bell:
            self._watch(self._bell, self._on_bell)

    def _watch(self, fd: Any, callback: Callable[[int], object]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    # One turn

    def _turn(self) -> None:
        for key, mask in self._selector.select(self._timeout()):
            key.data(mask)
        if self._terminated:
            self._terminated = False
            self._tell(e.Terminated())
        if self._hands.reap():
            self._tell(e.ChildEnded())
        now = time.monotonic()
        self._notice_suspend()
        self._link.turn(now)
        wake_at = self._core.wake_at
        if wake_at is not None and now >= wake_at:
            self._tell(e.Tick())
        if now >= self._fresh.due_at:
            self._freshen(now)
        self._link.watch()
        self._write_status()

    def _timeout(self) -> float:
        now = time.monotonic()
        times = [
            self._core.wake_at,
            None if self._core.running else self._fresh.due_at,
            self._link.due_at,
        ]
        times.append(self._exit[1] if self._exit else None)
        if self._bell is None and self._core.running:
            times.append(now + 0.2)  # no doorbell can ring here: look for output often enough to feel live
        due = min((at for at in times if at is not None), default=now + SELECT_MAX)
        return max(0.0, min(due - now, SELECT_MAX))

    def _on_signal(self, number: int, frame: object) -> None:
        self._terminated = True

    def _on_bell(self, mask: int) -> None:
        assert self._bell
        for text in doorbell.drain(self._bell):
            if text == "facts":
                self._read_facts()
            elif text == "reconnect":  # a switch asks whether the server can still be reached
                self._link.anew("connecting anew, as a switch asks")
            elif text == "connect":  # a switch waits for us: its window is too short to wait in
                self._link.hurry()
            else:
                self._tell(e.Rang(text))

    def _notice_suspend(self) -> None:
        slept = _suspended()
        if slept - self._slept > SLEPT and self._link.there:
            self._log.info("the host was asleep", seconds=round(slept - self._slept))
            self._link.lost("the host was asleep")
        self._slept = slept

    # Core

    def _tell(self, event: e.Event) -> None:
        self._apply(self._core.step(event, time.monotonic(), _wall()))

    def _apply(self, actions: list[a.Action]) -> None:
        """Do the actions in order; events that they cause are told at once, their actions queued behind."""
        self._pending.extend(actions)
        if len(self._pending) != len(actions):
            return  # an outer call is at it
        while self._pending:
            action = self._pending[0]
            event = self._do(action)
            more = self._core.step(event, time.monotonic(), _wall()) if event else []
            self._pending.popleft()
            self._pending.extend(more)
        self._link.use(lambda connection: connection.flush())

    def _do(self, action: a.Action) -> e.Event | None:
        kind = type(action)
        return HANDS[kind](self._hands, action) if kind in HANDS else _ACTIONS[kind](self, action)

    def _do_send(self, action: a.Send) -> None:
        def send(connection: Connection) -> None:
            for frame in action.frames:
                connection.send(frame)

        self._link.use(send)

    def _do_close(self, action: a.Close) -> None:
        now = time.monotonic()
        self._link.use(lambda connection: connection.close(action.code, action.reason, now))

    def _do_connect(self, action: a.Connect) -> None:
        self._link.connect_in(action.delay)

    def _do_sample(self, action: a.Sample) -> e.Event:
        metrics = self._meter.sample()
        self._drop_in -= 1
        if self._drop_in == 0:
            drop_clean_text()
        self._freshen(time.monotonic())
        return e.Sampled(metrics)

    def _do_exit(self, action: a.Exit) -> None:
        self._exit = (action.code, time.monotonic() + EXIT_LIMIT)
        self._link.leaving = True

    def _do_say(self, action: a.Say) -> None:
        getattr(self._log, action.level)(action.event, **action.fields)

    def _on_open(self) -> None:
        self._tell(e.Opened())
        self._drop_in = 2  # by the second heartbeat everything has been imported and run that start-up needs

    # Files

    def _freshen(self, now: float) -> None:
        if self._fresh.wanted(now, busy=self._core.running is not None):
            self._hands.helper("facts")

    def _read_facts(self) -> None:
        self._fresh.gathered()
        found = read_json(os.path.join(self._config.state_dir, "facts.json"))
        if found is not None:
            with contextlib.suppress(ValueError):
                self._tell(e.FactsRead(read(Facts, found)))

    def _write_status(self, **more: Any) -> None:
        status = {**status_of(self._core, self._config, self._started), **more}
        if status != self._status:
            self._status = status
            with contextlib.suppress(OSError):
                swap_json(os.path.join(self._config.resident_dir, "status.json"), status)


_ACTIONS: dict[type, Callable[[Loop, Any], e.Event | None]] = {
    a.Connect: Loop._do_connect,
    a.Send: Loop._do_send,
    a.Close: Loop._do_close,
    a.Sample: Loop._do_sample,
    a.Exit: Loop._do_exit,
    a.Say: Loop._do_say,
}


def _wall() -> int:
    return time.time_ns() // 1_000_000


def _suspended() -> float:
    """Seconds this boot has spent asleep."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boottime) - time.monotonic() if boottime is not None else 0.0


def _drain(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while sock.recv(4096):
            pass
