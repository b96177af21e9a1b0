"""What real Nix wrote, and what a person is told about it."""

import json
from pathlib import Path

import pytest

from nixfleet_agent.nix.progress import Snapshot
from nixfleet_agent.nix.reader import NixLog
from nixfleet_agent.nix.tally import Tally
from nixfleet_agent.platforms.describe import build_failure
from nixfleet_agent.runner.ends import Ran

DATA = Path(__file__).parent / "data"
NONE = Tally()
ENDS = {
    "build-10-ok.log": (Tally(10, 10), NONE, NONE, NONE),
    "build-fail.log": (Tally(0, 2, 0, 1), NONE, NONE, NONE),
    "eval-fail.log": (NONE, NONE, NONE, NONE),
    "substitute.log": (NONE, Tally(4, 4), Tally(1416, 1416), Tally(98304, 104648)),
    "build-2.8.log": (Tally(6, 9, 0, 1), NONE, NONE, NONE),
    "substitute-2.8.log": (NONE, Tally(1, 1), Tally(0, 128), Tally(0, 120)),
    "copy-2.8.log": (NONE, NONE, NONE, NONE),
    "build-2.34.log": (Tally(7, 7), NONE, NONE, NONE),
    "fail-2.34.log": (Tally(1, 3, 0, 1), NONE, NONE, NONE),
    "substitute-2.34.log": (NONE, Tally(1, 1), Tally(0, 128), Tally(120, 120)),
}


def read(name: str) -> tuple[list[str], Snapshot]:
    log = NixLog()
    lines = log.feed((DATA / name).read_bytes()) + log.end()
    return [line.decode() for line in lines], log.snapshot()


def story(name: str) -> list[Snapshot]:
    """The snapshot after each line, without repetitions."""
    log = NixLog()
    told = [log.snapshot()]
    for line in (DATA / name).read_bytes().splitlines(keepends=True):
        log.feed(line)
        if (snapshot := log.snapshot()) != told[-1]:
            told.append(snapshot)
    return told


def test_every_recording_is_tested() -> None:
    assert {path.name for path in DATA.glob("*.log")} == set(ENDS)


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_with_what_happened(name: str) -> None:
    _, end = read(name)
    assert (end.builds, end.copies, end.downloaded, end.unpacked) == ENDS[name]
    assert not end.planning
    assert (end.current, end.phase) == ("", "")


@pytest.mark.parametrize("name", ENDS)
def test_no_record_is_left_in_what_a_person_reads(name: str) -> None:
    lines, _ = read(name)
    assert not [line for line in lines if line.startswith(("@nix", "{"))]


@pytest.mark.parametrize("name", ENDS)
def test_the_json_log_path_form_says_the_same(name: str) -> None:
    recorded = (DATA / name).read_bytes().splitlines(keepends=True)
    log = NixLog(prefix=b"")
    log.feed(b"".join(line.removeprefix(b"@nix ") for line in recorded if line.startswith(b"@nix ")))
    log.end()
    assert log.snapshot() == read(name)[1]


def test_a_build_reads_as_nix_would_have_printed_it() -> None:
    lines, _ = read("build-10-ok.log")
    assert lines[0] == "these 10 derivations will be built:"
    assert lines[1] == "  /nix/store/mrg9d4hdyf30fq5x77yv1yq4vcsck140-step-1.drv"
    assert "building '/nix/store/s9k8592fwn72mra5d5gx07h1a9b7hhyw-step-2.drv'..." in lines
    assert "step-2> step 2 stderr 1" in lines
    assert "step-1> \x1b[31mcolour\x1b[0m" in lines  # colours are kept, the log is shown with them
    assert not [line for line in lines if "evaluating file" in line]  # more than a person asked for


def test_more_can_be_asked_for() -> None:
    log = NixLog(level=4)
    lines = log.feed((DATA / "build-10-ok.log").read_bytes())
    assert lines[0].startswith(b"evaluating file ")


def test_lines_of_others_and_phases_are_between_those_of_nix() -> None:
    lines, _ = read("build-2.8.log")
    assert lines[0] == "building the system configuration..."
    at = lines.index("building it again, with what fails")
    assert lines[at - 3 : at] == [
        "step-4> Running phase: buildPhase",
        "step-4> step 4 line 1",
        "step-4> step 4 line 2",
    ]
    assert lines[at + 1] == "these 5 derivations will be built:"


@pytest.mark.parametrize(("name", "failed"), [("build-fail.log", "bad-1"), ("build-2.8.log", "broken")])
def test_the_failed_derivation_is_told_with_its_last_lines(name: str, failed: str) -> None:
    _, end = read(name)
    (failure,) = end.failures  # not those that only needed it
    assert failure.name == failed
    assert failure.derivation.endswith(f"-{failed}.drv")
    assert failure.reason == f"builder for '{failure.derivation}' failed with exit code 3"
    assert failure.log == ("compiling", "error: undefined reference to foo")
    assert end.error == failure.reason


def test_an_evaluation_error_is_the_cause_without_its_trace() -> None:
    lines, end = read("eval-fail.log")
    assert end.error == "option services.foo does not exist"
    assert any("while calling the" in line for line in lines)  # the trace is in the log


def test_the_whole_is_known_before_anything_runs_and_stays() -> None:
    told = story("build-10-ok.log")
    assert told[0] == Snapshot()
    known = [snapshot for snapshot in told if not snapshot.planning]
    expected = list(dict.fromkeys(snapshot.builds.expected for snapshot in known))
    assert expected == [9, 10]  # Nix finds the tenth when the first already builds
    assert [snapshot.builds.done for snapshot in known] == sorted(snapshot.builds.done for snapshot in known)
    assert all(
        snapshot.planning for snapshot in told if not snapshot.builds.running and not snapshot.builds.done
    )


def test_the_current_build_and_its_phase_are_named() -> None:
    told = story("build-2.8.log")
    current = list(dict.fromkeys((snapshot.current, snapshot.phase) for snapshot in told if snapshot.current))
    assert current[:4] == [("step-1", ""), ("step-1", "buildPhase"), ("step-2", ""), ("step-2", "buildPhase")]


def test_expected_builds_do_not_collapse_after_a_failure() -> None:
    for name, expected in [("build-fail.log", 2), ("build-2.8.log", 9)]:
        after = [snapshot for snapshot in story(name) if snapshot.builds.failed]
        assert {snapshot.builds.expected for snapshot in after} == {expected}


def test_the_second_nix_of_a_run_plans_anew() -> None:
    told = story("build-2.8.log")
    flags = [snapshot.planning for snapshot in told]
    changes = [flag for flag, before in zip(flags, [None, *flags], strict=False) if flag != before]
    assert changes == [True, False, True, False]


def test_bytes_stay_after_the_end() -> None:
    told = story("substitute.log")
    assert max(snapshot.unpacked.expected for snapshot in told) == told[-1].unpacked.expected == 104648
    assert [s.downloaded.done for s in told] == sorted(s.downloaded.done for s in told)
    assert {s.current for s in told} >= {"hello-2.12.1", "linux-6.12.41", "system-path"}


def test_two_nix_at_once_are_summed() -> None:
    """Their lines may interleave; each process is counted on its own."""
    one, other = (
        (DATA / name).read_bytes().splitlines(keepends=True) for name in ("build-10-ok.log", "substitute.log")
    )
    log = NixLog()
    while one or other:
        log.feed(b"".join(one[:3] + other[:2]))
        del one[:3], other[:2]
    end = log.snapshot()
    assert (end.builds, end.copies, end.unpacked) == (Tally(10, 10), Tally(4, 4), Tally(98304, 104648))


def test_ids_are_not_told() -> None:
    ids = {json.loads(line[5:]).get("id") for line in (DATA / "build-fail.log").read_bytes().splitlines()} - {
        None
    }
    assert ids
    for snapshot in story("build-fail.log"):
        assert not [identity for identity in ids if str(identity) in repr(snapshot)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("build-fail.log", "the build failed: bad-1: builder for "),
        ("fail-2.34.log", "the build failed: broken: builder failed with exit code 3."),
    ],
)
def test_a_failure_is_told_in_one_line(name: str, said: str) -> None:
    _, end = read(name)
    told = build_failure(end, Ran(1, b""))
    assert told.startswith(said)
    assert "\n" not in told
    assert end.failures[0].log
