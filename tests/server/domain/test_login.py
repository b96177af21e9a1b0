"""Login attempts are limited by address."""

from hypothesis import example, given
from hypothesis import strategies as st

from nixfleet_server.domain import login
from nixfleet_server.domain.login import ADDRESSES_MAX, ATTEMPTS, WINDOW, address_key, attempt, forget

Times = st.lists(st.floats(0, 300), max_size=60).map(sorted)


@given(Times)
@example([3.520761138507207e-87, 1.0, 1.0, 1.0, 1.0, 60.0, 60.0])  # its wait would be rounded to nothing
def test_never_more_than_five_in_any_minute_and_waiting_always_helps(times: list[float]) -> None:
    state: login.Attempts = {}
    allowed: list[float] = []
    for now in times:
        state, wait = attempt(state, "192.0.2.1", now)
        if wait == 0:
            allowed.append(now)
        else:
            assert 0 < wait <= WINDOW
            assert attempt(state, "192.0.2.1", now + wait + 1e-6)[1] == 0
    for index, at in enumerate(allowed):
        assert sum(1 for other in allowed[index:] if other < at + WINDOW - 1e-9) <= ATTEMPTS


def test_addresses_don_t_share_and_success_clears() -> None:
    state: login.Attempts = {}
    for _ in range(ATTEMPTS):
        state, _ = attempt(state, "192.0.2.1", 0)
    assert attempt(state, "192.0.2.1", 1)[1] > 0
    assert attempt(state, "192.0.2.2", 1)[1] == 0
    assert attempt(forget(state, "192.0.2.1"), "192.0.2.1", 1)[1] == 0


def test_one_ipv6_customer_is_one_address() -> None:
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:2") != address_key("2001:db8:0:1::1")
    assert address_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert address_key("fe80::1%eth0") == address_key("fe80::2")
    assert address_key("unix") == "unix"


def test_a_botnet_fills_no_memory() -> None:
    state: login.Attempts = {}
    state = {f"192.0.{i}": (0.0,) for i in range(ADDRESSES_MAX)}
    state, _ = attempt(state, "198.51.100.1", 1)
    assert len(state) == ADDRESSES_MAX
    assert len(attempt(state, "198.51.100.2", 100)[0]) == 1
