"""Keep or go back: the table as data, what holds for every situation, and the document that shows it."""

from itertools import product
from pathlib import Path

import pytest

from nixfleet_agent.runner.decision import TABLE, Situation, decide, table

BOOLS = (True, False)
EVERY = [
    Situation(*values)
    for values in product(
        BOOLS, BOOLS, BOOLS, BOOLS, ("answers", "silent"), BOOLS, BOOLS, ("some", "silent", "none")
    )
]
LOST = Situation(
    first=False,
    armed=True,
    confirmed=False,
    healthy=True,
    server="silent",
    local=False,
    goodbye=False,
    probes="silent",
)
"""The case that all of this is for: nothing answers any more."""


def rows(**when: object) -> list[Situation]:
    return [one for one in EVERY if all(getattr(one, name) == value for name, value in when.items())]


def test_every_situation_has_a_verdict_and_every_row_a_situation() -> None:
    reasons = {decide(one).reason for one in EVERY}

    assert reasons == {row.reason for row in TABLE}


def test_a_host_that_reaches_nothing_any_more_goes_back() -> None:
    assert not decide(LOST).keep


@pytest.mark.parametrize("one", rows(confirmed=True, healthy=True))
def test_what_reached_the_server_stays(one: Situation) -> None:
    assert decide(one)[:2] == (True, True)


def test_only_what_reached_the_server_is_confirmed() -> None:
    assert all(one.confirmed for one in EVERY if decide(one).confirmed)


def test_nothing_is_rolled_back_without_a_system_to_return_to() -> None:
    assert all(decide(one).keep for one in rows(first=True))


def test_an_unreachable_dashboard_never_rolls_back_a_host_that_reaches_other_places() -> None:
    assert all(decide(one).keep for one in rows(server="silent", probes="some", healthy=True))


def test_a_dashboard_that_was_unreachable_before_never_rolls_back() -> None:
    assert all(decide(one).keep for one in rows(armed=False, healthy=True))


def test_a_server_on_this_host_that_the_switch_restarts_never_rolls_back_by_its_silence_alone() -> None:
    found = [one for one in rows(server="silent", local=True, healthy=True) if one.probes != "silent"]
    assert all(decide(one).keep for one in found)


def test_an_agent_that_the_server_refuses_goes_back() -> None:
    found = rows(server="answers", confirmed=False, armed=True, first=False)
    assert not any(decide(one).keep for one in found)


def test_a_failing_health_check_goes_back_whatever_the_server_says() -> None:
    assert not any(decide(one).keep for one in rows(healthy=False, first=False))


def test_the_handbook_has_the_table() -> None:
    handbook = Path(__file__).parents[2] / "docs" / "operations.md"

    assert table() in handbook.read_text()
