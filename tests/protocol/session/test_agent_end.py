"""The agent's end: order, and a window that stays bounded through any sends and acknowledgements."""

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nixfleet_protocol import limits
from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode
from nixfleet_protocol.errors import LocalProtocolError, RemoteProtocolError
from nixfleet_protocol.messages import (
    AGENT_TO_SERVER,
    Ack,
    CommandMessage,
    Goodbye,
    Heartbeat,
    Output,
    Ping,
    Pong,
    Register,
    Registered,
)
from nixfleet_protocol.session.agent_end import MAY_RECEIVE, MAY_SEND, AgentEnd

REGISTER = Register(hostname="web1", protocol="1.0", agent_version="0.1.0", platform="script", interval=30.0)
REGISTERED = encode(Registered(host_id="web1", protocol="1.0", server_version="0.1.0", at=1))
RUNS = ["a" * 32, "b" * 32]


def output(run_id: str, seq: int, size: int = 10) -> Output:
    return Output(run_id=run_id, command="switch", seq=seq, stream="stdout", line="x" * size, at=1)


def active() -> AgentEnd:
    end = AgentEnd()
    end.send(REGISTER)
    end.receive(REGISTERED)
    return end


class Window(RuleBasedStateMachine):
    """An agent that sends no more than `room` allows, and a server that acknowledges whatever it likes."""

    @initialize()
    def connect(self) -> None:
        self.end = active()
        self.sent = dict.fromkeys(RUNS, 0)
        self.acked = dict.fromkeys(RUNS, 0)
        self.sizes: dict[tuple[str, int], int] = {}

    @rule(
        run_id=st.sampled_from(RUNS),
        count=st.sampled_from([1, 3, 400, 5000]),
        size=st.sampled_from([0, 10, limits.LINE_MAX]),
    )
    def send(self, run_id: str, count: int, size: int) -> None:
        for _ in range(count):
            if self.end.room <= 0:
                break
            self.sent[run_id] += 1
            self.sizes[run_id, self.sent[run_id]] = size
            self.end.send(output(run_id, self.sent[run_id], size))

    @rule(run_id=st.sampled_from(RUNS), share=st.floats(0, 1.2))
    def acknowledge(self, run_id: str, share: float) -> None:
        """Also again, backwards, and beyond what was sent."""
        seq = int(self.sent[run_id] * share)
        self.acked[run_id] = max(self.acked[run_id], min(seq, self.sent[run_id]))
        self.end.receive(encode(Ack(run_id=run_id, seq=seq)))

    @rule()
    def acknowledge_a_stranger(self) -> None:
        self.end.receive(encode(Ack(run_id="c" * 32, seq=7, ended=True)))

    @precondition(lambda self: self.end.room <= 0)
    @rule()
    def acknowledging_everything_opens_the_window(self) -> None:
        for run_id in RUNS:
            self.end.receive(encode(Ack(run_id=run_id, seq=self.sent[run_id])))
            self.acked[run_id] = self.sent[run_id]
        assert self.end.room == limits.WINDOW_LINES

    @invariant()
    def window(self) -> None:
        in_flight = [
            self.sizes[run_id, seq]
            for run_id in RUNS
            for seq in range(self.acked[run_id] + 1, self.sent[run_id] + 1)
        ]
        assert len(in_flight) <= limits.WINDOW_LINES
        assert sum(in_flight) < limits.WINDOW_BYTES + limits.LINE_MAX
        full = sum(in_flight) >= limits.WINDOW_BYTES
        assert self.end.room == (0 if full else limits.WINDOW_LINES - len(in_flight))


def test_the_window_stays_bounded() -> None:
    # A function, not the class itself: hypothesis parses a class's source, which CPython 3.11 before .8 gets wrong when
    # the garbage collector runs in between (gh-106905).
    run_state_machine_as_test(
        lambda: Window(),
        settings=settings(max_examples=30, stateful_step_count=20, deadline=None),
    )


@pytest.mark.parametrize("state", sorted(MAY_SEND))
def test_what_may_be_sent_when(state: str) -> None:
    for message in (REGISTER, Heartbeat(at=1), output(RUNS[0], 1), Pong(at=1)):
        end = AgentEnd()
        end.state = state
        if isinstance(message, MAY_SEND[state]):
            [frame] = end.send(message)
            assert decode(frame, AGENT_TO_SERVER) == [message]
        else:
            with pytest.raises(
                LocalProtocolError, match=f"{type(message).__name__} can't be sent while {state}"
            ):
                end.send(message)


@pytest.mark.parametrize("state", sorted(MAY_RECEIVE))
def test_what_may_be_received_when(state: str) -> None:
    for message in (
        Registered(host_id="web1", protocol="1.0", server_version="0.1.0", at=1),
        CommandMessage(run_id=RUNS[0], command="pull"),
        Ack(run_id=RUNS[0], seq=1),
        Ping(at=1),
        Goodbye(reason="shutdown"),
    ):
        end = AgentEnd()
        end.state = state
        if isinstance(message, MAY_RECEIVE[state]):
            assert end.receive(encode(message)) == [message]
        else:
            with pytest.raises(RemoteProtocolError, match=f"{type(message).__name__} received while {state}"):
                end.receive(encode(message))


def test_one_connection_from_first_to_last() -> None:
    end = AgentEnd()
    assert end.room == 0
    end.send(REGISTER)
    assert (end.state, end.room) == ("registering", 0)
    assert end.receive(REGISTERED)
    assert (end.state, end.room) == ("active", limits.WINDOW_LINES)
    assert end.registered is not None
    assert end.registered.host_id == "web1"
    end.receive(encode(Goodbye(reason="shutdown")))
    assert (end.state, end.room) == ("leaving", 0)
    end.send(output(RUNS[0], 1))  # what was on its way may still go out
    with pytest.raises(RemoteProtocolError):
        end.receive(REGISTERED)


def test_unknown_types_are_counted_and_left_out() -> None:
    end = active()
    later = {"type": "later", "payload": {"deep": [1]}}
    ping = json.loads(encode(Ping(at=4)))
    assert end.receive(json.dumps([later, ping, later])) == [Ping(at=4)]
    assert end.unknown == 2
