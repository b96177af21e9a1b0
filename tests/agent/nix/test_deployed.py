"""Does it run what its profile says, and who left it so?"""

import pytest

from nixfleet_agent.nix.deployed import Action, Left, State, Systems

A, B, C, SPECIAL = "/nix/store/a", "/nix/store/b", "/nix/store/c", "/nix/store/b-special"


def systems(profile: str | None, current: str | None, booted: str | None = A) -> Systems:
    specialisations = {SPECIAL: "special"} if profile == B else {}
    return Systems(profile=profile, current=current, booted=booted, specialisations=specialisations)


def left(action: Action, profile: str, current: str) -> Left:
    return Left(action=action, profile=profile, current=current)


BOOT, TEST, SWITCH = left("boot", B, A), left("test", A, B), left("switch", B, B)


@pytest.mark.parametrize(
    ("now", "by", "state", "outside"),
    [
        (systems(B, B), SWITCH, "normal", False),
        (systems(B, A), BOOT, "staged", False),
        (systems(B, B, B), BOOT, "normal", False),  # and then booted
        (systems(B, SPECIAL, SPECIAL), BOOT, "normal", False),  # into a specialisation
        (systems(A, B), TEST, "test", False),
        (systems(A, A, A), TEST, "normal", False),  # reverted by a reboot
        (systems(B, SPECIAL), SWITCH, "normal", False),
        (systems(B, SPECIAL), left("switch", B, SPECIAL), "normal", False),
        (systems(B, B, None), BOOT, "normal", False),  # a Mac activates its profile at boot
        # Somebody else
        (systems(C, C), SWITCH, "normal", True),
        (systems(C, B), SWITCH, "drift", True),
        (systems(B, C), SWITCH, "drift", True),
        (systems(B, B, A), BOOT, "normal", True),  # activated what was meant for the next boot
        (systems(A, A, C), TEST, "normal", True),  # ended the test without a boot
        (systems(A, C), TEST, "drift", True),
        (systems(C, A), BOOT, "drift", True),
        (systems(B, A), left("switch", B, A), "drift", False),  # our own switch failed half-way
        # Nothing to compare with
        (systems(B, A), None, "drift", None),
        (systems(B, B), None, "normal", None),
        (systems(None, B), SWITCH, "unknown", None),
        (systems(B, None), SWITCH, "unknown", None),
        (systems(None, None), None, "unknown", None),
    ],
)
def test_states(now: Systems, by: Left | None, state: State, outside: bool | None) -> None:
    assert (now.state(by), now.changed_outside(by)) == (state, outside)
