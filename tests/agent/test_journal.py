"""The journal: what is durable when, and what survives a crash at any byte."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk
from nixfleet_agent.journal import Journal, Piece, claim, load_request, load_result
from nixfleet_agent.runner.settle import reopen
from nixfleet_agent.tail import Tail, last_seq, records
from nixfleet_protocol.messages import Options, Status
from nixfleet_protocol.record import Record

RUN = "0" * 31 + "1"
REQUEST = Request(RUN, "switch", Options(reason="why"), "0.1.0")
STATUS = Status(run_id=RUN, command="switch", status="ok", at=1, exit_code=0)

pieces = st.lists(
    st.builds(
        Piece,
        st.sampled_from(["stdout", "stderr", "note"]),
        st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")),
        st.booleans(),
    ),
    max_size=30,
)


class Watched(Disk):
    """A disk that remembers what was asked of it, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def _note(self, call: str, path: str) -> None:
        self.calls.append((call, Path(path).name))

    def mkdir(self, path: str) -> None:
        self._note("mkdir", path)
        super().mkdir(path)

    def create(self, path: str, data: bytes) -> None:
        self._note("create", path)
        super().create(path, data)

    def write(self, fd: int, data: bytes) -> None:
        self._note("write", str(Path(f"/proc/self/fd/{fd}").readlink()))
        super().write(fd, data)

    def datasync(self, fd: int, path: str) -> None:
        self._note("datasync", path)
        super().datasync(fd, path)

    def sync(self, path: str) -> None:
        self._note("sync", path)
        super().sync(path)

    def rename(self, old: str, new: str) -> None:
        self._note("rename", new)
        super().rename(old, new)


class Full(Disk):
    """A disk that refuses to grow the output while `full`, after taking part of a write."""

    full = False

    def write(self, fd: int, data: bytes) -> None:
        if self.full:
            super().write(fd, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        super().write(fd, data)


def claimed(state: Path, disk: Disk | None = None) -> str:
    (state / "runs").mkdir(exist_ok=True)
    return claim(str(state), REQUEST, disk or Disk())


def test_a_claim_is_durable_name_and_content_before_anything_starts(tmp_path: Path) -> None:
    disk = Watched()
    claimed(tmp_path, disk)

    assert disk.calls == [
        ("mkdir", RUN),
        ("create", "request.json"),
        ("write", "request.json"),
        ("sync", "request.json"),
        ("sync", RUN),
        ("sync", "runs"),
    ]


def test_a_result_comes_after_durable_output_and_is_durable_itself(tmp_path: Path) -> None:
    disk = Watched()
    journal = Journal(claimed(tmp_path), disk)
    journal.append([Piece("stdout", b"hello")])
    disk.calls.clear()
    journal.finish(STATUS)
    journal.close()

    assert disk.calls == [
        ("datasync", "output"),
        ("create", "result.json.tmp"),
        ("write", "result.json.tmp"),
        ("sync", "result.json.tmp"),
        ("rename", "result.json"),
        ("sync", RUN),
    ]


def test_the_output_s_name_is_durable_before_its_first_record(tmp_path: Path) -> None:
    disk = Watched()
    journal = Journal(claimed(tmp_path), disk)
    journal.append([Piece("stdout", b"hello")])
    journal.close()

    calls = [call for call in disk.calls if "reserve" not in call[1]]
    assert calls == [("sync", RUN), ("write", "output")]


def test_output_is_made_durable_every_second_and_only_if_there_is_some(tmp_path: Path) -> None:
    disk = Watched()
    journal = Journal(claimed(tmp_path), disk)
    disk.calls.clear()
    for now in (100.0, 100.5, 101.1, 102.5):
        if now < 102:
            journal.append([Piece("stdout", b"x")])
        journal.sync(now)
    journal.close()

    assert [call for call, _ in disk.calls] == ["write", "datasync", "write", "write", "datasync"]


def test_a_claim_that_a_full_disk_refuses_is_given_back(tmp_path: Path) -> None:
    disk = Full()
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        claimed(tmp_path, disk)
    disk.full = False

    assert load_request(claimed(tmp_path, disk)) == REQUEST


def test_a_run_is_claimed_once(tmp_path: Path) -> None:
    claimed(tmp_path)

    with pytest.raises(FileExistsError):
        claimed(tmp_path)


def test_request_and_result_come_back_as_they_were(tmp_path: Path) -> None:
    path = claimed(tmp_path)
    journal = Journal(path, Disk())
    journal.append([Piece("stdout", b"a"), Piece("stderr", b"b")])
    journal.finish(STATUS)
    journal.close()

    result = load_result(path)
    assert load_request(path) == REQUEST
    assert result
    assert (result.status, result.last_seq) == ("ok", 2)
    assert not (Path(path) / "reserve").exists()


@settings(deadline=None)
@given(pieces, st.data())
def test_what_a_crash_leaves_is_a_prefix_and_can_be_continued(
    given_pieces: list[Piece], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = claimed(Path(folder))
        journal = Journal(path, Disk(), wall=lambda: 7)
        journal.append(given_pieces)
        journal.close()
        whole = [record for record, _ in records(path)]
        file = Path(path) / "output"
        size = file.stat().st_size
        kept = data.draw(st.integers(0, size), "bytes that reached the disk")
        garbage = data.draw(st.sampled_from([b"", b"\0" * 10, b"17 x"]), "what follows them")
        file.write_bytes(file.read_bytes()[:kept] + garbage)

        found, complete = reopen(path, 0, Disk(), 10**6)
        before = [record for record, _ in records(path)]
        found.append([Piece("note", b"goes on")])
        found.close()

        assert complete
        assert before == whole[: len(before)]
        assert sum(len(record.encode()) for record in whole[: len(before) + 1]) >= kept or before == whole
        after = [record for record, _ in records(path)]
        assert after[:-1] == before
        assert after[-1].seq == len(before) + 1
        assert last_seq(path) == len(after)


def test_numbers_go_on_behind_what_the_server_has(tmp_path: Path) -> None:
    path = claimed(tmp_path)
    journal = Journal(path, Disk())
    journal.append([Piece("stdout", b"a")])
    journal.close()

    found, complete = reopen(path, 41, Disk(), 10**6)
    found.close()

    assert not complete
    assert [record.seq for record, _ in records(path)] == [1, 42]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=300),
    st.integers(0, 320),
    st.integers(1, 50),
)
def test_a_tail_gives_every_record_after_a_number_once(sizes: list[int], after: int, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = claimed(Path(folder))
        journal = Journal(path, Disk(), wall=lambda: 7)
        journal.append([Piece("stdout", b"y" * size) for size in sizes])
        journal.close()
        tail, found = Tail(path, after), []
        while True:
            got, more = tail.read(limit)
            assert len(got) <= limit
            found += got
            if not more:
                break

        assert [record.seq for record in found] == list(range(after + 1, len(sizes) + 1))


def test_a_tail_waits_for_the_end_of_a_record(tmp_path: Path) -> None:
    path = claimed(tmp_path)
    whole = Record(1, 5, "stdout", b"hello world").encode()
    file = Path(path) / "output"
    file.write_bytes(whole[:10])
    tail = Tail(path, 0)
    first = tail.read(10)
    file.write_bytes(whole)

    assert first == ([], False)
    assert tail.read(10) == ([Record(1, 5, "stdout", b"hello world")], False)


def test_a_full_disk_leaves_no_half_record_and_no_hole_in_the_numbers(tmp_path: Path) -> None:
    path = claimed(tmp_path)
    disk = Full()
    journal = Journal(path, disk)
    journal.append([Piece("stdout", b"one")])
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        journal.append([Piece("stdout", b"two")])
    disk.full = False
    journal.append([Piece("stdout", b"two again")])
    journal.close()

    assert [(record.seq, record.data) for record, _ in records(path)] == [(1, b"one"), (2, b"two again")]


def test_the_limit_is_exact_and_leaves_one_marker(tmp_path: Path) -> None:
    path = claimed(tmp_path)
    journal = Journal(path, Disk(), log_max=10)
    journal.append([Piece("stdout", b"1234"), Piece("stderr", b"5678", True), Piece("stdout", b"", False)])
    journal.append([Piece("stdout", b"over"), Piece("stdout", b"more")])
    journal.finish(STATUS)
    journal.close()

    found = [record for record, _ in records(path)]
    assert sum(len(record.raw()) for record in found if record.stream != "note") == 10
    assert [record.data for record in found if record.stream == "note"] == [
        b"[10 bytes of output were not kept: the limit is 10 bytes a run]"
    ]


def test_a_result_that_the_disk_takes_at_the_second_try_leaves_one_marker(tmp_path: Path) -> None:
    class Once(Disk):
        refuses = True

        def rename(self, old: str, new: str) -> None:
            if self.refuses:
                raise OSError(28, "No space left on device")
            super().rename(old, new)

    path, disk = claimed(tmp_path), Once()
    journal = Journal(path, disk, log_max=1)
    journal.append([Piece("stdout", b"over")])
    with pytest.raises(OSError, match="No space"):
        journal.finish(STATUS)
    disk.refuses = False
    journal.finish(STATUS)
    journal.close()

    assert [record.stream for record, _ in records(path)] == ["note"]
    result = load_result(path)
    assert result
    assert result.last_seq == 1
