"""How long commands may take."""

import pytest

from nixfleet_protocol.messages import Options, RunView
from nixfleet_protocol.states import COMMANDS
from nixfleet_server.domain.timeouts import DEFAULT_TEXT, DEFAULTS, Limits, at_begin, longer, parse


def run(command: str = "switch", **fields: object) -> RunView:
    return RunView(run_id="0" * 32, host_id="web1", command=command, state="running", created_at=0, **fields)  # type: ignore[arg-type]


def test_the_defaults_are_what_their_text_says() -> None:
    assert parse("") == parse(DEFAULT_TEXT) == DEFAULTS
    assert set(DEFAULTS) <= set(COMMANDS)
    assert all(limits.warn < limits.hard for limits in DEFAULTS.values())


def test_a_setting_changes_its_command_only() -> None:
    table = parse("switch=60/0, test=5/10")
    assert table["switch"] == Limits(60, 0)
    assert table["test"] == Limits(5, 10)
    assert table["pull"] == DEFAULTS["pull"]
    assert at_begin(table, run(), 1000) == (61_000, None)


@pytest.mark.parametrize("text", ["switch", "switch=60", "switch=a/b", "explode=1/2", "switch=1/99999999"])
def test_what_is_no_setting_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"switch|explode"):
        parse(text)


def test_a_time_out_of_the_run_itself_counts() -> None:
    assert at_begin(DEFAULTS, run(options=Options(timeout=30)), 0) == (30_000, 30_000)


def test_waiting_moves_both_times() -> None:
    assert longer(run(warn_at=5, timeout_at=10_000), 60, 1000) == (61_000, 70_000)
    assert longer(run(warn_at=5, timeout_at=10_000), 60, 20_000) == (80_000, 80_000)
    assert longer(run(), 60, 0) == (60_000, None)
