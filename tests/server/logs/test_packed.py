"""A log that is over: compressed, and still read and searched by line."""

import gzip
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_protocol.record import Record
from nixfleet_server.logs import packed
from nixfleet_server.logs.files import Files
from nixfleet_server.logs.read import packed_path, read, tail
from nixfleet_server.logs.search import search

lines = st.lists(
    st.tuples(
        st.sampled_from(["stdout", "stderr", "note"]),
        st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


def write(path: Path, content: list[tuple[str, bytes, bool]]) -> list[Record]:
    records = [Record(i, 1000 + i, *line) for i, line in enumerate(content, 1)]
    path.write_bytes(b"".join(record.encode() for record in records))
    return records


def pack(path: Path) -> None:
    packed.pack(path, packed_path(path), Files())
    path.unlink()


@settings(max_examples=60, deadline=None)
@given(lines, st.integers(1, 400), st.integers(0, 70))
def test_a_packed_log_reads_as_the_log(
    tmp_path_factory: pytest.TempPathFactory, content: list[tuple[str, bytes, bool]], block: int, start: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "run.log"
    records = write(path, content)
    before = path.read_bytes()
    original, packed.BLOCK = packed.BLOCK, block
    try:
        pack(path)
    finally:
        packed.BLOCK = original
    assert gzip.decompress(packed_path(path).read_bytes()) == before, "zcat shows it all"
    assert read(path, start, 10_000) == [record for record in records if record.seq >= start]
    packed.unpack(packed_path(path), path, Files())
    assert path.read_bytes() == before
    assert tail(path) == (len(records), len(before))


def test_a_reader_unpacks_only_what_it_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.log"
    write(path, [("stdout", b"x" * 100, False)] * 20_000)
    pack(path)
    with packed_path(path).open("rb") as file:
        assert len(list(packed.members(file.fileno()))) > 5
    unpacked: list[int] = []
    real = packed.read_member
    monkeypatch.setattr(packed, "read_member", lambda fd, member: unpacked.append(1) or real(fd, member))
    assert [record.seq for record in read(path, 15_000, 3)] == [15_000, 15_001, 15_002]
    assert len(unpacked) == 1
    assert packed_path(path).stat().st_size < 200_000


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    write(path, [("stdout", b"line", False)] * 100)
    pack(path)
    data = bytearray(packed_path(path).read_bytes())
    data[60] ^= 0xFF
    packed_path(path).write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        read(path, 1, 10)


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    class Full(Files):
        def write(self, fd: int, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    path = tmp_path / "run.log"
    records = write(path, [("stdout", b"line", False)] * 100)
    with pytest.raises(OSError, match="No space"):
        packed.pack(path, packed_path(path), Full())
    assert read(path, 1, 1000) == records
    assert [file.name for file in tmp_path.iterdir()] == ["run.log"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text("aB1 é\r", max_size=8), min_size=1, max_size=30),
    st.text("aAbB1é ", min_size=1, max_size=2),
    st.booleans(),
    st.integers(1, 35),
    st.integers(1, 5),
)
def test_search_finds_what_a_reader_would(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    words: str,
    packs: bool,
    start: int,
    limit: int,
) -> None:
    path = tmp_path_factory.mktemp("logs") / "run.log"
    write(path, [("stdout", text.encode(), False) for text in texts])
    if packs:
        pack(path)
    wanted = [i for i, text in enumerate(texts, 1) if words.casefold() in text.casefold()]
    found = search(path, words, start, len(texts), limit)
    assert found.total == len(wanted)
    later = [seq for seq in wanted if seq >= start]
    assert [record.seq for record in found.records] == later[:limit]
    assert found.next_seq == (later[limit] if len(later) > limit else None)


def test_the_head_of_a_record_is_not_searched(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    write(path, [("stdout", b"hello", False)] * 3)
    for words in ("1001", " o ", "2", "o hello"):
        assert search(path, words, 1, 3, 10).total == 0
    assert search(path, "HELLO", 1, 2, 10).total == 2, "not beyond what counts"


def test_a_search_that_takes_too_long_says_where_it_came_to(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    write(path, [("stdout", b"%d needle" % i, False) for i in range(1, 20_001)])
    times = iter([0.0, 100.0])
    found = search(path, "needle", 1, 20_000, 100_000, clock=lambda: next(times))
    assert 0 < found.total < 20_000
    assert found.next_seq == found.total + 1
    rest = search(path, "needle", found.next_seq, 20_000, 100_000)
    assert [r.seq for r in (*found.records, *rest.records)] == list(range(1, 20_001))


@pytest.mark.parametrize("packed_too", [False, True])
def test_who_goes_on_with_a_search_gets_to_the_end(tmp_path: Path, packed_too: bool) -> None:
    """However little time one search has: what is before where it goes on must not take it all."""
    path = tmp_path / "run.log"
    records = write(path, [("stdout", b"%d needle" % i * (i % 1000 == 0), False) for i in range(1, 100_001)])
    if packed_too:
        pack(path)
    found, from_seq, times = [], 1, itertools.count(0.0, 15.0)
    for _ in range(200):
        part = search(path, "needle", from_seq, len(records), 1000, clock=lambda: next(times))
        found += [record.seq for record in part.records]
        if part.next_seq is None:
            break
        assert part.next_seq > from_seq
        from_seq = part.next_seq
    assert found == list(range(1000, 100_001, 1000))


def test_matches_beyond_those_that_are_counted_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nixfleet_server.logs.search.TOTAL_MAX", 10)
    path = tmp_path / "run.log"
    write(path, [("stdout", b"needle", False)] * 30)
    found = search(path, "needle", 21, 30, 5)
    assert [record.seq for record in found.records] == [21, 22, 23, 24, 25]
    assert (found.total, found.next_seq) == (10, 26)
