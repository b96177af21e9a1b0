"""Nix's records on their way into a run's log: words for a person, a state at most 4 times a second, nothing lost."""

import json
import os
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_agent.config import load
from nixfleet_agent.events import Request
from nixfleet_agent.files import Disk
from nixfleet_agent.journal import Journal, load_result
from nixfleet_agent.nix.progress import Snapshot
from nixfleet_agent.nix.reader import NixLog
from nixfleet_agent.runner import settle
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.nixlog import NixOutput, recover
from nixfleet_agent.tail import records
from nixfleet_protocol.decode import read
from nixfleet_protocol.messages import Options, ProgressState

DATA = Path(__file__).parent / "nix/data"
RUN = uuid.uuid4().hex


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Output:
    """A NixOutput over a directory, and what it has told."""

    def __init__(self, directory: Path, before: bytes = b"") -> None:
        self.errors = directory / "raw.e"
        self.errors.write_bytes(before)
        self.out = os.open(self.errors, os.O_WRONLY | os.O_APPEND)
        self.told: list[Snapshot] = []
        self.clock = Clock()
        self.nix = NixOutput(str(directory), self.out, self.told.append, self.clock)

    def write(self, data: bytes) -> None:
        os.write(self.nix.fd, data)
        while self.nix.pump():
            pass


def words(data: bytes) -> bytes:
    log = NixLog()
    return b"".join(line + b"\n" for line in log.feed(data) + log.end())


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.log")))
def test_a_recording_reads_as_nix_would_have_written_it(tmp_path: Path, name: str) -> None:
    data = (DATA / name).read_bytes()
    output = Output(tmp_path, b"before\n")
    output.write(data)
    output.nix.drain()
    last = output.nix.finish()

    assert output.errors.read_bytes() == b"before\n" + words(data)
    assert output.told[-1] == last
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw.e"]


def test_the_state_is_told_four_times_a_second_at_most(tmp_path: Path) -> None:
    output = Output(tmp_path)
    lines = (DATA / "build-10-ok.log").read_bytes().splitlines(keepends=True)
    began = output.clock.now
    for line in lines:
        output.write(line)
        output.clock.now += 0.01
    spent = output.clock.now - began
    output.nix.drain()
    output.nix.finish()

    assert 3 <= len(output.told) <= spent * 4 + 2
    assert output.told[-1].builds.done == 10


@given(cut=st.floats(0, 1), moved=st.floats(0, 1), before=st.binary(max_size=40))
def test_what_a_dead_runner_left_untranslated_is_added_once(
    tmp_path_factory: pytest.TempPathFactory, cut: float, moved: float, before: bytes
) -> None:
    directory = tmp_path_factory.mktemp("run")
    data = (DATA / "build-fail.log").read_bytes()
    output = Output(directory, before)
    output.write(data[: int(len(data) * cut)])
    os.write(output.nix.fd, data[int(len(data) * cut) :])  # written, and nobody reads it any more
    with output.errors.open(
        "r+b"
    ) as file:  # what is in the journal was given back to the disk: it reads as zeros
        size = int(output.errors.stat().st_size * moved)
        file.write(b"\0" * size)
    have = output.errors.read_bytes()
    recover(str(directory))

    added = output.errors.read_bytes()
    assert added[: len(have)] == have
    assert added[max(size, len(before)) :] == (before + words(data))[max(size, len(before)) :]
    recover(str(directory))
    assert output.errors.read_bytes() == added
    for fd in (output.out, output.nix.fd):
        os.close(fd)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_a_full_disk_never_took_is_counted(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    nix = NixOutput(str(tmp_path), full, lambda snapshot: None, lambda: 0.0)
    data = (DATA / "build-fail.log").read_bytes()
    os.write(nix.fd, data)
    waits: list[float] = []
    nix.drain(tries=3, sleep=waits.append)

    assert nix.finish().failures  # what happened is known all the same
    assert (nix.lost, len(waits)) == (len(words(data)), 3)
    os.close(full)


def test_another_s_words_are_left_alone(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.write((DATA / "build-fail.log").read_bytes()[:2000])
    os.write(output.out, b"a stranger wrote here\n" * 100)
    have = output.errors.read_bytes()
    recover(str(tmp_path))
    assert output.errors.read_bytes() == have


def context_of(tmp_path: Path) -> Context:
    state = tmp_path / "state"
    (state / "runs" / RUN).mkdir(parents=True)
    config = load({"NIXFLEET_HOSTNAME": "h", "NIXFLEET_STATE_DIR": str(state)}, connects=False)
    journal = Journal(str(state / "runs" / RUN), Disk())
    return Context(config, Request(RUN, "switch", Options()), journal, env={"PATH": os.environ["PATH"]})


def test_progress_and_failures_of_a_program_that_speaks_so(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    context.plan(5)
    with context.step("build"):
        ran, snapshot = context.nix(["sh", "-c", f"cat {DATA}/build-fail.log >&2; exit 1"], str(tmp_path))
    context.close()
    state = read(ProgressState, json.loads((tmp_path / "state/runs" / RUN / "progress.json").read_text()))

    assert (state.phase, state.current, state.total) == ("build", 0, 5)
    assert state.nix
    assert (state.nix.built, state.nix.to_build, state.nix.failed) == (0, 2, 1)
    assert ran.exit_code == 1
    assert snapshot.failures
    assert context.report.outcome
    assert context.report.outcome.failures[0].name == snapshot.failures[0].name
    journal = b"".join(record.raw() for record, _ in records(str(tmp_path / "state/runs" / RUN)))
    assert journal == words((DATA / "build-fail.log").read_bytes())


def test_a_runner_killed_in_a_build_loses_no_word(tmp_path: Path) -> None:
    """As if it died after Nix had written all and it had read a part."""
    context = context_of(tmp_path)
    run = tmp_path / "state/runs" / RUN
    data = (DATA / "build-10-ok.log").read_bytes()
    nix = NixOutput(str(run), context._capture.fds[1], lambda snapshot: None, lambda: 0.0)
    os.write(nix.fd, data[:5000])
    nix.pump()
    context._capture.pump(0.0)
    os.write(nix.fd, data[5000:])
    with context.step("build"):
        pass
    (run / "request.json").write_text('{"command": "switch"}')

    assert settle.main(context.config, RUN, 0) == 0
    journal = b"".join(record.raw() for record, _ in records(str(run)))
    context.close()
    assert journal == words(data)
    result = load_result(str(run))
    assert result
    assert result.outcome
    assert [(step.name, step.outcome) for step in result.outcome.steps] == [("build", "ok")]
