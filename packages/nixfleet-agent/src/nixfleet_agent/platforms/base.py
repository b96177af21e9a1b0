"""What a platform is."""

from typing import Protocol

from nixfleet_agent.runner.context import Context
from nixfleet_protocol.messages import Facts


class Platform(Protocol):
    """One kind of host."""

    def switch(self, context: Context, tree: str, commit: str | None) -> str:
        """Build and activate what the working tree at `tree` describes. Returns the outcome in one line.

        Raises Failed with the outcome when it failed, Ended when it was stopped.
        """

    def generation(self) -> str | None:
        """Identity of the deployed system, None when nothing was deployed yet."""

    def facts(self) -> Facts:
        """What the platform knows about the host; the repository's facts are added by the caller."""
