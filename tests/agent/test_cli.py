"""The command line: exit codes, and errors fit for people."""

import os
import subprocess
import sys

import pytest


def call(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "nixfleet_agent", *words],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["run"], {}, "NIXFLEET_URL is not set"),
        (
            ["run"],
            {"NIXFLEET_URL": "https://x", "NIXFLEET_TOKEN": "t", "NIXFLEET_PLATFORM": "nixos"},
            "not in this version yet",
        ),
        (["status"], {"NIXFLEET_INTERVAL": "x"}, "NIXFLEET_INTERVAL"),
        (["dance"], {}, "invalid choice"),
        ([], {}, "required"),
    ],
)
def test_wrong_use_and_configuration_exit_with_2_and_one_message(
    words: list[str], env: dict[str, str], said: str
) -> None:
    done = call(*words, NIXFLEET_HOSTNAME="web1", **env)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_commands_and_variables_but_nothing_internal() -> None:
    done = call("--help")

    assert done.returncode == 0
    for word in ("run", "status", "NIXFLEET_URL", "NIXFLEET_STATE_DIR"):
        assert word in done.stdout
    for word in ("settle", "run-command", "facts"):
        assert word not in done.stdout


def test_the_version_is_printed() -> None:
    assert call("--version").stdout.startswith("nixfleet-agent 0.")
