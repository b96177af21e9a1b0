"""NixFleet: agent."""

from nixfleet_agent.__about__ import __version__

__all__ = ["__version__"]
