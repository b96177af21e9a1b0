"""The server's end: order, versions, and that bad content never makes an agent resend for ever."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_protocol import limits
from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode
from nixfleet_protocol.errors import LocalProtocolError, RemoteProtocolError
from nixfleet_protocol.messages import (
    SERVER_TO_AGENT,
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
from nixfleet_protocol.session.server_end import MAY_RECEIVE, MAY_SEND, ServerEnd
from nixfleet_protocol.versions import PROTOCOL
from tests.protocol.strategies import JSON

RUN = "a" * 32
OURS = str(PROTOCOL)
REGISTERED = Registered(host_id="web1", protocol="1.0", server_version="0.1.0", at=1)


def register(protocol: str = "1.0") -> Register:
    return Register(
        hostname="web1", protocol=protocol, agent_version="0.1.0", platform="script", interval=30.0
    )


def output(seq: int, /, **other: Any) -> dict[str, Any]:
    payload = {"run_id": RUN, "command": "switch", "seq": seq, "stream": "stdout", "line": "x", "at": 1}
    return {"type": "output", "payload": payload | other}


def active() -> ServerEnd:
    end = ServerEnd()
    end.receive(encode(register()))
    end.send(REGISTERED)
    return end


@pytest.mark.parametrize("state", sorted(MAY_RECEIVE))
def test_what_may_be_received_when(state: str) -> None:
    for message in (register(), Heartbeat(at=1), Pong(at=1)):
        end = ServerEnd()
        end.state = state
        if isinstance(message, MAY_RECEIVE[state]):
            assert end.receive(encode(message)) == [message]
        else:
            with pytest.raises(RemoteProtocolError, match=f"{type(message).__name__} received while {state}"):
                end.receive(encode(message))


@pytest.mark.parametrize("state", sorted(MAY_SEND))
def test_what_may_be_sent_when(state: str) -> None:
    for message in (
        REGISTERED,
        CommandMessage(run_id=RUN, command="pull"),
        Ack(run_id=RUN, seq=1),
        Ping(at=1),
        Goodbye(reason="shutdown"),
    ):
        end = ServerEnd()
        end.state = state
        if isinstance(message, MAY_SEND[state]):
            [frame] = end.send(message)
            assert decode(frame, SERVER_TO_AGENT) == [message]
        else:
            with pytest.raises(
                LocalProtocolError, match=f"{type(message).__name__} can't be sent while {state}"
            ):
                end.send(message)


@pytest.mark.parametrize(
    ("protocol", "agreed", "compatible"),
    [("1.0", "1.0", True), ("1.7", OURS, True), ("2.0", OURS, False), ("0.9", OURS, False)],
)
def test_versions(protocol: str, agreed: str, compatible: bool) -> None:
    end = ServerEnd()
    end.receive(encode(register(protocol)))
    assert end.agreement is not None
    assert (str(end.agreement.version), end.agreement.compatible) == (agreed, compatible)
    end.send(REGISTERED)  # also a stranger is registered, so that it can be shown and updated
    assert end.state == "active"


def test_a_record_with_bad_content_becomes_a_counted_tombstone() -> None:
    end = active()
    frame = json.dumps(
        [
            output(1),
            output(2, line="x" * (limits.LINE_MAX + 1)),
            output(3, stream="later"),
            output(4, line=None),
        ]
    )
    first, *stones = end.receive(frame)
    assert first.line == "x"
    assert end.refused == 3
    for seq, stone in enumerate(stones, 2):
        assert isinstance(stone, Output)
        assert (stone.run_id, stone.seq, stone.stream) == (RUN, seq, "note")
        assert "broke a rule" in stone.line


@given(st.sampled_from(["line", "stream", "at", "partial"]), JSON)
@settings(max_examples=150, deadline=None)
def test_no_content_can_lose_its_neighbours(field: str, value: Any) -> None:
    end = active()
    got = end.receive(json.dumps([output(1), output(2, **{field: value}), output(3)]))
    assert [message.seq for message in got] == [1, 2, 3]
    assert end.refused in (0, 1)


@pytest.mark.parametrize(
    "broken",
    [
        output(2, seq="2"),
        output(2, run_id="nonsense"),
        output(2, command=None),
        {"type": "output"},
        {"type": "output", "payload": []},
        {"type": "heartbeat", "payload": {"at": "now"}},
        {"type": 7},
        [],
        [output(2)],
    ],
)
def test_what_can_not_be_acknowledged_costs_the_connection(broken: Any) -> None:
    end = active()
    with pytest.raises(RemoteProtocolError) as caught:
        end.receive(json.dumps([output(1), broken]))
    assert caught.value.close_code == 1008
    assert "nonsense" not in str(caught.value)


def test_frames_that_are_not_json_cost_the_connection() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        active().receive("{")
    assert caught.value.close_code == 1007


@pytest.mark.parametrize("line", ["x", None])
def test_a_batch_is_bounded_also_when_it_is_read_one_by_one(line: Any) -> None:
    frame = json.dumps([output(seq, line=line) for seq in range(1, limits.BATCH_MESSAGES_MAX + 2)])
    with pytest.raises(RemoteProtocolError):
        active().receive(frame)


def test_unknown_types_are_counted_and_left_out() -> None:
    end = active()
    assert end.receive('[{"type":"later"},{"type":"pong","payload":{"at":4,"later":1}}]') == [Pong(at=4)]
    assert end.unknown == 1
