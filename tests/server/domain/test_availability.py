"""How much of the time a host was there."""

from hypothesis import given
from hypothesis import strategies as st

from nixfleet_server.domain.availability import DAYS, Days, add, share


def test_nothing_known_is_not_zero() -> None:
    assert share({}, 100) is None
    assert share({100 - DAYS: (1.0, 1.0)}, 100) is None, "too long ago"


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(0.1, 5), st.booleans()), max_size=200))
def test_it_is_the_share_of_what_was_counted_in_the_last_30_days(
    ticks: list[tuple[int, float, bool]],
) -> None:
    days: Days = {}
    ticks.sort()
    for day, seconds, there in ticks:
        add(days, day, seconds, there=there)
    today = ticks[-1][0] if ticks else 0
    recent = [(seconds, there) for day, seconds, there in ticks if day > today - DAYS]
    answer = share(days, today)
    assert len(days) <= DAYS, "however it flaps"
    if not recent:
        assert answer is None
    else:
        assert answer is not None
        known = sum(seconds for seconds, _ in recent)
        assert abs(answer - 100 * sum(seconds for seconds, there in recent if there) / known) < 0.01
        assert 0 <= answer <= 100
