"""The repository's own scripts: the documentation they write is in step with the code."""

from scripts import prepare, variables


def test_every_variable_is_in_the_operators_table() -> None:
    assert variables.main(["--check"]) == 0, "docs/operations.md is stale: run `hatch run docs`"


def test_programs_on_the_path_are_not_missing() -> None:
    assert "git" not in prepare.missing()
