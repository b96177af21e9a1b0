"""The life of a run, and the table of commands."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_protocol.messages import Options
from nixfleet_protocol.messages.fields import Command
from nixfleet_protocol.states import COMMANDS, RUN, IllegalTransition, next_state

EVENTS = sorted({event for row in RUN.values() for event in row})


def test_the_table_is_closed() -> None:
    assert {state for row in RUN.values() for state in row.values()} <= set(RUN)


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_a_run_ends_once_and_never_goes_back(events: list[str]) -> None:
    order = ["queued", "sent", "running", "ended"]
    state, ends = "queued", 0
    for event in events:
        if event not in RUN[state]:
            with pytest.raises(IllegalTransition, match=f"{state} can't {event}"):
                next_state(state, event)
            continue
        after = next_state(state, event)
        assert order.index(after) >= order.index(state)
        ends += event == "end"
        state = after
    assert ends == (state == "ended")


@pytest.mark.parametrize("state", [state for state in RUN if state != "ended"])
def test_every_run_can_end(state: str) -> None:
    assert next_state(state, "end") == "ended"


def test_commands_name_real_options_and_fit_the_wire() -> None:
    names = {field.name for field in fields(Options)}
    marker = Command.__metadata__[0]
    for name, rule in COMMANDS.items():
        assert set(rule.options) <= names
        assert marker.check(name) == name
    assert {"stop", "restart"} == {name for name, rule in COMMANDS.items() if rule.always}
