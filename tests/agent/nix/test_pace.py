"""At most four snapshots a second, the last one always."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from nixfleet_agent.nix.pace import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 64), st.integers(0, 3)), max_size=60))
def test_never_faster_than_four_a_second_and_the_last_always(changes: list[tuple[int, int]]) -> None:
    clock = Clock()
    pace: Pace[int] = Pace(clock)
    told: list[tuple[float, int]] = []
    state = -1
    for pause, state in changes:
        clock.now += pause / 64  # exact, so that no rounding decides
        snapshot = pace.offer(lambda state=state: state)  # type: ignore[misc]
        if snapshot is not None:
            told.append((clock.now, snapshot))
    times = [at for at, _ in told]
    assert all(later - earlier >= 0.25 for earlier, later in pairwise(times))
    final = pace.last(lambda: state)
    assert [*[value for _, value in told], *([] if final is None else [final])][-1] == state
    assert final is None or not told or told[-1][1] != final


def test_what_was_held_back_is_offered_again_when_it_is_time() -> None:
    clock = Clock()
    pace: Pace[str] = Pace(clock)
    assert pace.wait() is None
    assert pace.offer(lambda: "a") == "a"
    assert pace.wait() is None
    clock.now = 0.125
    assert pace.offer(lambda: "b") is None
    assert pace.wait() == 0.125
    clock.now = 0.25
    assert pace.wait() == 0
    assert pace.offer(lambda: "b") == "b"
    assert pace.wait() is None


def test_a_snapshot_is_not_even_made_before_its_time() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    pace: Pace[int] = Pace(Clock())
    for _ in range(100):
        pace.offer(make)
    assert made == [1]
