"""Random weather over the core: cuts, kills, dying runners, slow acks. Nothing is lost, nothing comes twice."""

from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nixfleet_agent import actions as a
from nixfleet_agent import events as e
from nixfleet_agent.backoff import Backoff
from nixfleet_agent.core import Core
from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages import (
    AGENT_TO_SERVER,
    Ack,
    CommandMessage,
    HeldRun,
    Output,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.record import Record
from tests.agent.test_core import IDENTITY

COMMANDS = st.sampled_from(["switch", "pull", "test", "stop", "restart", "reboot"])


class Disk:
    """One journal: its request, its records, its result, and whether a runner lives."""

    def __init__(self, request: e.Request, alive: bool) -> None:
        self.request = request
        self.records: list[Record] = []
        self.result: Status | None = None
        self.alive = alive


class Weather(RuleBasedStateMachine):
    """The world around a core. `disk` outlives the agent, `logs` and `ends` are the server's."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.runs = 0
        self.disk: dict[str, Disk] = {}
        self.delivered: set[str] = set()
        self.logs: dict[str, list[int]] = {}
        self.durable: dict[str, int] = {}
        self.ends: dict[str, Status] = {}
        self.waiting: list[Any] = []
        self.asked: dict[str, CommandMessage] = {}
        self.starts: dict[str, int] = {}
        self.answers: deque[e.Request] = deque()
        self.connected = False
        self.start()

    def start(self) -> None:
        """A new agent process over the same disk."""
        found = [self.known(run_id) for run_id in self.disk if run_id not in self.delivered]
        self.core = Core(IDENTITY, Backoff(lambda: 0.5), found)
        self.left = False
        self.answers.clear()
        self.perform(self.core.begin(self.now, 0))

    def known(self, run_id: str) -> e.Known:
        run = self.disk[run_id]
        result = None if run.alive else run.result
        return e.Known(run.request, len(run.records), 7 if run.alive else None, run.alive, result)

    def tell(self, event: e.Event) -> None:
        self.perform(self.core.step(event, self.now, 0))

    def perform(self, actions: list[a.Action]) -> None:
        queue = deque(actions)
        while queue:
            event = self.do(queue.popleft())
            if event:
                queue.extend(self.core.step(event, self.now, 0))

    def do(self, action: a.Action) -> e.Event | None:
        if isinstance(action, a.Send):
            for frame in action.frames:
                for message in decode(frame, AGENT_TO_SERVER):
                    self.arrive(message)
        elif isinstance(action, a.Launch):
            self.answers.append(action.request)
        elif isinstance(action, a.RecordRun):
            return self.record(action)
        elif isinstance(action, a.Finish):
            self.disk[action.status.run_id].result = action.status
        elif isinstance(action, a.Look):
            return self.look(action)
        elif isinstance(action, a.Settle):
            self.settle(action)
        elif isinstance(action, a.Signal):
            self.signal(action.force)
        elif isinstance(action, a.Delivered):
            self.delivered.add(action.run_id)
        elif isinstance(action, a.Sample):
            return e.Sampled(None)
        elif isinstance(action, a.Exit):
            self.left = True
        return None

    def record(self, action: a.RecordRun) -> e.Event:
        run_id = action.request.run_id
        if run_id in self.disk:
            self.delivered.discard(run_id)
            return e.Existing(self.known(run_id))
        self.disk[run_id] = Disk(action.request, False)
        self.disk[run_id].result = action.result
        return e.Recorded(run_id)

    def look(self, action: a.Look) -> e.Event:
        run = self.disk[action.run_id]
        after = [record for record in run.records if record.seq > action.after]
        result = None if run.alive else run.result
        seen = e.Seen(after[: action.limit], len(after) > action.limit > 0, run.alive, None, result)
        return e.Looked(action.run_id, seen, action.limit)

    def settle(self, action: a.Settle) -> None:
        run = self.disk[action.run_id]
        assert not run.alive
        assert run.result is None
        self.finish(run, "interrupted")

    def finish(self, run: Disk, status: str) -> None:
        run.alive = False
        run.result = Status(
            run_id=run.request.run_id,
            command=run.request.command,
            status=status,
            at=1,
            last_seq=run.records[-1].seq if run.records else 0,
        )

    def signal(self, force: bool) -> None:
        for run in self.disk.values():
            if run.alive:
                if force:
                    run.alive = False
                else:
                    self.finish(run, "stopped")

    # The server

    def arrive(self, message: Any) -> None:
        if isinstance(message, Register):
            held = tuple(
                HeldRun(run_id=r.run_id, have=self.durable.get(r.run_id, 0), ended=r.run_id in self.ends)
                for r in message.runs
            )
            for run in message.runs:
                del self.logs.setdefault(run.run_id, [])[self.durable.get(run.run_id, 0) :]
            self.waiting = [Registered(host_id="web1", protocol="1.0", server_version="1", at=0, runs=held)]
        elif isinstance(message, Output):
            log = self.logs.setdefault(message.run_id, [])
            assert message.seq <= len(log) + 1, "a gap"
            if message.seq == len(log) + 1:
                log.append(message.seq)
            self.waiting.append(Ack(run_id=message.run_id, seq=len(log)))
        elif isinstance(message, Status) and message.status != "running":
            log = self.logs.setdefault(message.run_id, [])
            assert len(log) >= message.last_seq, "the end before the output"
            self.durable[message.run_id] = len(log)  # a server ends a run only when its log is durable
            before = self.ends.setdefault(message.run_id, message)
            assert before == message, "two different ends"
            self.waiting.append(Ack(run_id=message.run_id, seq=message.last_seq, ended=True))

    # Weather

    @rule(promptly=st.sampled_from([True, True, False]))
    def connect(self, promptly: bool) -> None:
        if not self.connected and not self.left:
            self.connected = True
            self.waiting = []
            self.tell(e.Opened())
            if promptly:
                self.server_answers(1)

    @rule()
    def cut(self) -> None:
        if self.connected:
            self.connected = False
            self.waiting = []
            self.tell(e.Closed("cut"))

    @rule(count=st.sampled_from([1, 3, 50, 2000]))
    def server_answers(self, count: int) -> None:
        for _ in range(count):
            if self.connected and self.waiting:
                message = self.waiting.pop(0)
                if isinstance(message, Ack):
                    self.durable[message.run_id] = max(self.durable.get(message.run_id, 0), message.seq)
                self.tell(e.Received(encode(message)))

    @rule(command=COMMANDS, lines=st.integers(0, 1500), promptly=st.booleans())
    def ask(self, command: str, lines: int, promptly: bool) -> None:
        self.connect(True)
        if promptly:
            self.server_answers(2000)
        if self.connected and self.core.connection == "connected":
            self.runs += 1
            message = CommandMessage(run_id=f"{self.runs:032x}", command=command)
            self.asked[message.run_id] = message
            self.tell(e.Received(encode(message)))
            if promptly:
                self.a_runner_starts()
                self.the_runner_writes(lines)

    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        if self.asked and self.connected and self.core.connection == "connected":
            message = self.asked[data.draw(st.sampled_from(sorted(self.asked)))]
            self.tell(e.Received(encode(message)))

    @rule()
    def a_runner_starts(self) -> None:
        if not self.answers:
            return
        request = self.answers.popleft()
        if request.run_id in self.disk:
            self.delivered.discard(request.run_id)
            self.tell(e.Existing(self.known(request.run_id)))
        elif any(run.alive for run in self.disk.values()):
            self.tell(e.NotLaunched(request.run_id, "busy", running="another"))
        else:
            self.starts[request.run_id] = self.starts.get(request.run_id, 0) + 1
            self.disk[request.run_id] = Disk(request, True)
            self.tell(e.Launched(request.run_id, 7))

    @rule()
    def a_runner_dies_before_it_claims(self) -> None:
        if self.answers and self.answers[0].run_id not in self.disk:
            self.tell(e.NotLaunched(self.answers.popleft().run_id, "error", "died"))

    @rule(lines=st.integers(1, 700))
    def the_runner_writes(self, lines: int) -> None:
        for run in self.disk.values():
            if run.alive:
                start = run.records[-1].seq if run.records else 0
                run.records += [Record(start + n + 1, 0, "stdout", b"x") for n in range(lines)]
                self.tell(e.Rang(run.request.run_id))

    @rule(good=st.sampled_from([True, True, False]))
    def the_runner_ends(self, good: bool) -> None:
        for run in self.disk.values():
            if run.alive:
                if good:
                    self.finish(run, "ok")
                run.alive = False
                self.tell(e.ChildEnded())

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.tell(e.Tick())

    @rule()
    def the_agent_is_killed(self) -> None:
        self.connected = False
        self.waiting = []
        self.start()

    @invariant()
    def each_run_starts_at_most_once(self) -> None:
        assert all(count == 1 for count in getattr(self, "starts", {}).values())

    @invariant()
    def what_the_server_holds_is_the_journal_s(self) -> None:
        for run_id, end in getattr(self, "ends", {}).items():
            if run_id in self.disk:
                assert self.disk[run_id].result == end
                assert len(self.logs[run_id]) == len(self.disk[run_id].records)

    def teardown(self) -> None:
        """When the weather clears, everything asked for and claimed comes to its end at the server."""
        if not hasattr(self, "disk"):
            return
        while self.answers:
            self.a_runner_starts()
        self.the_runner_ends(True)
        if self.left:
            self.the_agent_is_killed()
        self.cut()
        self.connect(True)
        for _ in range(3000):
            if not self.waiting and not self.core.undelivered:
                break
            self.server_answers(5)
            self.time_passes(1.0)
        assert self.core.undelivered == 0
        assert all(run_id in self.ends for run_id in self.disk)


Weather.TestCase.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)
TestWeather = Weather.TestCase
