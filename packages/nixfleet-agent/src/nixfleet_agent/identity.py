"""Who the agent is, as it tells the server."""

from typing import NamedTuple

from nixfleet_agent.__about__ import __version__
from nixfleet_protocol.messages import Facts, KnownRun, Register
from nixfleet_protocol.versions import CAPABILITIES, PROTOCOL


class Identity(NamedTuple):
    """What the agent says about itself, from its configuration. `interval` in seconds."""

    hostname: str
    platform: str
    interval: float
    commands: tuple[str, ...]

    def register(self, facts: Facts, runs: tuple[KnownRun, ...]) -> Register:
        """The first message of a connection; `runs` are those that the server has not confirmed as ended."""
        return Register(
            hostname=self.hostname,
            protocol=str(PROTOCOL),
            agent_version=__version__,
            platform=self.platform,
            interval=self.interval,
            capabilities=CAPABILITIES,
            commands=self.commands,
            facts=facts,
            runs=runs,
        )
