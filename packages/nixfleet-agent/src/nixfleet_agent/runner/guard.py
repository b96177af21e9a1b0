"""Never lost: whoever watches an activation, so that a host that a bad switch cut off comes back by itself.

A switch tells its guard what it is about to do, and asks it afterwards whether the new system is to stay. What the
guard does for that (a file that survives a crash, a timer, a look for the server) is its own affair.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from nixfleet_agent.runner.context import Context


class Verdict(NamedTuple):
    """What is to become of an activated system."""

    keep: bool
    """False: go back to the system before."""
    confirmed: bool
    """The new system was seen to reach the server. Kept without it: the run is `unconfirmed`."""
    reason: str
    """Why, in one line."""


class Guard(Protocol):
    """Watches over one activation. The calls come in this order, each at most once."""

    def prepare(self, old: str, new: str) -> None:
        """Before the activation of the store path `new` on a host that runs `old`. Raises Failed: don't begin."""

    def activated(self) -> None:
        """The activation ended: the confirmation window starts, the resident is restarted."""

    def wait(self, context: Context) -> Verdict:
        """Block until it is known whether the new system stays. Raises Ended when the run is stopped."""

    def settle(self, outcome: str) -> None:
        """The end, also without `activated`: `confirmed`, `unconfirmed`, `rolled_back` or `failed`. Never raises."""


class NoGuard:
    """Watches nothing: what was activated stays. The resident starts anew all the same: it may be another by now."""

    def __init__(self, restart: Callable[[], object] | None = None) -> None:
        self._restart = restart

    def prepare(self, old: str, new: str) -> None:
        pass

    def activated(self) -> None:
        if self._restart:
            self._restart()

    def wait(self, context: Context) -> Verdict:
        return Verdict(keep=True, confirmed=True, reason="")

    def settle(self, outcome: str) -> None:
        pass


def guard_of(context: Context) -> Guard:
    """The guard of this run: none when NIXFLEET_CONFIRM_TIMEOUT is 0."""
    from nixfleet_agent.runner import resident

    if context.config.confirm_timeout == 0:
        return NoGuard(lambda: resident.restart(context.config, connect=False))
    from nixfleet_agent.runner.keeper import Keeper

    return Keeper(context)
