"""Kinds of hosts: how each one switches and what it says about itself."""

from nixfleet_agent.config import Config
from nixfleet_agent.platforms.base import Platform
from nixfleet_agent.platforms.script import Script

PLATFORMS: dict[str, type[Script]] = {"script": Script}


def of(config: Config) -> Platform:
    """The platform of this host."""
    return PLATFORMS[config.platform](config)
