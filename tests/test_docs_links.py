"""Links between the documents lead somewhere, and the commands they name are there."""

import re
from pathlib import Path

import pytest

from nixfleet_server.cli import COMMANDS
from scripts.build import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("packages/*/README.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", document.read_text())
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose)
    missing = [to for to in targets if "://" not in to and not (document.parent / to).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_server_s_commands_are_there(document: Path) -> None:
    named = set(re.findall(r"`nixfleet-server ([a-z][a-z-]+)", document.read_text()))
    assert named <= set(COMMANDS), named - set(COMMANDS)
