"""Kinds of hosts: how each one switches and what it says about itself."""

from collections.abc import Callable

from nixfleet_agent.config import Config
from nixfleet_agent.platforms.base import Platform
from nixfleet_agent.platforms.home_manager import HomeManager
from nixfleet_agent.platforms.nix_darwin import NixDarwin
from nixfleet_agent.platforms.nixos import NixOS
from nixfleet_agent.platforms.script import Script

PLATFORMS: dict[str, Callable[[Config], Platform]] = {
    "nixos": NixOS,
    "nix-darwin": NixDarwin,
    "home-manager": HomeManager,
    "script": Script,
}


def of(config: Config) -> Platform:
    """The platform of this host."""
    return PLATFORMS[config.platform](config)
