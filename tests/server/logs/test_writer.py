"""Acknowledged means durable: in this order, together, and never after a failure."""

import errno
import os
import threading
import time
from pathlib import Path

import httpx
import pytest

from nixfleet_protocol.messages import Ack
from nixfleet_server.logs import writer as writer_module
from nixfleet_server.logs.files import Files
from nixfleet_server.logs.writer import LogWriter
from tests.server.support import FakeAgent, serving, start, until


class Watched(Files):
    """Real files; every call is noted, syncs take `delay` seconds, and `broken` makes them fail."""

    def __init__(self, delay: float = 0.0) -> None:
        self.calls: list[str] = []
        self.delay = delay
        self.broken: OSError | None = None
        self.full: dict[str, int] = {}
        """Calls that fail for now, with what error."""

    def _check(self, name: str) -> None:
        number = self.full.get(name)
        if number is not None:
            raise OSError(number, os.strerror(number))

    def open(self, path: Path) -> int:
        self._check("open")
        return super().open(path)

    def write(self, fd: int, data: bytes) -> None:
        if "write" in self.full:
            super().write(fd, data[: len(data) // 2])  # as much as there was room for
        self._check("write")
        self.calls.append("write")
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        time.sleep(self.delay)
        if self.broken:
            raise self.broken
        super().sync(fd)
        self.calls.append("sync")

    def sync_directory(self, path: Path) -> None:
        self._check("sync directory")
        super().sync_directory(path)
        self.calls.append("sync directory")


def test_the_file_and_its_directory_are_synced_before_the_first_acknowledgement(tmp_path: Path) -> None:
    files = Watched()
    done = threading.Event()

    def durable(pairs: list[tuple[str, int]]) -> None:
        files.calls.append(f"durable {pairs}")
        done.set()

    writer = LogWriter(tmp_path, durable, pytest.fail, files)
    writer.append("a", b"1 0 o x\n", 1)
    assert done.wait(20)
    done.clear()
    writer.append("a", b"2 0 o y\n", 2)
    assert done.wait(20)
    writer.stop()
    assert files.calls == [
        *("write", "sync", "sync directory", "durable [('a', 1)]"),
        *("write", "sync", "durable [('a', 2)]"),
    ]


def test_lines_share_syncs_which_come_at_most_every_50_ms(tmp_path: Path) -> None:
    files = Watched()
    writer = LogWriter(
        tmp_path, lambda pairs: files.calls.append(f"durable {pairs[-1][1]}"), pytest.fail, files
    )
    began = time.monotonic()
    for seq in range(1, 101):
        writer.append("a", b"x\n", seq)
        time.sleep(0.002)
    writer.stop()
    took = time.monotonic() - began
    assert files.calls.count("sync") <= took / 0.05 + 2
    assert files.calls[-1] == "durable 100"
    assert (tmp_path / "a.log").read_bytes() == b"x\n" * 100


def test_a_queue_that_never_empties_does_not_put_off_acknowledgements(tmp_path: Path) -> None:
    seen: list[int] = []
    writer = LogWriter(tmp_path, lambda pairs: seen.append(pairs[-1][1]), pytest.fail, Files())
    deadline = time.monotonic() + 20
    seq = 0
    while len(seen) < 3 and time.monotonic() < deadline:
        seq += 1
        writer.append("a", b"x\n", seq)
    writer.stop()
    assert len(seen) >= 3


def test_after_a_failed_sync_nothing_is_acknowledged_or_tried_again(tmp_path: Path) -> None:
    files = Watched()
    files.broken = OSError(errno.EIO, "Input/output error")
    reasons: list[str] = []
    seen: list[object] = []
    writer = LogWriter(tmp_path, seen.append, reasons.append, files)
    writer.append("a", b"1 0 o x\n", 1)
    until(lambda: reasons, "the failure is reported")
    files.broken = None
    writer.append("a", b"2 0 o y\n", 2)
    writer.close("a")
    writer.stop()
    assert (seen, len(reasons), files.calls) == ([], 1, ["write"])


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("open", errno.EMFILE),
        ("open", errno.ENFILE),
        ("write", errno.ENOSPC),
        ("write", errno.EDQUOT),
        ("sync directory", errno.EMFILE),
    ],
)
def test_when_there_is_room_again_everything_is_written_in_order(
    tmp_path: Path, call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "RETRY_EVERY", 0.02)
    files = Watched()
    files.full = {call: number}
    words: list[str | None] = []
    seen: list[tuple[str, int]] = []
    writer = LogWriter(tmp_path, seen.extend, words.append, files, lambda: words.append(None))
    writer.append("a", b"1 0 o one\n2 0 o two\n", 2)
    until(lambda: words, "the failure is reported")
    writer.append("b", b"1 0 o x\n", 1)
    writer.append("a", b"3 0 o three\n", 3)
    time.sleep(0.1)
    assert (len(words), seen) == (1, [])
    files.full = {}
    until(lambda: ("a", 3) in seen and ("b", 1) in seen, "acknowledged")
    writer.stop()
    assert (len(words), words[-1]) == (2, None)
    assert (tmp_path / "a.log").read_bytes() == b"1 0 o one\n2 0 o two\n3 0 o three\n"
    assert (tmp_path / "b.log").read_bytes() == b"1 0 o x\n"


def test_a_writer_without_room_can_be_stopped(tmp_path: Path) -> None:
    files = Watched()
    words: list[str] = []
    seen: list[object] = []
    writer = LogWriter(tmp_path, seen.append, words.append, files)
    writer.append("a", b"1 0 o one\n", 1)
    until(lambda: seen, "the first is durable")
    files.full = {"write": errno.ENOSPC}
    writer.append("a", b"2 0 o two\n", 2)
    until(lambda: words, "the failure is reported")
    writer.append("a", b"3 0 o three\n", 3)
    stopping = threading.Thread(target=writer.stop, daemon=True)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()
    assert (tmp_path / "a.log").read_bytes() == b"1 0 o one\n"
    assert seen == [[("a", 1)]]


def test_a_disk_that_was_full_turns_ready_again_and_the_run_ends(tmp_path: Path) -> None:
    files = Watched()
    with (
        serving(tmp_path / "data", files=files) as server,
        server.client(server.token()) as api,
        FakeAgent(server, server.host()) as agent,
    ):
        agent.register()
        start(api)
        run = agent.take()
        files.full = {"write": errno.ENOSPC}
        agent.output(run, 1, 3)
        agent.end(run, 3)
        until(lambda: api.get("/readyz").status_code == 503, "readiness is red")
        assert not [message for message in agent.quiet() if isinstance(message, Ack)]
        files.full = {}
        agent.expect(Ack, lambda ack: ack.ended)
        assert api.get("/readyz").status_code == 200
        assert api.get(f"/api/v1/runs/{run.run_id}").json()["lines"] == 3


def test_acknowledgements_wait_for_a_slow_disk(tmp_path: Path) -> None:
    files = Watched(delay=0.02)
    with (
        serving(tmp_path / "data", files=files) as server,
        server.client(server.token()) as api,
        FakeAgent(server, server.host()) as agent,
    ):
        agent.register()
        start(api)
        run = agent.take()
        for seq in range(1, 301):
            agent.output(run, seq, seq)
        seen = 0
        while seen < 300:
            seen = agent.expect(Ack).seq
            synced = (server.data / "logs" / f"{run.run_id}.log").read_bytes().count(b"\n")
            assert synced >= seen
        agent.end(run, 300)
        agent.expect(Ack, lambda ack: ack.ended)
    assert files.calls.count("sync") < 300


def test_a_full_disk_turns_readiness_red_and_keeps_the_agent(tmp_path: Path) -> None:
    files = Watched()
    with (
        serving(tmp_path / "data", files=files) as server,
        server.client(server.token()) as api,
        FakeAgent(server, server.host()) as agent,
    ):
        agent.register()
        start(api)
        run = agent.take()
        files.broken = OSError(errno.ENOSPC, "No space left on device")
        agent.output(run, 1, 3)
        agent.end(run, 3)
        answer = until(lambda: (a := api.get("/readyz")).status_code == 503 and a, "readiness is red")
        assert isinstance(answer, httpx.Response)
        assert answer.json()["reasons"] == ["logs"]
        assert not [message for message in agent.quiet() if isinstance(message, Ack)]
        assert api.get(f"/api/v1/runs/{run.run_id}").json()["state"] != "ended"
        assert api.get("/api/v1/hosts/web1").json()["connected"] is True
