"""How much a peer may do in a while."""

from hypothesis import given
from hypothesis import strategies as st

from nixfleet_server.domain.pace import Pace


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 20)), max_size=60))
def test_never_more_than_the_burst_and_what_time_allows(events: list[tuple[float, int]]) -> None:
    pace = Pace(rate=10, burst=30, now=0.0)
    now, taken = 0.0, 0
    for wait, count in events:
        now += wait
        if pace.takes(count, now):
            taken += count
        assert taken <= 30 + 10 * now + 1e-6


def test_who_keeps_the_pace_is_always_taken() -> None:
    pace = Pace(rate=10, burst=5, now=0.0)
    assert all(pace.takes(1, number / 10) for number in range(1000))
