"""NixFleet: protocol."""

from nixfleet_protocol.__about__ import __version__

__all__ = ["__version__"]
