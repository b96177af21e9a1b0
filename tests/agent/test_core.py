"""The core as state in, state out: no process, no socket, no clock."""

from typing import Any

import pytest

from nixfleet_agent import actions as a
from nixfleet_agent import events as e
from nixfleet_agent.backoff import Backoff
from nixfleet_agent.core import Core
from nixfleet_agent.identity import Identity
from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode
from nixfleet_protocol.messages import (
    AGENT_TO_SERVER,
    Ack,
    CommandMessage,
    Facts,
    Goodbye,
    Heartbeat,
    HeldRun,
    Options,
    Output,
    Ping,
    Pong,
    ProgressState,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.record import Record

RUN, OTHER, STOP = ("0" * 31 + digit for digit in "123")
IDENTITY = Identity("web1", "script", 30.0, ("pull", "switch", "pull-switch", "test", "stop", "restart"))


class Lab:
    """A core with a hand-moved clock; what it sends, decoded."""

    def __init__(self, *known: e.Known, random: float = 0.5, connect: bool = True, **held: Any) -> None:
        self.now = 1000.0
        self.core = Core(IDENTITY, Backoff(lambda: random), known)
        self.first = self.core.begin(self.now, self.wall)
        if connect:
            self.connect(**held)

    @property
    def wall(self) -> int:
        return int(self.now * 1000)

    def __call__(self, event: e.Event) -> list[a.Action]:
        return self.core.step(event, self.now, self.wall)

    def receive(self, *messages: object) -> list[a.Action]:
        return [action for message in messages for action in self(e.Received(encode(message)))]

    def connect(self, **message: Any) -> list[a.Action]:
        return self(e.Opened()) + self.receive(
            Registered(**{"host_id": "web1", "protocol": "1.0", "server_version": "1", "at": 0, **message})
        )

    def later(self, seconds: float) -> list[a.Action]:
        self.now += seconds
        return self(e.Tick())

    def launch(self, run_id: str = RUN, command: str = "switch", pid: int = 77) -> list[a.Action]:
        self.receive(CommandMessage(run_id=run_id, command=command))
        return self(e.Launched(run_id, pid))

    def end(self, run_id: str = RUN, status: str = "ok", last_seq: int = 0) -> list[a.Action]:
        result = Status(run_id=run_id, command="switch", status=status, at=1, exit_code=0, last_seq=last_seq)
        return self(e.Looked(run_id, e.Seen([], False, False, None, result), 200))


def sent(actions: list[a.Action]) -> list[Any]:
    frames = [frame for action in actions if isinstance(action, a.Send) for frame in action.frames]
    return [message for frame in frames for message in decode(frame, AGENT_TO_SERVER)]


def only(actions: list[a.Action], kind: type) -> list[Any]:
    return [action for action in actions if isinstance(action, kind)]


def record(seq: int, data: bytes = b"x") -> Record:
    return Record(seq, 5, "stdout", data)


def known(run_id: str = RUN, command: str = "switch", **more: Any) -> e.Known:
    request = e.Request(run_id, command, more.pop("options", Options()), more.pop("version", "0.1.0"))
    given = {"last_seq": 0, "pid": 77, "alive": True, "result": None, **more}
    return e.Known(request, **given)


def test_it_registers_then_beats_at_once_and_every_interval() -> None:
    lab = Lab(connect=False)
    opened = lab(e.Opened())
    registered = lab.receive(Registered(host_id="web1", protocol="1.0", server_version="1", at=0))
    early, due = lab.later(29.9), lab.later(0.1)
    beat = lab(e.Sampled(None))

    assert isinstance(sent(opened)[0], Register)
    assert only(registered, a.Sample)
    assert not only(early, a.Sample)
    assert only(due, a.Sample)
    assert isinstance(sent(beat)[0], Heartbeat)


def test_beats_do_not_drift_and_are_not_made_up_for() -> None:
    lab = Lab()
    lab.later(31.0)
    after_a_late_one = lab.core.wake_at
    lab.later(200.0)

    assert after_a_late_one == 1060.0
    assert lab.core.wake_at == 1231.0 + 30.0


def test_facts_are_told_once_and_again_when_they_change() -> None:
    lab = Lab(connect=False)
    lab(e.FactsRead(Facts(commit="a" * 40)))
    register = sent(lab(e.Opened()))[0]
    lab.receive(Registered(host_id="web1", protocol="1.0", server_version="1", at=0))
    quiet = sent(lab(e.Sampled(None)))[0]
    changed = lab(e.FactsRead(Facts(commit="b" * 40)))
    told = sent(lab(e.Sampled(None)))[0]

    assert register.facts.commit == "a" * 40
    assert quiet.facts is None
    assert only(changed, a.Sample)
    assert told.facts.commit == "b" * 40


def test_a_command_is_launched_once_and_its_beginning_told() -> None:
    lab = Lab()
    command = CommandMessage(run_id=RUN, command="switch")
    first, again = lab.receive(command), lab.receive(command)
    launched = lab(e.Launched(RUN, 77))

    assert [action.request.run_id for action in only(first, a.Launch)] == [RUN]
    assert not only(again, a.Launch)
    assert [(m.status, m.pid) for m in sent(launched)] == [("running", 77)]
    assert sent(lab.receive(command))[0].status == "running"


def test_a_heartbeat_names_the_command_that_runs() -> None:
    lab = Lab()
    lab.launch()
    beat = sent(lab(e.Sampled(None)))[0]

    assert (beat.pending_command, beat.command_pid, beat.run_id) == ("switch", 77, RUN)


def test_output_goes_out_in_order_and_the_end_after_it() -> None:
    lab = Lab()
    lab.launch()
    more = lab(e.Looked(RUN, e.Seen([record(1), record(2)], True, True, None, None), 200))
    result = Status(run_id=RUN, command="switch", status="ok", at=1, last_seq=3)
    last = lab(e.Looked(RUN, e.Seen([record(3)], False, False, None, result), 200))

    assert [m.seq for m in sent(more)] == [1, 2]
    assert only(more, a.Look)[0].after == 2
    assert [(type(m), getattr(m, "seq", m.__class__ is Status and m.last_seq)) for m in sent(last)] == [
        (Output, 3),
        (Status, 3),
    ]


def test_reads_stop_at_the_window_and_go_on_with_the_ack() -> None:
    lab = Lab()
    looks = only(lab.launch(), a.Look)
    seq = 0
    while looks and looks[-1].limit:
        limit = looks[-1].limit
        batch = [record(seq + n + 1) for n in range(limit)]
        seq += limit
        looks = only(lab(e.Looked(RUN, e.Seen(batch, True, True, None, None), limit)), a.Look)
    acked = lab.receive(Ack(run_id=RUN, seq=400))

    assert seq == 1000
    assert [(look.after, look.limit) for look in only(acked, a.Look)] == [(1000, 200)]


def test_a_run_is_forgotten_only_when_the_server_has_its_end() -> None:
    lab = Lab()
    lab.launch()
    lab.end()
    kept = lab.core.undelivered
    delivered = lab.receive(Ack(run_id=RUN, seq=0, ended=True))

    assert kept == 1
    assert lab.core.undelivered == 0
    assert only(delivered, a.Delivered) == [a.Delivered(RUN)]


def test_after_a_reconnect_output_goes_on_behind_what_the_server_has() -> None:
    lab = Lab()
    lab.launch()
    lab(e.Looked(RUN, e.Seen([record(n) for n in range(1, 9)], False, True, None, None), 200))
    lab(e.Closed("cut"))
    register = sent(lab(e.Opened()))[0]
    resumed = lab.receive(
        Registered(
            host_id="web1", protocol="1.0", server_version="1", at=0, runs=(HeldRun(run_id=RUN, have=5),)
        )
    )

    assert [(run.run_id, run.last_seq, run.ended) for run in register.runs] == [(RUN, 8, False)]
    assert sent(resumed)[0].status == "running"
    assert only(resumed, a.Look)[0].after == 5


def test_the_end_is_sent_again_until_acknowledged() -> None:
    lab = Lab()
    lab.launch()
    first = sent(lab.end())
    lab(e.Closed("cut"))
    lab.connect(runs=(HeldRun(run_id=RUN, have=0),))
    again = sent(lab.end())

    assert first == again


def test_what_the_server_has_whole_is_not_sent_again() -> None:
    lab = Lab(known(), connect=False)
    actions = lab.connect(runs=(HeldRun(run_id=RUN, have=3, ended=True),))

    assert only(actions, a.Delivered) == [a.Delivered(RUN)]
    assert lab.core.undelivered == 0


def test_a_second_command_is_rejected_on_record_with_the_first_named() -> None:
    lab = Lab()
    lab.launch()
    actions = lab.receive(CommandMessage(run_id=OTHER, command="pull"))
    recorded = only(actions, a.RecordRun)[0]

    assert not only(actions, a.Launch)
    assert recorded.result.status == "rejected"
    assert recorded.result.message == f"busy: switch (run {RUN}) is running"


def test_a_rejection_survives_a_lost_connection() -> None:
    lab = Lab()
    lab.launch()
    lab.receive(CommandMessage(run_id=OTHER, command="pull"))
    lab(e.Closed("cut"))
    lab(e.Recorded(OTHER))
    register = sent(lab(e.Opened()))[0]

    assert {(run.run_id, run.ended) for run in register.runs} == {(RUN, False), (OTHER, True)}


def test_stop_signals_the_runner_and_ends_with_its_target() -> None:
    """Original bug 16: stop was refused because a command was running."""
    lab = Lab()
    lab.launch()
    lab.receive(CommandMessage(run_id=STOP, command="stop", options=Options(target=RUN)))
    signalled = lab(e.Recorded(STOP))
    ended = lab.end(status="stopped")

    assert [(s.run_id, s.pid, s.force) for s in only(signalled, a.Signal)] == [(RUN, 77, False)]
    assert [(f.status.run_id, f.status.status) for f in only(ended, a.Finish)] == [(STOP, "ok")]


def test_a_runner_that_ignores_stop_is_killed() -> None:
    lab = Lab()
    lab.launch()
    lab.receive(CommandMessage(run_id=STOP, command="stop"))
    lab(e.Recorded(STOP))

    assert not only(lab.later(19), a.Signal)
    assert [s.force for s in only(lab.later(2), a.Signal)] == [True]


def test_an_activation_is_not_killed_by_a_stop_but_by_one_with_force() -> None:
    """Half an activation leaves units stopped: the runner ends it when it is whole, and goes back."""
    lab = Lab()
    lab.launch()
    at = ProgressState(phase="activate", current=1, total=5)
    lab(e.Looked(RUN, e.Seen([], False, True, at, None), 200))
    lab.receive(CommandMessage(run_id=STOP, command="stop"))
    asked = lab(e.Recorded(STOP))
    waited = lab.later(600)
    lab.receive(CommandMessage(run_id=OTHER, command="stop", options=Options(force=True)))
    forced = lab(e.Recorded(OTHER))

    assert [s.force for s in only(asked, a.Signal)] == [False]
    assert not only(waited, a.Signal)
    assert [s.force for s in only(forced, a.Signal)] == [True]


def test_a_stop_while_the_runner_starts_reaches_it() -> None:
    lab = Lab()
    lab.receive(CommandMessage(run_id=RUN, command="switch"))
    lab.receive(CommandMessage(run_id=STOP, command="stop"))
    lab(e.Recorded(STOP))

    assert [s.pid for s in only(lab(e.Launched(RUN, 77)), a.Signal)] == [77]


@pytest.mark.parametrize("target", [None, OTHER])
def test_a_stop_of_nothing_fails_and_says_so(target: str | None) -> None:
    lab = Lab()
    if target:
        lab.launch()
    lab.receive(CommandMessage(run_id=STOP, command="stop", options=Options(target=target)))
    finished = only(lab(e.Recorded(STOP)), a.Finish)[0].status

    assert finished.status == "failed"
    assert finished.message.startswith("nothing to stop")


def test_a_stop_survives_the_agent_s_death() -> None:
    lab = Lab(known(), known(STOP, "stop", pid=None, alive=False), connect=False)

    assert [(s.pid, s.force) for s in only(lab.first, a.Signal)] == [(77, False)]


def test_a_stop_whose_target_ended_meanwhile_is_answered() -> None:
    result = Status(run_id=RUN, command="switch", status="stopped", at=1, exit_code=143)
    lab = Lab(
        known(alive=False, result=result), known(STOP, "stop", options=Options(target=RUN)), connect=False
    )

    assert [f.status.status for f in only(lab.first, a.Finish)] == ["ok"]


def test_restart_is_journaled_then_leaves_then_is_settled_by_the_next() -> None:
    lab = Lab()
    asked = lab.receive(CommandMessage(run_id=RUN, command="restart"))
    left = lab(e.Recorded(RUN))
    successor = Lab(known(command="restart", pid=None, alive=False, version="0.0.9"), connect=False)
    finished = only(successor.first, a.Finish)[0].status

    assert only(asked, a.RecordRun)
    assert [type(action) for action in left][-2:] == [a.Close, a.Exit]
    assert finished.status == "ok"
    assert "version 0.0.9 → 0." in finished.message


def test_a_dead_runner_is_settled_only_after_the_server_said_what_it_has() -> None:
    lab = Lab(known(alive=False), connect=False)
    dead = e.Looked(RUN, e.Seen([], False, False, None, None), 0)
    before = lab(dead)
    lab.connect(runs=(HeldRun(run_id=RUN, have=12),))
    after = lab(dead)

    assert not only(before, a.Settle)
    assert only(before, a.Decide) == [a.Decide(RUN)]  # a switch may be the reason why there is no server
    assert only(after, a.Settle) == [a.Settle(RUN, 12)]
    assert not only(lab(dead), a.Settle)


def test_no_runner_means_a_failed_run_that_says_why() -> None:
    lab = Lab()
    lab.receive(CommandMessage(run_id=RUN, command="switch"))
    result = only(lab(e.NotLaunched(RUN, "error", "no memory")), a.RecordRun)[0].result

    assert (result.status, result.message) == ("failed", "no memory")


def test_backoff_grows_with_full_jitter_and_begins_anew_after_a_good_connection() -> None:
    lab = Lab(random=1.0, connect=False)
    delays = [only(lab(e.Closed("x")), a.Connect)[0].delay for _ in range(8)]
    lab.connect()
    lab.now += 11
    again = only(lab(e.Closed("x")), a.Connect)[0].delay

    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert again == 1
    assert Backoff(lambda: 0.0).next() == 0.0


def test_goodbye_says_when_to_come_back() -> None:
    lab = Lab(random=0.5)
    lab.receive(Goodbye(reason="shutdown", retry_min=2, retry_max=10))

    assert only(lab(e.Closed("x")), a.Connect)[0].delay == 6


def test_an_agent_replaced_by_its_double_stays_away_and_says_so() -> None:
    lab = Lab(random=0.0)
    said = lab.receive(Goodbye(reason="replaced"))

    assert "another agent" in only(said, a.Say)[0].event
    assert only(lab(e.Closed("x")), a.Connect)[0].delay == 30


def test_pings_are_answered() -> None:
    assert sent(Lab().receive(Ping(at=9))) == [Pong(at=9)]


def test_a_server_that_never_answers_register_is_left() -> None:
    lab = Lab(connect=False)
    lab(e.Opened())

    assert not only(lab.later(9), a.Close)
    assert only(lab.later(1.5), a.Close)


def test_a_server_that_breaks_the_protocol_is_left_with_the_reason() -> None:
    lab = Lab()

    assert only(lab(e.Received("nonsense")), a.Close)[0].code == 1007
    assert only(lab(e.Received('{"type":"ping","payload":{"at":-1}}')), a.Close)[0].code == 1008


def test_an_idle_core_wakes_only_for_its_heartbeat() -> None:
    lab = Lab()

    assert lab.core.wake_at == 1030.0
    lab.launch()
    assert lab.core.wake_at is not None
    assert lab.core.wake_at <= 1001.0
