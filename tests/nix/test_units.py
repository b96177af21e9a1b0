"""What the Nix modules know of the agent's units is what the agent's own table says."""

from scripts import units


def test_units_json_is_what_the_table_says() -> None:
    assert units.main(["--check"]) == 0, "nix/units.json is stale: run `hatch run docs`"
