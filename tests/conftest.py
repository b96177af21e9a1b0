"""Rules for the whole suite: what a missing program means, and that CI skips nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from scripts.prepare import PROGRAMS

TESTS = Path(__file__).parent
MACHINES = (TESTS / "docker", TESTS / "systemd", TESTS / "chaos" / "test_network.py")
"""Whose containers and networks come and go: Chromium drops what it loads when the machine's network changes."""

# How long an example takes says something of the machine, and nothing of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*programs): skipped, with the reason, where a program is not on PATH"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(place) for place in MACHINES):
            item.add_marker("machines")
        for mark in item.iter_markers("needs"):
            for program in mark.args:
                assert program in PROGRAMS, f"scripts/prepare.py doesn't know how to install {program}"
                if shutil.which(program) is None:
                    item.add_marker(pytest.mark.skip(reason=f"{program} is not on PATH"))


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """As it was, after each test: the server's command line, called in this process, makes it strict."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("CI: a skipped test is a failed run", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
