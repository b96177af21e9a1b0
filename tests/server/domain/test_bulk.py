"""What a bulk dispatch begins next."""

from hypothesis import given
from hypothesis import strategies as st

from nixfleet_server.domain.bulk import State, next_step

STATES = ["waiting", "queued", "running", "good", "bad", "refused"]


def test_all_at_once_and_so_many_at_a_time() -> None:
    assert next_step(["waiting"] * 3, 0, False).begin == (0, 1, 2)
    assert next_step(["waiting"] * 3, 2, False).begin == (0, 1)
    assert next_step(["running", "waiting", "waiting"], 2, False).begin == (1,)
    assert next_step(["running", "running", "waiting"], 2, False) == ((), (), False)


def test_a_failure_stops_what_has_not_begun_and_a_refusal_does_not() -> None:
    assert next_step(["bad", "running", "queued", "waiting"], 1, True).cancel == (2, 3)
    assert next_step(["bad", "waiting"], 1, False).begin == (1,)
    assert next_step(["refused", "waiting"], 1, True).begin == (1,)
    assert next_step(["queued", "waiting"], 1, True).begin == (1,), "a host that is away holds nobody up"


@given(st.lists(st.sampled_from(STATES), max_size=12), st.integers(0, 5), st.booleans(), st.randoms())
def test_it_always_comes_to_an_end(states: list[State], concurrency: int, stop: bool, random: object) -> None:
    """Whatever happens to runs, each step makes progress, and never more run at a time than wanted."""
    items = list(states)
    for _ in range(100):
        step = next_step(items, concurrency, stop)
        if step.ended:
            break
        for i in step.cancel:
            assert items[i] in ("waiting", "queued")
            items[i] = "refused"
        for i in step.begin:
            assert items[i] == "waiting"
            items[i] = "running"
        if concurrency and step.begin:
            assert items.count("running") <= max(concurrency, list(states).count("running"))
        if not step.cancel and not step.begin:
            i = next(i for i, state in enumerate(items) if state in ("running", "queued"))
            items[i] = random.choice(["good", "bad"])  # type: ignore[attr-defined]
    else:
        raise AssertionError("it goes on for ever")
    assert not {"waiting", "queued", "running"} & set(items)
