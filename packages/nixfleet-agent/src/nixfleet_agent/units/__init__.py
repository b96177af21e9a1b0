"""What a supervisor must know of the agent: one table, for `enroll`, for the Nix modules' tests, and for people.

`files(Installation(…))` gives the text of every file. `nixfleet-agent units` prints or writes them.
"""

from nixfleet_agent.units import launchd, systemd
from nixfleet_agent.units.installation import Installation

__all__ = ["Installation", "files"]


def files(installation: Installation) -> dict[str, str]:
    """Absolute path → content, of what the supervisor reads."""
    if installation.supervisor == "launchd":
        return launchd.files(installation)
    return systemd.files(installation)
