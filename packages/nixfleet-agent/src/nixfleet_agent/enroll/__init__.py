"""`nixfleet-agent enroll` and `unenroll`: a host joins a fleet with one command, and leaves it as it was before."""

from nixfleet_agent.enroll.join import enroll
from nixfleet_agent.enroll.leave import unenroll

__all__ = ["enroll", "unenroll"]
