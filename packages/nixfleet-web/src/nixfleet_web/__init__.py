"""NixFleet's browser assets: static files and where they are. Nothing here runs on the server."""

from pathlib import Path

from nixfleet_web.__about__ import __version__

__all__ = ["__version__", "static_dir"]


def static_dir() -> Path:
    """Directory of index.html, login.html and everything served under /static/."""
    return Path(__file__).parent / "static"
