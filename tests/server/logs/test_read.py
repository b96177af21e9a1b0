"""Logs are found by number, whatever is in them and however they end."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_protocol.record import STREAMS, Record
from nixfleet_server.logs.read import read, tail

lines = st.tuples(
    st.sampled_from(sorted(STREAMS)),
    st.binary(max_size=300).map(lambda b: b.replace(b"\n", b"")),
    st.booleans(),
)
blobs = st.tuples(st.just("stdout"), st.integers(0, 60_000).map(lambda size: b"7 " * size), st.booleans())


def records(contents: list[tuple[str, bytes, bool]]) -> list[Record]:
    return [Record(seq, 1000 + seq, *content) for seq, content in enumerate(contents, 1)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(lines | blobs, max_size=60),
    st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")),
    st.integers(1, 62),
    st.integers(1, 70),
)
def test_every_record_is_found_and_the_torn_end_is_not(
    contents: list[tuple[str, bytes, bool]], torn: bytes, start: int, count: int
) -> None:
    written = records(contents)
    whole = b"".join(record.encode() for record in written)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.log"
        path.write_bytes(whole + torn)
        assert tail(path) == (len(written), len(whole))
        assert read(path, start, count, 1 << 30) == written[start - 1 :][:count]


def test_a_big_log_is_read_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("wb") as file:
        for seq in range(1, 200_001):
            file.write(Record(seq, 5, "stdout", b"%d 1 1 n x" % seq).encode())
    for seq in (1, 2, 99_999, 150_000, 200_000):
        assert [record.seq for record in read(path, seq, 3)] == list(range(seq, min(seq + 3, 200_001)))
    assert read(path, 200_001, 3) == []


def test_a_page_ends_when_it_grows_big(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(Record(seq, 5, "stdout", b"x" * 1000).encode() for seq in range(1, 101)))
    assert len(read(path, 1, 100, 10_000)) == 10


def test_no_file_is_an_empty_log(tmp_path: Path) -> None:
    assert read(tmp_path / "none.log", 1, 10) == []
    assert tail(tmp_path / "none.log") == (0, 0)


def test_what_a_power_loss_leaves_is_cut_back_to_the_last_good_record(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    good = b"".join(record.encode() for record in records([("stdout", b"a", False), ("stderr", b"b", True)]))
    for damage in (b"\0" * 5000, b"\0" * 100 + b"\n", b"9 9 o a gap\n\0\0\n", b"\n"):
        path.write_bytes(good + damage)
        assert tail(path) == (2, len(good))
