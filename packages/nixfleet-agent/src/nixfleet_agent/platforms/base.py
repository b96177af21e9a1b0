"""What a platform is."""

from typing import Protocol

from nixfleet_agent.repository import Repository
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Done
from nixfleet_protocol.messages import Facts


class Platform(Protocol):
    """One kind of host. What does something raises Failed with the outcome when it failed, Ended when it was stopped."""

    def switch(self, context: Context, repository: Repository) -> Done:
        """Build and activate what the repository's working tree describes."""

    def rollback(self, context: Context, repository: Repository | None) -> Done:
        """Return to the generation of `options.generation`, else to the one before. A host without a repository can too
        where its generations are on it."""

    def check(self, context: Context, repository: Repository, tree: str) -> Done:
        """Tell what a switch to the working tree at `tree` would change; change nothing."""

    def compare(self, context: Context, repository: Repository | None) -> Done:
        """Tell what a rollback to `options.generation` would change; change nothing. Needs what `rollback` needs."""

    def generation(self) -> str | None:
        """Identity of the deployed system, None when nothing was deployed yet."""

    def facts(self) -> Facts:
        """What the platform knows about the host; the repository's facts are added by the caller."""
