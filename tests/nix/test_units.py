"""What the Nix modules know of the agent's units is what the agent's own table says."""

import subprocess
from pathlib import Path

import pytest

from scripts import units


def test_units_json_is_what_the_table_says() -> None:
    assert units.main(["--check"]) == 0, "nix/units.json is stale: run `hatch run docs`"


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_the_server_s_unit_of_the_documentation(tmp_path: Path) -> None:
    unit = tmp_path / units.SERVER_UNIT.name
    unit.write_text(
        units.SERVER_UNIT.read_text().replace(f"{units.SERVER_PROGRAM} serve", "/usr/bin/env true")
    )
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [line for line in done.stderr.splitlines() if "nixfleet" in line] == []
