"""The two decoders are one: what one takes the other takes, as the same message; what one refuses both refuse."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_protocol import limits
from nixfleet_protocol.decode import Unknown, decode
from nixfleet_protocol.encode import encode, encode_batches
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.examples import EXAMPLES
from nixfleet_protocol.messages import DIRECTIONS
from nixfleet_protocol.messages.api import Login, Problem
from nixfleet_protocol.validate import read_json, validator
from tests.protocol.strategies import EVERY_MESSAGE, JSON, TEXT_CHARS, broken, payload

each_message = pytest.mark.parametrize(
    ("direction", "name", "cls"), EVERY_MESSAGE, ids=[name for _, name, _ in EVERY_MESSAGE]
)


def outcome(read: Any, *args: Any) -> Any:
    """Messages comparable over decoders, or the close code they cost."""
    try:
        return [("unknown", m.type) if isinstance(m, Unknown) else m for m in read(*args)]
    except RemoteProtocolError as error:
        return error.close_code


def both(direction: str, frame: str) -> Any:
    """What the two make of a frame, once they agree."""
    one = outcome(validator(direction), frame)
    assert one == outcome(decode, frame, DIRECTIONS[direction])
    return one


@each_message
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_right_payloads_are_taken_by_both(direction: str, name: str, cls: type, data: st.DataObject) -> None:
    frame = json.dumps(
        {"type": name, "payload": data.draw(payload(cls))}, ensure_ascii=data.draw(st.booleans())
    )
    [message] = both(direction, frame)
    assert type(message) is cls
    # What was understood survives being sent on.
    assert both(direction, encode(message)) == [message]


@each_message
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_broken_payloads_get_the_same_verdict(
    direction: str, name: str, cls: type, data: st.DataObject
) -> None:
    frame = json.dumps(
        {"type": name, "payload": data.draw(broken(cls))}, ensure_ascii=data.draw(st.booleans())
    )
    both(direction, frame)


@given(st.sampled_from(sorted(DIRECTIONS)), JSON)
@settings(deadline=None)
def test_any_json_gets_the_same_verdict(direction: str, value: Any) -> None:
    both(direction, json.dumps(value))


@given(
    st.lists(
        st.one_of(
            st.sampled_from([json.dumps(json.loads(encode(m))) for m in EXAMPLES]),
            st.builds(
                lambda name, value: json.dumps({"type": name, "payload": value}),
                st.text(TEXT_CHARS, max_size=70),
                JSON,
            ),
            st.sampled_from(
                ["{}", "[]", '{"type":1}', '{"type":"pong"}', '{"type":"later"}', '{"type":""}', "7"]
            ),
        ),
        max_size=5,
    )
)
@settings(deadline=None)
def test_batches_get_the_same_verdict(items: list[str]) -> None:
    for direction in DIRECTIONS:
        both(direction, f"[{','.join(items)}]")


@given(st.text(st.sampled_from('{}[]":,\\ \n0123456789eE.+-truefalsnINy\ufeff\x00\u00a0'), max_size=30))
@settings(max_examples=300, deadline=None)
def test_near_json_gets_the_same_verdict(frame: str) -> None:
    both("agent → server", frame)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("", 1007),
        ("not json", 1007),
        ('{"type":"pong","payload":{"at":NaN}}', 1007),
        ('{"type":"pong","payload":{"at":1,"more":NaN}}', 1007),
        ('{"type":"later","payload":[Infinity]}', 1007),
        ('{"type":"later","payload":"NaN is a word here"}', [("unknown", "later")]),
        ('{"type":"later","payload":"\\ud800"}', 1007),
        ('{"type":"pong","payload":{"at":1,"\\udfff":0}}', 1007),
        ('{"type":"pong","payload":{"at":1.0}}', 1008),
        ('{"type":"pong","payload":{"at":true}}', 1008),
        ('{"type":"pong","payload":{"at":9007199254740992}}', 1008),
        ('{"type":"pong","payload":{}}', 1008),
        ('{"type":"pong","payload":null}', 1008),
        ('{"type":"pong"}', 1008),
        ('{"payload":{"at":1}}', 1008),
        ('{"type":["pong"],"payload":{"at":1}}', 1008),
        ('{"type":"PONG","payload":{"at":1}}', [("unknown", "PONG")]),
        ("[]", []),
        ("[[]]", 1008),
        ("null", 1008),
        ("[" * 100_000, 1007),
        ('{"type":"later","payload":' + "[" * 100_000 + "]" * 100_000 + "}", 1007),
        ('{"type":"pong","payload":{"at":' + "9" * 5000 + "}}", 1007),
        ('{"type":"pong","payload":{"at":1},"type":"later"}', [("unknown", "later")]),
    ],
)
def test_edge_frames(frame: str, expected: Any) -> None:
    assert both("agent → server", frame) == expected


@pytest.mark.parametrize("type", ["pong", "later"])
def test_a_batch_is_bounded(type: str) -> None:
    item = json.dumps({"type": type, "payload": {"at": 1}})
    full = f"[{','.join([item] * limits.BATCH_MESSAGES_MAX)}]"
    assert len(both("agent → server", full)) == limits.BATCH_MESSAGES_MAX
    assert both("agent → server", full[:-1] + f",{item}]") == 1008


def test_what_we_batch_we_accept() -> None:
    mine = [m for m in EXAMPLES if type(m) in DIRECTIONS["agent → server"].values()] * 100
    read = [m for frame in encode_batches(mine) for m in both("agent → server", frame)]
    assert mine == read


@each_message
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_errors_name_the_field_and_never_quote_the_input(
    direction: str, name: str, cls: type, data: st.DataObject
) -> None:
    good = data.draw(payload(cls))
    field = data.draw(st.sampled_from(sorted(good)))
    frame = json.dumps({"type": name, "payload": good | {field: {"secret-7f3a": "secret-7f3a"}}})
    for read in (lambda: validator(direction)(frame), lambda: decode(frame, DIRECTIONS[direction])):
        told = ""
        try:
            read()
        except RemoteProtocolError as error:
            told = str(error)
        assert "secret-7f3a" not in told
        assert "\n" not in told
        assert not told or (name in told and field in told)


def test_bodies_are_read_from_text_and_faults_named() -> None:
    assert read_json(Login, b'{"password": "x"}') == Login(password="x")
    with pytest.raises(RemoteProtocolError, match=r"^password: "):
        read_json(Login, '{"password": ""}')
    with pytest.raises(RemoteProtocolError, match="not JSON"):
        read_json(Problem, "<html>")
