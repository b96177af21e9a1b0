"""Nothing that comes in can break it, and how it comes in doesn't matter."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nixfleet_agent.nix.lines import LineSplitter
from nixfleet_agent.nix.progress import Progress, Snapshot
from nixfleet_agent.nix.reader import NixLog
from nixfleet_agent.nix.tally import Tally
from nixfleet_protocol import limits
from tests.agent.nix.records import PID, Truth, records

NUMBERS = st.integers(0, 200) | st.integers() | st.sampled_from([2**53, 2**64, True, 1.5, None, "1"])
JSON = st.recursive(NUMBERS | st.text(), lambda inner: st.lists(inner, max_size=5), max_leaves=8)
IDS = st.sampled_from([1, 2, 3, PID << 32, (PID << 32) + 1, 2**63, -1]) | JSON
RECORDS = st.fixed_dictionaries(
    {"action": st.sampled_from(["start", "stop", "result", "result", "msg", "setPhase", "news"])},
    optional={
        "id": IDS,
        "type": st.integers(99, 114) | JSON,
        "level": st.integers(0, 7) | JSON,
        "text": st.text() | JSON,
        "msg": st.text() | JSON,
        "parent": JSON,
        "fields": st.lists(NUMBERS | st.integers(100, 105) | st.text(), max_size=5) | JSON,
    },
)
STARTS = st.fixed_dictionaries(
    {
        "action": st.just("start"),
        "id": st.integers(1, 3),
        "type": st.sampled_from([100, 101, 102, 103, 104, 105, 108]),
        "fields": st.lists(st.text(max_size=3), max_size=2),
    }
)
RESULTS = st.fixed_dictionaries(
    {
        "action": st.just("result"),
        "id": st.integers(1, 3),
        "type": st.sampled_from([105, 105, 106]),
        "fields": st.tuples(st.integers(100, 105) | NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    }
)
STOPS = st.fixed_dictionaries({"action": st.just("stop"), "id": st.integers(1, 3)})
# Both as Nix writes it, which has a short way through the parser, and as it might.
RECORD_LINES = st.builds(
    lambda record, separators: b"@nix " + json.dumps(record, separators=separators, sort_keys=True).encode(),
    RECORDS | STARTS | RESULTS | RESULTS | STOPS,
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
LINES = RECORD_LINES | st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: b"@nix {" + data)


def everything(data: bytes, cuts: list[int] | None = None) -> tuple[list[bytes], Snapshot]:
    log = NixLog()
    at, lines = 0, []
    for cut in sorted(cuts or []):
        lines += log.feed(data[at:cut])
        at = max(at, cut)
    lines += log.feed(data[at:]) + log.end()
    return lines, log.snapshot()


def numbers(value: Any) -> list[int]:
    if isinstance(value, Tally):
        return [value.done, value.expected, value.running, value.failed]
    return []


@settings(deadline=None)
@given(st.lists(LINES, max_size=40).map(b"\n".join))
@example(b"@nix " + b"[" * 100_000)
@example(b'@nix {"action":' + b"[" * 100_000)
@example(b'@nix {"action":"start","id":' + b"9" * 5000 + b"}")
@example(b'@nix {"action":"msg","level":0,"msg":"\\ud800 \\u001b[2J\\u0007 \\u009b31m"}')
def test_no_input_breaks_it(data: bytes) -> None:
    lines, snapshot = everything(data)
    for line in lines:
        assert b"\n" not in line
        assert len(line) <= limits.LINE_MAX
    for field in dataclasses.fields(snapshot):
        assert all(0 <= number <= limits.SEQ_MAX for number in numbers(getattr(snapshot, field.name)))
    texts = [snapshot.current, snapshot.phase, snapshot.error]
    for failure in snapshot.failures:
        texts += [failure.name, failure.derivation, failure.reason, *failure.log]
    for text in texts:
        text.encode()
        assert "\x1b" not in text
        assert len(text) <= 1024


@settings(deadline=None)
@given(st.lists(LINES, max_size=12).map(b"\n".join), st.data())
def test_it_does_not_matter_where_the_bytes_are_cut(data: bytes, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=20))
    assert everything(data, cuts) == everything(data)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=10), st.integers(1, 8))
def test_lines_come_out_the_same_however_they_are_cut(pieces: list[bytes], limit: int) -> None:
    whole, cut = LineSplitter(limit), LineSplitter(limit)
    data = b"".join(pieces)
    assert (
        whole.feed(data) + whole.end() == [line for piece in pieces for line in cut.feed(piece)] + cut.end()
    )


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60).filter(lambda line: not line.startswith(b"@nix {"))))
def test_lines_of_others_pass_through_as_they_are(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    assert b"".join(line + b"\n" for line in everything(data)[0]) == data


@pytest.mark.parametrize(
    "record", [b'@nix {"action":"start"', b"@nix {}", b'@nix {"action":7}', b'@nix {"a":"\xff"}']
)
def test_what_is_no_record_is_shown(record: bytes) -> None:
    assert everything(record)[0] == [record]


@pytest.mark.parametrize("start", [b"", b'@nix {"action":"msg","msg":"'])
@pytest.mark.parametrize("size", [limits.LINE_MAX + 1, limits.MIB, 3 * limits.MIB])
def test_a_line_without_end_is_cut_and_says_by_how_much(start: bytes, size: int) -> None:
    log = NixLog()
    log.feed(start)
    for _ in range(0, size, limits.LINE_MAX):
        log.feed(b"x" * limits.LINE_MAX)
    (line,) = log.end()
    kept, _, note = line.partition(b" [")
    assert kept == (start + b"x" * limits.LINE_MAX)[: len(kept)]
    assert len(line) <= limits.LINE_MAX
    fed = len(start) + -(-size // limits.LINE_MAX) * limits.LINE_MAX
    assert note == b"%d more bytes]" % (fed - len(kept))


def test_a_long_line_is_not_cut_inside_a_character() -> None:
    (line,) = everything("ä".encode() * limits.LINE_MAX)[0]
    assert set(line.decode().partition(" [")[0]) == {"ä"}
    (line,) = everything(b"x" + "ä".encode() * limits.LINE_MAX)[0]
    assert set(line.decode().partition(" [")[0]) == {"x", "ä"}


@settings(deadline=None)
@given(st.lists(RECORD_LINES, max_size=40))
def test_not_decoding_progress_of_copies_changes_nothing(lines: list[bytes]) -> None:
    skipping = everything(b"\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "skip", lambda self, line: False)
        assert everything(b"\n".join(lines)) == skipping


def test_a_switch_of_a_hundred_thousand_records() -> None:
    truth = Truth()
    lines = list(records(7, 100_000, truth))
    log = NixLog()
    shown: list[bytes] = []
    planned = 0
    for start in range(0, len(lines), 97):
        shown += log.feed(b"".join(lines[start : start + 97]))
        snapshot = log.snapshot()
        planned = max(planned, snapshot.builds.expected)
        if not snapshot.planning:
            assert snapshot.builds.expected == truth.builds
            assert snapshot.copies.expected == truth.copies
            assert snapshot.downloaded.expected == truth.downloaded
            assert snapshot.unpacked.expected == truth.unpacked
    log.end()
    assert log.snapshot() == Snapshot(
        planning=False,
        builds=Tally(truth.builds, truth.builds),
        copies=Tally(truth.copies, truth.copies),
        downloaded=Tally(truth.downloaded, truth.downloaded),
        unpacked=Tally(truth.unpacked, truth.unpacked),
    )
    assert planned > 3 * truth.builds  # else the generator doesn't overshoot as Nix does
    said = [line for line in shown if line.startswith(b"thing-") and b"Running phase" not in line]
    assert sorted(said) == sorted(truth.said)
    progress = sum(line.endswith(b'"type":105}\n') for line in lines)
    assert progress > 0.9 * len(lines)


def test_almost_no_record_of_a_switch_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = 0
    loads = json.loads

    def counting(text: str) -> Any:
        nonlocal decoded
        decoded += 1
        return loads(text)

    monkeypatch.setattr(json, "loads", counting)
    lines = list(records(7, 100_000, Truth()))
    log = NixLog()
    log.feed(b"".join(lines))
    assert decoded < 0.2 * len(lines)
