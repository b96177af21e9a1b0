"""From what programs write to records: byte for byte, whatever the bytes and however they come."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_agent.config import load
from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk
from nixfleet_agent.journal import Journal
from nixfleet_agent.runner.capture import Capture, cut, whole_characters
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.settle import _import_raw, reopen
from nixfleet_agent.tail import records
from nixfleet_protocol import limits
from nixfleet_protocol.messages import Options
from nixfleet_protocol.record import Record

RUN = "0" * 31 + "1"

wild = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.text(max_size=20).map(lambda text: text.encode(errors="replace")),
        st.sampled_from(
            [b"\n", b"\r", b"\r\n", b"\0", b"\xff", "😀".encode(), "😀".encode()[:2], b"\xf4\x8f\xbe\x80"]
        ),
        st.integers(1, 3 * limits.LINE_MAX).map(lambda size: b"m" * size),
    ),
    max_size=12,
).map(b"".join)


def of(path: Path, stream: str) -> bytes:
    return b"".join(record.raw() for record, _ in records(str(path)) if record.stream == stream)


@given(wild, st.lists(st.integers(0, 200), max_size=20))
def test_pieces_join_to_the_bytes_however_they_are_fed(data: bytes, cuts: list[int]) -> None:
    pieces, rest, at = [], b"", 0
    for size in [*cuts, len(data)]:
        found = cut("stdout", rest + data[at : at + size])
        pieces += found.pieces
        rest = found.rest
        at += size
    joined = b"".join(Record(1, 0, *piece).raw() for piece in pieces) + rest

    assert joined == data
    assert b"\n" not in rest
    assert all(len(piece.data) <= limits.LINE_MAX for piece in pieces)


@given(st.text(max_size=10), st.integers(0, 3))
def test_an_unfinished_character_waits_for_its_end(text: str, missing: int) -> None:
    whole = text.encode(errors="replace") + "😀".encode()
    data = whole[: len(whole) - missing]

    assert data[: whole_characters(data)].decode() == (
        text.encode(errors="replace").decode() + ("" if missing else "😀")
    )


@settings(deadline=None, max_examples=25)
@given(wild, wild)
def test_a_real_program_s_bytes_are_the_journal_s(out: bytes, err: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "runs" / RUN).mkdir(parents=True)
        (folder / "out").write_bytes(out)
        (folder / "err").write_bytes(err)
        config = load({"NIXFLEET_STATE_DIR": name, "NIXFLEET_HOSTNAME": "h"}, connects=False)
        journal = Journal(str(folder / "runs" / RUN), Disk())
        context = Context(
            config, Request(RUN, "switch", Options()), journal, env={"PATH": os.environ["PATH"]}
        )
        ran = context.run(["sh", "-c", "cat err >&2; exec cat out"], name)
        context.close()
        journal.close()

        assert ran.exit_code == 0
        assert of(folder / "runs" / RUN, "stdout") == out
        assert of(folder / "runs" / RUN, "stderr") == err


@settings(deadline=None)
@given(wild, wild, st.integers(0, 4), st.booleans())
def test_what_a_dead_runner_had_not_moved_is_moved_later(
    out: bytes, err: bytes, pumps: int, flushed: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        journal = Journal(name, Disk())
        capture = Capture(journal)
        half = len(out) // 2
        os.write(capture.fds[0], out[:half])
        for turn in range(pumps):
            capture.pump(turn * (2.0 if flushed else 0.0))
        os.write(capture.fds[0], out[half:])
        os.write(capture.fds[1], err)
        capture.close()
        journal.close()  # the runner is killed here

        again, whole = reopen(name, 0, Disk(), 10**9)
        _import_raw(again, name)
        again.close()

        assert whole
        assert of(path, "stdout") == out
        assert of(path, "stderr") == err


def test_an_unfinished_line_is_passed_on_after_a_second(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), Disk())
    capture = Capture(journal)
    os.write(capture.fds[0], b"10%\r")
    capture.pump(100.0)
    capture.pump(100.9)
    early = of(tmp_path, "stdout")
    capture.pump(101.1)

    assert early == b""
    assert of(tmp_path, "stdout") == b"10%\r"
    capture.close()
    journal.close()


def test_an_animation_that_never_pauses_is_live_too(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), Disk())
    capture = Capture(journal)
    for tenth in range(15):
        os.write(capture.fds[0], b"%d\r" % tenth)
        capture.pump(100 + tenth / 10)

    assert of(tmp_path, "stdout").startswith(b"0\r1\r2\r")
    capture.close()
    journal.close()


def test_a_full_disk_delays_output_and_loses_none(tmp_path: Path) -> None:
    class Full(Disk):
        full = True

        def write(self, fd: int, data: bytes) -> None:
            if self.full:
                raise OSError(28, "No space left on device")
            super().write(fd, data)

    disk = Full()
    journal = Journal(str(tmp_path), disk)
    capture = Capture(journal)
    os.write(capture.fds[0], b"one\ntwo")
    capture.pump(100.0)
    capture.pump(101.0)
    disk.full = False
    capture.pump(102.0)
    capture.finish_lines(103.0)

    assert of(tmp_path, "stdout") == b"one\ntwo"
    capture.close()
    journal.close()


def test_moved_bytes_give_their_disk_space_back(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), Disk())
    capture = Capture(journal)
    for _ in range(40):
        os.write(capture.fds[0], b"x" * 99_999 + b"\n")
        while capture.pump(0.0):
            pass
    raw = (tmp_path / "raw.o").stat()

    assert raw.st_size == 4_000_000
    assert raw.st_blocks * 512 < 2_500_000
    assert len(of(tmp_path, "stdout")) == 4_000_000
    capture.close()
    journal.close()
