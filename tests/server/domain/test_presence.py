"""Presence follows from silence."""

import pytest

from nixfleet_server.domain.presence import presence


@pytest.mark.parametrize(
    ("seen", "connected", "silent", "busy", "wanted"),
    [
        (False, False, 0, False, "new"),
        (True, True, 0, False, "online"),
        (True, True, 60, False, "online"),
        (True, True, 60.1, False, "stale"),
        (True, True, 90, True, "stale"),
        (True, True, 90.1, False, "offline"),
        (True, False, 0, False, "offline"),
        (True, False, 0, True, "unreachable"),
        (True, False, float("inf"), True, "unreachable"),
    ],
)
def test_presence(seen: bool, connected: bool, silent: float, busy: bool, wanted: str) -> None:
    assert presence(seen=seen, connected=connected, silent=silent, interval=30, busy=busy) == wanted
