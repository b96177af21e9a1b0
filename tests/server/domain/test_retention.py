"""Which logs are removed."""

from hypothesis import given
from hypothesis import strategies as st

from nixfleet_server.domain.retention import DAY_MS, Kept, Limits, surplus

NOW = 1000 * DAY_MS
logs = st.lists(
    st.builds(
        Kept,
        run_id=st.uuids().map(lambda u: u.hex),
        host=st.sampled_from(["a", "b"]),
        ended_at=st.integers(0, 100).map(lambda days: NOW - days * DAY_MS),
        size=st.integers(1, 100),
    ),
    max_size=30,
).map(lambda found: sorted(found, key=lambda log: -log.ended_at))
limits = st.builds(
    Limits,
    days=st.integers(0, 60),
    runs=st.integers(0, 10),
    bytes=st.integers(0, 1000),
    host_bytes=st.integers(0, 500),
)


@given(logs, limits)
def test_what_stays_is_within_every_limit(found: list[Kept], most: Limits) -> None:
    gone = set(surplus(found, most, NOW))
    stays = [log for log in found if log not in gone]
    for host in ("a", "b"):
        mine = [log for log in stays if log.host == host]
        assert not most.runs or len(mine) <= most.runs
        assert not most.host_bytes or sum(log.size for log in mine) <= most.host_bytes
    assert not most.bytes or sum(log.size for log in stays) <= most.bytes
    assert not most.days or all(NOW - log.ended_at <= most.days * DAY_MS for log in stays)
    if most == Limits():
        assert not gone


def test_one_host_can_not_push_out_the_others() -> None:
    found = [Kept(str(i), "loud", NOW - i, 100) for i in range(50)] + [Kept("q", "quiet", NOW - 99, 100)]
    assert "q" not in [log.run_id for log in surplus(found, Limits(bytes=1000, host_bytes=500), NOW)]
