"""docs/nix.md: the table of options is the modules', and its examples are accepted by them."""

import re
from pathlib import Path

import pytest

from nixfleet_agent.variables import VARIABLES
from nixfleet_server.settings import PREFIX, Settings
from scripts import nix_options
from tests.nix.nix import NIX, failed

pytestmark = pytest.mark.needs("nix")


def test_the_options_are_as_the_modules_have_them() -> None:
    assert nix_options.main(["--check"]) == 0, "docs/nix.md is stale: run `hatch run docs`"


def test_every_option_says_what_it_is_for() -> None:
    for module, listed in nix_options.options().items():
        assert len(listed) > 5, module
        for option in listed:
            assert option["description"].strip(), option["name"]
            assert option["type"], option["name"]


def test_the_first_example_is_accepted(tmp_path: Path) -> None:
    text = nix_options.DOCUMENT.read_text()
    [block] = re.findall(r"( +services\.nixfleet-agent = \{\n.*?\n +\};\n)", text, re.DOTALL)
    assert failed("agent-nixos", f"{{ {block} }}", tmp_path) == []


def test_the_page_s_snippet_names_options_that_there_are() -> None:
    script = nix_options.ROOT / "packages/nixfleet-web/src/nixfleet_web/static/js/core/add-host.js"
    known = {
        option["name"].removeprefix("services.nixfleet-agent.") for option in nix_options.options()["agent"]
    }
    used = set(re.findall(r"(?:^|\\n)  ([a-zA-Z]+(?:\.[a-zA-Z]+)?) = ", script.read_text(), re.MULTILINE))
    assert {"url", "tokenFile", "repository.url"} <= used
    assert used <= known, used - known


def test_the_modules_name_no_variable_that_there_is_not() -> None:
    agent = {variable.name for variable in VARIABLES.values()}
    server = {f"{PREFIX}{name.upper()}{suffix}" for name in Settings.model_fields for suffix in ("", "_FILE")}
    for module, known in (
        ("options", agent),
        ("agent-nixos", agent),
        ("agent-darwin", agent),
        ("server", server),
    ):
        named = set(re.findall(r"NIXFLEET_[A-Z_]*[A-Z]", (NIX / f"{module}.nix").read_text()))
        assert named <= known, f"{module}: {named - known}"
