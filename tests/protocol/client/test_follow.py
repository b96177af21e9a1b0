"""The cursor and the patience, without sockets."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_protocol.client.follow import END, Follow, Patience
from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode, encode_batches
from nixfleet_protocol.errors import NotConnected, Refused, RemoteProtocolError
from nixfleet_protocol.messages import BROWSER_TO_SERVER, ProgressState
from nixfleet_protocol.messages.browser import (
    CommandOutput,
    CommandProgress,
    HostUpdate,
    Notice,
    RunUpdate,
    Snapshot,
    Subscribe,
)

RUN, OTHER = "a" * 32, "b" * 32


def output(seq: int, run_id: str = RUN) -> CommandOutput:
    return CommandOutput(
        host_id="web1", run_id=run_id, command="switch", seq=seq, stream="stdout", line=f"l{seq}", at=1
    )


def update(lines: int, ended: bool = True, run_id: str = RUN) -> RunUpdate:
    return RunUpdate(
        run_id=run_id,
        host_id="web1",
        command="switch",
        state="ended" if ended else "running",
        result="ok" if ended else None,
        created_at=1,
        lines=lines,
    )


class Server:
    """What a right server sends on one connection from a subscription on, cut anywhere."""

    @staticmethod
    def connection(cursor: Follow, total: int) -> list[Any]:
        [wanted] = decode(cursor.subscribe(), BROWSER_TO_SERVER)
        assert isinstance(wanted, Subscribe)
        return [
            Snapshot(protocol="1.0", server_version="0.1.0", at=1, hosts=()),
            update(0, ended=False),
            output(1, OTHER),
            *(output(seq) for seq in range(max(1, wanted.from_seq - 2), total + 1)),  # it may repeat some
            HostUpdate(host_id="web1"),
            update(99, run_id=OTHER),
            update(total),
        ]


@given(st.integers(0, 30), st.lists(st.integers(0, 40), max_size=6), st.booleans())
@settings(deadline=None)
def test_every_record_once_in_order_over_any_cuts(total: int, cuts: list[int], batched: bool) -> None:
    cursor = Follow(RUN)
    seen: list[int] = []
    for cut in [*cuts, 10**6]:
        if cursor.complete:
            break
        messages = Server.connection(cursor, total)[:cut]
        for frame in encode_batches(messages) if batched else map(encode, messages):
            assert not cursor.complete
            seen += [record.seq for record in cursor.receive(frame)]
    assert cursor.complete
    assert seen == list(range(1, total + 1))
    assert cursor.run is not None
    assert cursor.run.result == "ok"


def test_the_end_alone() -> None:
    cursor = Follow(RUN, END)
    cursor.receive(encode(update(5, ended=False)))
    assert not cursor.complete
    cursor.receive(encode(update(5)))
    assert cursor.complete


def test_the_result_before_the_last_output_is_not_the_end() -> None:
    cursor = Follow(RUN)
    cursor.receive(encode(update(1)))
    assert not cursor.complete
    assert [record.line for record in cursor.receive(encode(output(1)))] == ["l1"]
    assert cursor.complete


def test_progress_is_kept() -> None:
    cursor = Follow(RUN)
    state = ProgressState(phase="test", current=3, total=10)
    cursor.receive(encode(CommandProgress(host_id="web1", run_id=RUN, command="test", progress=state)))
    assert cursor.progress == state


@pytest.mark.parametrize("frame", [encode(output(2)), b"\x00", "{", '{"type":"run_update","payload":{}}'])
def test_a_gap_or_a_broken_rule_ends_the_connection(frame: str | bytes) -> None:
    cursor = Follow(RUN)
    with pytest.raises(RemoteProtocolError):
        cursor.receive(frame)
    assert cursor.next_seq == 1


def test_notices() -> None:
    cursor = Follow(RUN)
    for notice in (Notice(level="error", text="elsewhere"), Notice(level="info", text="here", run_id=RUN)):
        assert cursor.receive(encode(notice)) == []
    with pytest.raises(Refused, match="no such run"):
        cursor.receive(encode(Notice(level="error", text="no such run", run_id=RUN)))


def test_patience_doubles_up_to_its_ceiling_and_ends() -> None:
    now = 0.0
    patience = Patience(60, chance=lambda: 1.0, clock=lambda: now)
    away = NotConnected("away")
    delays = []
    while now < 60:
        delays.append(patience.delay(away))
        now += delays[-1]
    assert delays[:6] == [0.5, 1, 2, 4, 8, 10]
    assert max(delays) == Patience.CEILING_MAX
    with pytest.raises(NotConnected, match="away"):
        patience.delay(away)
    patience.settle()
    assert patience.delay(away) == 0.5


def test_patience_has_full_jitter() -> None:
    assert Patience(60, chance=lambda: 0.0).delay(NotConnected("away")) == 0.0


def test_broken_rules_are_forgiven_three_times() -> None:
    patience = Patience(60)
    for _ in range(3):
        patience.delay(RemoteProtocolError("gap"))
        patience.settle()
    with pytest.raises(NotConnected, match="breaks the protocol: gap"):
        patience.delay(RemoteProtocolError("gap"))
