"""Frames as we send them."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_protocol import limits
from nixfleet_protocol.decode import decode
from nixfleet_protocol.encode import encode, encode_batches, to_dict
from nixfleet_protocol.examples import EXAMPLES
from nixfleet_protocol.messages import AGENT_TO_SERVER, Heartbeat, Metrics, Output, Ping


def line(seq: int, text: str) -> Output:
    return Output(run_id="0" * 32, command="switch", seq=seq, stream="stdout", line=text, at=1)


def test_defaults_are_left_out() -> None:
    assert encode(Heartbeat(at=7)) == '{"type":"heartbeat","payload":{"at":7}}'
    assert to_dict(Metrics(cpu=0.0)) == {"cpu": 0.0}  # zero is a measurement, not the default


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_required_fields_are_always_there(message: object) -> None:
    sent = json.loads(encode(message))["payload"]
    for field in fields(message):  # type: ignore[arg-type]
        assert (
            field.name in sent
            or getattr(message, field.name) in (field.default, field.default_factory and ())
            or (callable(field.default_factory) and getattr(message, field.name) == field.default_factory())
        )


def test_text_is_sent_as_itself() -> None:
    assert "grün" in encode(line(1, "grün"))


@given(
    st.lists(st.text(max_size=limits.LINE_MAX // 4).map(lambda t: t * 4), max_size=12), st.integers(1, 400)
)
def test_batches_are_bounded_and_keep_the_order(texts: list[str], copies: int) -> None:
    messages = [line(seq, text) for seq, text in enumerate(texts * (copies if len(texts) == 1 else 1), 1)]
    frames = encode_batches(messages)
    read = [decode(frame, AGENT_TO_SERVER) for frame in frames]
    assert [m for batch in read for m in batch] == messages
    for frame, batch in zip(frames, read, strict=True):
        assert len(batch) <= limits.BATCH_MESSAGES
        assert len(batch) == 1 or len(frame) <= limits.BATCH_BYTES + 2 + limits.BATCH_MESSAGES
        assert len(frame.encode()) <= limits.FRAME_MAX


def test_the_largest_record_fits_a_frame() -> None:
    [frame] = encode_batches([line(limits.SEQ_MAX, "\x00" * limits.LINE_MAX)])
    assert len(frame.encode()) < limits.FRAME_MAX / 10


def test_nothing_gives_no_frame() -> None:
    assert encode_batches([]) == []
    assert encode_batches([Ping(at=1)]) == [encode(Ping(at=1))]


def test_what_is_no_message_is_our_bug() -> None:
    with pytest.raises(KeyError):
        encode(Metrics())
    with pytest.raises(ValueError, match="JSON compliant"):
        encode(Heartbeat(at=1, metrics=Metrics(cpu=float("nan"))))
