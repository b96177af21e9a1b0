"""Does a host run what its profile says, and was it NixFleet that left it so?"""

from dataclasses import dataclass
from typing import Literal

from nixfleet_agent.nix.root import Root

Action = Literal["switch", "boot", "test"]
State = Literal["normal", "staged", "test", "drift", "unknown"]
_ON_PURPOSE: dict[Action, State] = {"boot": "staged", "test": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How NixFleet left a host, written down after its last switch, boot or test. Store paths."""

    action: Action
    profile: str
    current: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """The systems of a host, as store paths; None for what can't be read."""

    profile: str | None
    current: str | None
    booted: str | None
    """None also where the platform doesn't tell what it booted."""
    specialisations: dict[str, str]
    """Names of the profile's specialisations by their store paths."""

    @classmethod
    def read(cls, root: Root, profile: str, current: str, booted: str | None = None) -> "Systems":
        """From the paths of the links that say it."""
        return cls(
            profile=root.resolve(profile),
            current=root.resolve(current),
            booted=root.resolve(booted) if booted is not None else None,
            specialisations={path: name for name, path in root.links(f"{profile}/specialisation")},
        )

    @property
    def specialisation(self) -> str | None:
        """Which specialisation of the profile runs, if one does."""
        return None if self.current == self.profile else self.specialisations.get(self.current or "")

    def state(self, left: Left | None) -> State:
        """How the profile and the current system stand to each other.

        `normal`: the same, or one of its specialisations. `staged`: NixFleet made the profile's system ready for the
        next boot. `test`: NixFleet activated the current system for a trial, a reboot reverts it. `drift`: they differ
        and NixFleet doesn't know why. `unknown`: one of the two can't be read.
        """
        if self.profile is None or self.current is None:
            return "unknown"
        if self._belongs(self.current):
            return "normal"
        if left is not None and (self.profile, self.current) == (left.profile, left.current):
            return _ON_PURPOSE.get(left.action, "drift")
        return "drift"

    def changed_outside(self, left: Left | None) -> bool | None:
        """Whether somebody else changed the host since NixFleet left it; None if that can't be told.

        A boot into the profile's system, or a specialisation of it, is no change.
        """
        if self.profile is None or self.current is None or left is None:
            return None
        if self.profile != left.profile:
            return True
        if self.current == left.current:
            return False
        by_boot = self.booted is None or self.booted == self.current
        same = left.current == left.profile  # what runs is the profile's system in one form or another
        return not (self._belongs(self.current) and (by_boot or same))

    def _belongs(self, system: str) -> bool:
        return system == self.profile or system in self.specialisations
