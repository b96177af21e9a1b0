"""Writes nix/units.json, what the Nix modules know of the agent's units, from the one table in nixfleet_agent.units.

The environment isn't in it: the modules make it of their options. `@program@` and `@home@` stand for what they know. And
docs/nixfleet-server.service, for servers installed by pip, from nix/server-unit.json, which the NixOS module reads too.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nixfleet_agent.units import Installation, launchd, systemd

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "nix" / "units.json"
SERVER_UNIT = ROOT / "docs" / "nixfleet-server.service"
SERVER_PROGRAM = "/opt/nixfleet-server/bin/nixfleet-server"
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


def server_unit() -> str:
    """The server's unit, with its variables in a file."""
    facts = json.loads((ROOT / "nix" / "server-unit.json").read_text())
    service = facts["Service"]
    start = service["ExecStart"].replace("/@program@", SERVER_PROGRAM)
    environment = {"Environment": "NIXFLEET_DATA_DIR=/var/lib/nixfleet-server"}
    facts["Service"] = service | {
        "ExecStart": start,
        **environment,
        "EnvironmentFile": "-/etc/nixfleet/server.env",
    }
    return (
        "# From nix/server-unit.json by `hatch run docs`. docs/install.md says how it is used.\n"
        + systemd.render(facts)
    )


def _without_environment(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _ENVIRONMENT}


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 a file is stale (`--check`)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.units", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    options = parser.parse_args(argv)
    made = {DOCUMENT: json.dumps(exported(), indent=2) + "\n", SERVER_UNIT: server_unit()}
    if options.check:
        return int(any(not file.exists() or file.read_text() != text for file, text in made.items()))
    for file, text in made.items():
        file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
