"""The journal of a run: STATE_DIR/runs/RUN_ID/, the agent's truth about it.

    lock           flock held by the living runner
    request.json   what was asked
    runner.json    {pid, boot_id, started}: whose run it is
    raw.o, raw.e   what the programs write, as they write it; consumed into `output`
    output         the log, in records (nixfleet_protocol.record); append-only
    reserve        64 KiB kept free, so that a full disk has room for the result
    shield         there while the runner does what only a stop by force may end
    raw.n          what Nix writes, in its own format, while it runs; translated into `raw.e`
    progress.json  how far it is; may be lost
    outcome.json   its steps so far, for when the runner dies; may be lost
    reboot.json    a reboot was asked for, in which boot
    result.json    the final `status`; written last and atomically

`mkdir RUN_ID` is the claim: it succeeds once, so a run starts at most once. Each file is durable before it is
believed: the request before anything starts, the output before the result, all of it before the server's last ack.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from nixfleet_agent.__about__ import __version__
from nixfleet_agent.events import Request
from nixfleet_agent.files import SHARED, Disk, read_json
from nixfleet_protocol import limits
from nixfleet_protocol.decode import read
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import Options, Status
from nixfleet_protocol.record import Record

SHIELD = "shield"
RESERVE = 64 * limits.KIB
SYNC_EVERY = 1.0
"""Seconds between two fdatasync calls while output comes."""


class Piece(NamedTuple):
    """Output that has no number yet. `data` holds no LF; `partial` as in Record."""

    stream: str
    data: bytes
    partial: bool = False


def runs_dir(state_dir: str) -> str:
    return os.path.join(state_dir, "runs")


def directory(state_dir: str, run_id: str) -> str:
    return os.path.join(state_dir, "runs", run_id)


def claim(state_dir: str, request: Request, disk: Disk, before: Callable[[str], None] | None = None) -> str:
    """Make the run's directory and its request durable; return the directory.

    `before` is called with the new directory before the request is written: there the runner takes its lock.
    Raises FileExistsError when the run was claimed before, OSError when the disk refuses.
    """
    path = directory(state_dir, request.run_id)
    disk.mkdir(path)
    try:
        if before:
            before(path)
        _store_request(path, request, disk)
    except OSError:  # nothing has started: the claim is given back, rather than left without a request
        with contextlib.suppress(OSError):
            for name in os.listdir(path):
                os.unlink(os.path.join(path, name))
            os.rmdir(path)
        raise
    return path


def _store_request(path: str, request: Request, disk: Disk) -> None:
    body = {
        "run_id": request.run_id,
        "command": request.command,
        "options": to_dict(request.options),
        "version": request.version or __version__,
        "at": time.time_ns() // 1_000_000,
    }
    file = os.path.join(path, "request.json")
    disk.create(file, json.dumps(body).encode())
    disk.sync(file)
    disk.sync(path)
    disk.sync(os.path.dirname(path))


def load_request(path: str) -> Request:
    """The request of a claimed run. One whose claim was cut short before anything started reads as `unknown`."""
    body = read_json(os.path.join(path, "request.json")) or {}
    try:
        options = read(Options, body.get("options", {}))
    except ValueError:
        options = Options()
    run_id = os.path.basename(path)
    return Request(run_id, str(body.get("command", "unknown")), options, str(body.get("version", "")))


def load_result(path: str) -> Status | None:
    """The final status of a run, or None while it has none."""
    body = read_json(os.path.join(path, "result.json"))
    if body is None:
        return None
    try:
        status: Status = read(Status, body)
    except ValueError:
        return None
    return status


def write_result(path: str, status: Status, disk: Disk) -> None:
    """Store a final status. Whatever `output` holds must be durable by now."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(path, "reserve"))
    disk.replace(os.path.join(path, "result.json"), json.dumps(to_dict(status)).encode())


class Journal:
    """The output file of a claimed run, for its one writer."""

    def __init__(
        self,
        path: str,
        disk: Disk,
        *,
        log_max: int = limits.LOG_MAX_DEFAULT,
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        last_seq: int = 0,
        kept: int = 0,
    ) -> None:
        """`last_seq` and `kept` (bytes of output so far) continue an existing file."""
        self.path = path
        self.last_seq = last_seq
        self.dropped = 0
        """Bytes of output not kept because of `log_max`."""
        self.refused: str | None = None
        """Why the disk last refused output."""
        self.lost = 0
        """Bytes of output that it never took."""
        self._disk = disk
        self._log_max = log_max
        self._wall = wall
        self._kept = kept
        self._file = os.path.join(path, "output")
        self._fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, SHARED)
        self._size = os.fstat(self._fd).st_size
        self._unsynced = False
        self._synced_at = 0.0
        self._marked = False
        if not last_seq:
            disk.sync(path)  # the name of `output` itself
            self._hold_reserve()

    def append(self, pieces: list[Piece]) -> None:
        """Number the pieces and write them. All or nothing: on OSError none was written."""
        seq, kept, dropped = self.last_seq, self._kept, self.dropped
        at = self._wall()
        lines = []
        for piece in pieces:
            if piece.stream != "note":
                size = len(piece.data) + (not piece.partial)
                if dropped or kept + size > self._log_max:
                    dropped += size
                    continue
                kept += size
            seq += 1
            lines.append(Record(seq, at, *piece).encode())
        if lines:
            self._write(b"".join(lines))
        self.last_seq, self._kept, self.dropped = seq, kept, dropped

    def note(self, text: str) -> None:
        """A word of NixFleet's own between the program's lines. May be lost on a full disk."""
        lines = text.encode(errors="replace").split(b"\n")
        with contextlib.suppress(OSError):
            self.append([Piece("note", line[: limits.LINE_MAX - 3]) for line in lines])

    def sync(self, now: float | None = None) -> None:
        """Make the output durable. With `now` (monotonic seconds) at most every SYNC_EVERY. Raises OSError."""
        if not self._unsynced or (now is not None and now - self._synced_at < SYNC_EVERY):
            return
        self._disk.datasync(self._fd, self._file)
        self._unsynced = False
        self._synced_at = now if now is not None else self._synced_at

    def finish(self, status: Status) -> None:
        """End the run: the marker of what was dropped, the output durable, then the result. Raises OSError; then again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.path, "reserve"))
        if not self._marked:
            before = self.last_seq
            self._mark()
            self._marked = self.last_seq > before
        self._disk.datasync(self._fd, self._file)
        self._unsynced = False
        body = to_dict(status) | {"last_seq": self.last_seq}
        write_result(self.path, read(Status, json.loads(json.dumps(body))), self._disk)

    def close(self) -> None:
        os.close(self._fd)

    def _mark(self) -> None:
        """Say at the end what is missing."""
        if self.dropped:
            self.note(
                f"[{self.dropped} bytes of output were not kept: the limit is {self._log_max} bytes a run]"
            )
        if self.refused:
            self.note(
                f"[the disk refused output: {self.refused}; {self.lost} bytes of it were not kept, and what the programs "
                "could not write themselves is missing too]"
            )

    def _write(self, data: bytes) -> None:
        try:
            self._disk.write(self._fd, data)
        except OSError as error:
            self.refused = error.strerror or str(error)
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)  # no half record may stay before the next one
            raise
        self._size += len(data)
        self._unsynced = True

    def _hold_reserve(self) -> None:
        with contextlib.suppress(OSError):
            self._disk.create(os.path.join(self.path, "reserve"), b"\0" * RESERVE)


def describe(body: dict[str, Any]) -> str:
    """`switch (run 5f0c…)`, from a lock's description."""
    return f"{body.get('command', 'a command')} (run {body.get('run_id', 'unknown')})"
