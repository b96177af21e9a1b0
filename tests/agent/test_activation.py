"""Exit codes of activations, in words."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_agent.runner.activation import failed_units, judge_nixos, judge_plain

UNITS = b"""warning: the following units failed: nginx.service, \x1b[31mweb@1.service\x1b[0m
\xc3\x97 nginx.service - the web server
     Active: failed (Result: exit-code)
"""


@pytest.mark.parametrize(
    ("code", "output", "active", "kind", "words"),
    [
        (0, b"", True, "ok", "activated"),
        (1, b"pre-switch check failed", False, "failed", "a check before the activation failed"),
        (2, b"Failed to run activate script", False, "failed", "the activation script failed"),
        (2, b"Failed to run activate script", True, "degraded", "a part of the activation script failed"),
        (2, b"cannot open x: No such file or directory", False, "failed", "the activation script failed"),
        (4, UNITS, True, "degraded", "2 units failed: nginx.service, web@1.service"),
        (4, UNITS, False, "degraded", "2 units failed"),
        (4, b"", True, "degraded", "units failed"),
        (4, b"", False, "failed", "interrupted"),
        (2, UNITS, True, "degraded", "2 units failed"),
        (100, b"", False, "reboot", "only a reboot"),
        (101, b"thread 'main' panicked", True, "failed", "crashed"),
        (1, b"Could not acquire lock", False, "locked", "another switch"),
        (errno.EWOULDBLOCK, b"", False, "locked", "another switch"),
        (errno.EACCES, b"", False, "failed", os.strerror(errno.EACCES)),
        (1, b"error: switch inhibitors differ", False, "failed", "without a reboot"),
        (137, b"", True, "failed", "killed"),
    ],
)
def test_switch_to_configuration(code: int, output: bytes, active: bool, kind: str, words: str) -> None:
    found = judge_nixos(code, output, active)
    assert (found.kind, words in found.message) == (kind, True), found.message


@given(st.integers(0, 255), st.binary(max_size=200), st.booleans())
def test_any_output_is_judged_and_only_0_is_ok(code: int, output: bytes, active: bool) -> None:
    for judge in (judge_nixos, judge_plain):
        found = judge(code, output, active)
        assert (found.kind == "ok") == (code == 0)
        assert not [char for char in found.message if char < " " and char != "\t"]


def test_units_are_named_once_without_colours() -> None:
    assert failed_units(UNITS + UNITS) == ("nginx.service", "web@1.service")
    assert failed_units(b"all is well") == ()
