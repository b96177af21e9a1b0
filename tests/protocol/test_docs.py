"""docs/protocol.md says what the code does."""

import shutil
from pathlib import Path

import pytest

from nixfleet_protocol.__main__ import main
from nixfleet_protocol.docs import BEGIN, END, refreshed
from nixfleet_protocol.messages import DIRECTIONS
from nixfleet_protocol.states import COMMANDS, RUN

DOCUMENT = Path(__file__).parents[2] / "docs/protocol.md"


def test_the_document_is_fresh() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert refreshed(text) == text, "docs/protocol.md is stale: run `hatch run docs`"


def test_it_names_every_message_state_and_command() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in [name for table in DIRECTIONS.values() for name in table]:
        assert f"### `{name}`\n" in text
    for name in [*RUN, *COMMANDS]:
        assert f"| `{name}` |" in text


def test_the_command_checks_and_renews(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "protocol.md"
    shutil.copy(DOCUMENT, copy)
    assert main(["docs", str(copy), "--check"]) == 0
    stale = copy.read_text(encoding="utf-8").replace("### `heartbeat`", "### `hartbeat`")
    copy.write_text(stale, encoding="utf-8")
    assert main(["docs", str(copy), "--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert main(["docs", str(copy)]) == 0
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [None, "no marks", f"{END}\n{BEGIN}"])
def test_a_file_without_the_generated_part_is_left_alone(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "protocol.md"
    if content:
        file.write_text(content)
    assert main(["docs", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    assert main(["dance"]) == 2
