"""Counting as Nix's own bar counts, where that is right, and better where it is not."""

import json
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_agent.nix.internal_json import decode
from nixfleet_agent.nix.progress import FAILURES_MAX, TAIL_LINES, Progress, cause
from nixfleet_agent.nix.tally import Tally

KINDS = (100, 101, 103, 104)


def take(progress: Progress, **content: Any) -> None:
    record = decode(b"@nix " + json.dumps(content).encode())
    assert record is not None
    progress.add(record)


def started(*kinds: int, pid: int = 1) -> Progress:
    """Activities with ids 1, 2, … of these types."""
    progress = Progress()
    for number, kind in enumerate(kinds, 1):
        take(progress, action="start", id=(pid << 32) + number, type=kind)
    return progress


def tell(progress: Progress, number: int, *fields: int, pid: int = 1) -> None:
    take(progress, action="result", id=(pid << 32) + number, type=105, fields=fields)


class NixBar:
    """The rules of Nix's progress bar, straight: the reference to compare with."""

    def __init__(self) -> None:
        self.live: dict[int, dict[str, Any]] = {}
        self.kinds: dict[int, dict[str, int]] = defaultdict(lambda: {"done": 0, "failed": 0, "expected": 0})

    def take(self, action: str, identity: int, kind: int, numbers: tuple[int, int, int, int]) -> None:
        activity = self.live.get(identity)
        if action == "start" and activity is None:
            self.live[identity] = {"type": kind, "now": (0, 0, 0, 0), "wants": defaultdict(int)}
        elif action == "progress" and activity:
            activity["now"] = numbers
        elif action == "expect" and activity:
            self.kinds[kind]["expected"] += numbers[0] - activity["wants"][kind]
            activity["wants"][kind] = numbers[0]
        elif action == "stop" and activity:
            del self.live[identity]
            self.kinds[activity["type"]]["done"] += activity["now"][0]
            self.kinds[activity["type"]]["failed"] += activity["now"][3]
            for wanted, number in activity["wants"].items():
                self.kinds[wanted]["expected"] -= number

    def tally(self, kind: int) -> Tally:
        live = [activity["now"] for activity in self.live.values() if activity["type"] == kind]
        total = self.kinds[kind]
        return Tally(
            total["done"] + sum(now[0] for now in live),
            max(total["done"] + sum(now[1] for now in live), total["expected"]),
            sum(now[2] for now in live),
            total["failed"] + sum(now[3] for now in live),
        )


STEPS = st.tuples(
    st.sampled_from(["start", "progress", "progress", "expect", "stop"]),
    st.integers(1, 6),
    st.sampled_from(KINDS),
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 3), st.integers(0, 1)),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_it_counts_as_nix_does(steps: list[tuple[str, int, int, tuple[int, int, int, int]]]) -> None:
    bar, progress, failed = NixBar(), Progress(), False
    for action, identity, kind, numbers in steps:
        if action == "start" and identity in bar.live:
            continue
        bar.take(action, identity, kind, numbers)
        content: dict[str, Any] = {"action": action, "id": identity, "type": kind}
        if action == "progress":
            content |= {"action": "result", "type": 105, "fields": numbers}
        elif action == "expect":
            content |= {"action": "result", "type": 106, "fields": [kind, numbers[0]]}
        take(progress, **content)
        told = progress.snapshot()
        failed |= action == "progress" and numbers[3] > 0
        for kind, tally in zip(
            KINDS, (told.unpacked, told.downloaded, told.copies, told.builds), strict=True
        ):
            expected = bar.tally(kind)
            assert (tally.done, tally.running, tally.failed) == (
                expected.done,
                expected.running,
                expected.failed,
            )
            assert tally.expected == expected.expected or (failed and tally.expected > expected.expected)


def test_it_plans_until_something_runs() -> None:
    progress = started(102, 104, 103)
    for expected in (1, 60, 129, 20):
        tell(progress, 2, 0, expected, 0, 0)
        assert progress.snapshot().planning
        assert progress.snapshot().builds.expected == expected  # no high-water mark: 129 is wrong
    tell(progress, 2, 0, 20, 1, 0)
    assert not progress.snapshot().planning
    assert progress.snapshot().builds == Tally(0, 20, 1, 0)
    tell(progress, 2, 1, 20, 0, 0)
    assert not progress.snapshot().planning


def test_nothing_to_do_ends_the_planning_too() -> None:
    progress = started(102, 104, 103)
    for number in (3, 2, 1):
        take(progress, action="stop", id=(1 << 32) + number)
    assert not progress.snapshot().planning


def test_a_second_evaluation_after_a_build_is_no_planning() -> None:
    progress = started(102, 104)
    tell(progress, 2, 1, 1, 1, 0)
    take(progress, action="stop", id=(1 << 32) + 2)
    take(progress, action="stop", id=(1 << 32) + 1)
    take(progress, action="start", id=2 << 32, type=0)
    assert not progress.snapshot().planning
    take(progress, action="start", id=(2 << 32) + 1, type=102)
    assert progress.snapshot().planning


def test_a_failure_while_planning_does_not_keep_what_was_never_true() -> None:
    progress = started(102, 104, 103)
    tell(progress, 2, 0, 129, 0, 1)
    tell(progress, 2, 0, 20, 1, 1)
    tell(progress, 2, 0, 3, 0, 1)
    assert progress.snapshot().builds == Tally(0, 20, 0, 1)


def test_work_found_after_a_failure_still_counts() -> None:
    progress = started(102, 104, 103)
    tell(progress, 2, 0, 5, 1, 0)
    tell(progress, 2, 0, 0, 0, 1)
    tell(progress, 2, 0, 9, 1, 1)
    assert progress.snapshot().builds.expected == 9


def test_bytes_are_kept_when_realising_ends() -> None:
    progress = started(102, 100)
    take(progress, action="result", id=(1 << 32) + 1, type=106, fields=[100, 1000])
    tell(progress, 2, 900, 1000, 0, 0)
    take(progress, action="stop", id=(1 << 32) + 2)
    assert progress.snapshot().unpacked == Tally(900, 1000)
    take(progress, action="stop", id=(1 << 32) + 1)
    assert progress.snapshot().unpacked == Tally(900, 1000)


def test_a_second_realising_in_the_same_process_plans_anew() -> None:
    progress = started(102, 104)
    tell(progress, 2, 1, 1, 1, 0)
    take(progress, action="stop", id=(1 << 32) + 2)
    take(progress, action="stop", id=(1 << 32) + 1)
    take(progress, action="start", id=(1 << 32) + 3, type=102)
    assert progress.snapshot().planning


def test_a_copy_that_tells_no_numbers_was_planned_when_it_ends() -> None:
    progress = started(103)
    assert progress.snapshot().planning
    take(progress, action="stop", id=(1 << 32) + 1)
    assert not progress.snapshot().planning


def test_a_new_process_has_errors_of_its_own() -> None:
    progress = started(102)
    take(progress, action="msg", level=0, msg="error: one")
    take(progress, action="msg", level=0, msg="error: two")
    assert progress.snapshot().error == "one"
    take(progress, action="start", id=2 << 32, type=0)
    assert progress.snapshot().error == ""
    take(progress, action="msg", level=0, msg="error: three")
    assert progress.snapshot().error == "three"


def test_each_process_is_counted_on_its_own() -> None:
    progress = started(102, 104)
    tell(progress, 2, 0, 5, 1, 0)
    tell(progress, 2, 2, 0, 0, 1)
    for number, kind in enumerate((102, 104), 1):
        take(progress, action="start", id=(2 << 32) + number, type=kind)
    tell(progress, 2, 1, 3, 1, 0, pid=2)
    assert progress.snapshot().builds == Tally(3, 8, 1, 1)


def test_a_record_written_otherwise_replaces_one_that_was_not_decoded_yet() -> None:
    progress = started(100)
    assert progress.skip(b'@nix {"action":"result","fields":[1,9,0,0],"id":4294967297,"type":105}')
    tell(progress, 1, 2, 9)
    assert progress.snapshot().unpacked == Tally(2, 9)


def test_an_end_in_the_middle_leaves_nothing_running() -> None:
    progress = started(102, 104, 105)
    tell(progress, 2, 1, 5, 2, 0)
    progress.end()
    end = progress.snapshot()
    assert (end.builds, end.current, end.planning) == (Tally(1, 5), "", False)


def build(progress: Progress, number: int, name: str) -> str:
    drv = f"/nix/store/{'c' * 32}-{name}.drv"
    text = f"building '{drv}'"
    take(progress, action="start", id=(1 << 32) + number, type=105, text=text, fields=[drv, "", 1, 1])
    return drv


def test_the_build_last_heard_of_is_the_current_one() -> None:
    progress = started(102, 104)
    build(progress, 11, "one")
    build(progress, 12, "two")
    assert progress.snapshot().current == "two"
    take(progress, action="result", id=(1 << 32) + 11, type=104, fields=["checkPhase"])
    assert (progress.snapshot().current, progress.snapshot().phase) == ("one", "checkPhase")
    take(progress, action="stop", id=(1 << 32) + 11)
    assert (progress.snapshot().current, progress.snapshot().phase) == ("two", "")


def test_a_failure_told_after_the_build_ended_is_found() -> None:
    """In the words and the order of newer Nix."""
    progress = started(102, 104)
    drv = build(progress, 11, "late")
    take(progress, action="result", id=(1 << 32) + 11, type=101, fields=["\x1b[31mboom\x1b[0m"])
    take(progress, action="stop", id=(1 << 32) + 11)
    tell(progress, 2, 0, 1, 0, 1)
    words = f"\x1b[31;1merror:\x1b[0m Cannot build '\x1b[35;1m{drv}\x1b[0m'.\n       Reason: builder failed."
    take(progress, action="msg", level=0, msg=words)
    (failure,) = progress.snapshot().failures
    assert (failure.name, failure.log) == ("late", ("boom",))
    assert failure.reason.startswith(f"Cannot build '{drv}'.")


def test_a_build_that_succeeded_is_not_blamed() -> None:
    progress = started(102, 104)
    drv = build(progress, 11, "fine")
    take(progress, action="stop", id=(1 << 32) + 11)
    take(progress, action="msg", level=0, msg=f"error: no output of '{drv}' is what you think")
    assert progress.snapshot().failures == ()
    assert progress.snapshot().error.startswith("no output of")


def test_what_is_kept_of_failures_is_bounded() -> None:
    progress = started(102, 104)
    for number in range(11, 61):
        drv = build(progress, number, f"f{number}")
        for line in range(100):
            take(progress, action="result", id=(1 << 32) + number, type=101, fields=[f"{line} " + "x" * 5000])
        tell(progress, 2, 0, 50, 0, number - 10)
        take(progress, action="msg", level=0, msg=f"error: builder for '{drv}' failed")
        take(progress, action="stop", id=(1 << 32) + number)
    told = progress.snapshot()
    assert (told.builds.failed, len(told.failures)) == (50, FAILURES_MAX)
    assert [line.split()[0] for line in told.failures[0].log] == [
        str(n) for n in range(100 - TAIL_LINES, 100)
    ]
    assert max(len(line) for line in told.failures[0].log) <= 512


def test_an_error_that_nix_ignored_is_no_cause() -> None:
    progress = started(102)
    take(progress, action="msg", level=0, msg="error (ignored): cannot kill the builder")
    assert progress.snapshot().error == ""


def test_the_cause_is_what_follows_the_trace() -> None:
    assert (
        cause("error:\n  … while\n\n  error: no such option\n  did you mean x?")
        == "no such option\n  did you mean x?"
    )
    assert cause("something odd") == "something odd"
    assert cause("error:") == "error:"


def test_unknown_types_are_fine() -> None:
    progress = started(113, 999, 104)
    take(progress, action="result", id=(1 << 32) + 1, type=109, fields=["/nix/store/x"])
    take(progress, action="result", id=(1 << 32) + 3, type=777, fields=[[1], None])
    take(progress, action="result", id=(1 << 32) + 3, type=106, fields=[113, 5])
    tell(progress, 3, 1, 2, 1, 0)
    assert progress.snapshot().builds == Tally(1, 2, 1, 0)


def test_no_number_is_below_nothing_or_above_what_json_readers_hold() -> None:
    progress = started(103, 104)
    tell(progress, 1, -5, -1, -2, -3)
    tell(progress, 2, 2**70, 2**70, 2**53, 2**53)
    told = progress.snapshot()
    assert told.copies == Tally()
    assert told.builds == Tally(2**53 - 1, 2**53 - 1, 2**53 - 1, 2**53 - 1)
