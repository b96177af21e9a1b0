"""Writes nix/units.json, what the Nix modules know of the agent's units, from the one table in nixfleet_agent.units.

The environment isn't in it: the modules make it of their options. `@program@` and `@home@` stand for what they know.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nixfleet_agent.units import Installation, launchd, systemd

DOCUMENT = Path(__file__).resolve().parent.parent / "nix" / "units.json"
_ENVIRONMENT = ("Environment", "EnvironmentFile", "EnvironmentVariables")


def exported() -> dict[str, Any]:
    """Supervisor → mode → its units or jobs, and the variables of each mode."""

    def installation(mode: str, supervisor: str) -> Installation:
        return Installation(program="/@program@", home="/@home@", mode=mode, supervisor=supervisor)

    modes = ("system", "user")
    return {
        "systemd": {
            mode: {
                name: {section: _without_environment(settings) for section, settings in unit.items()}
                for name, unit in systemd.units(installation(mode, "systemd")).items()
            }
            for mode in modes
        },
        "launchd": {
            mode: {
                label: _without_environment(job)
                for label, job in launchd.jobs(installation(mode, "launchd")).items()
            }
            for mode in modes
        },
        "variables": {
            supervisor: {mode: installation(mode, supervisor).variables for mode in modes}
            for supervisor in ("systemd", "launchd")
        },
    }


def _without_environment(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _ENVIRONMENT}


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 the file is stale (`--check`)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.units", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is stale")
    options = parser.parse_args(argv)
    new = json.dumps(exported(), indent=2) + "\n"
    if options.check:
        return int(not DOCUMENT.exists() or DOCUMENT.read_text() != new)
    DOCUMENT.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
