"""Tests that need what a clean machine can't have are not collected there, so that no skip hides among the others."""

from tests.nix.nix import SOURCES

collect_ignore = [] if SOURCES.name else ["test_real_modules.py"]
