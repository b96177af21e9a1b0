"""The log file's lines."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_protocol.limits import SEQ_MAX
from nixfleet_protocol.record import STREAMS, Record, parse

RECORDS = st.builds(
    Record,
    seq=st.integers(0, SEQ_MAX),
    at=st.integers(0, SEQ_MAX // 10),
    stream=st.sampled_from(sorted(STREAMS)),
    data=st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")),
    partial=st.booleans(),
)


@given(RECORDS)
def test_a_record_comes_back(record: Record) -> None:
    line = record.encode()
    assert line.count(b"\n") == 1
    assert parse(line) == record


@given(RECORDS, st.data())
def test_a_torn_record_is_refused(record: Record, data: st.DataObject) -> None:
    line = record.encode()
    with pytest.raises(ValueError, match="torn or foreign"):
        parse(line[: data.draw(st.integers(0, len(line) - 1))])


@given(
    st.one_of(
        st.binary(), st.lists(st.sampled_from([b"1", b" ", b"o", b"+", b"\n", b"-1", b"x"])).map(b"".join)
    )
)
def test_garbage_is_refused_or_is_a_record(line: bytes) -> None:
    record = None
    with suppress(ValueError):
        record = parse(line)
    assert record is None or parse(record.encode()) == record


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"1 2 o\n",
        b"1 2 x a\n",
        b"1 2 o++ a\n",
        b"-1 2 o a\n",
        b"1 2 oo a\n",
        b"1 " + b"9" * 40 + b" o a\n",
    ],
)
def test_foreign_lines(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse(line)


def test_raw_is_what_the_program_wrote() -> None:
    pieces = [
        Record(1, 0, "stdout", b"a line"),
        Record(2, 0, "stdout", b"no end", partial=True),
    ]
    assert b"".join(piece.raw() for piece in pieces) == b"a line\nno end"
    assert pieces[1].encode() == b"2 0 o+ no end\n"
