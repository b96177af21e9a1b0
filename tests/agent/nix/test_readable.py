"""Lines as a person reads them, and what may be in them."""

import json
from typing import Any

import pytest

from nixfleet_agent.nix.reader import NixLog
from nixfleet_agent.nix.text import store_name

DRV = f"/nix/store/{'d' * 32}-hello-2.12.drv"


def lines(*contents: dict[str, Any]) -> list[str]:
    log = NixLog()
    data = b"".join(b"@nix " + json.dumps(content).encode() + b"\n" for content in contents)
    return [line.decode() for line in log.feed(data) + log.end()]


def test_a_phase_that_the_builder_prints_itself_is_not_said_twice() -> None:
    start = {"action": "start", "id": 1, "type": 105, "level": 3, "fields": [DRV], "text": ""}
    header = {"action": "result", "id": 1, "type": 101, "fields": ["Running phase: buildPhase"]}
    phase = {"action": "result", "id": 1, "type": 104, "fields": ["buildPhase"]}
    assert lines(start, header, phase) == ["hello-2.12> Running phase: buildPhase"]
    assert lines(start, phase) == ["hello-2.12> Running phase: buildPhase"]


def test_a_post_build_hook_is_told_apart() -> None:
    start = {"action": "start", "id": 1, "type": 110, "level": 6, "fields": [DRV], "text": "running the hook"}
    line = {"action": "result", "id": 1, "type": 107, "fields": ["uploading"]}
    assert lines(start, line) == ["hello-2.12 (post)> uploading"]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[31mred\x1b[0m\tx", "\x1b[31mred\x1b[0m\tx"),
        ("\x1b[2J\x1b[1;1Hgone\x1b[K", "gone"),
        ("\x1b]0;title\x07text\x1b]8;;http://x\x1b\\", "text"),
        ("a\x07b\x00c\rd\x9b2Je", "abcd2Je"),
        ("cut \x1b", "cut"),
        ("grüße ✓", "grüße ✓"),
    ],
)
def test_colours_are_kept_and_nothing_that_moves_the_cursor(printed: str, shown: str) -> None:
    assert lines({"action": "msg", "level": 1, "msg": printed}) == [shown]


def test_a_message_of_several_lines_is_several_lines() -> None:
    assert lines({"action": "msg", "level": 0, "msg": "error:\n  one\n\n  two"}) == [
        "error:",
        "  one",
        "",
        "  two",
    ]


def test_the_log_of_an_unknown_build_is_shown_without_a_name() -> None:
    assert lines({"action": "result", "id": 5, "type": 101, "fields": ["hello"]}) == ["hello"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (DRV, "hello-2.12"),
        (f"/home/x/store/{'d' * 32}-a-b", "a-b"),
        ("not-a-path", "not-a-path"),
        ("", ""),
    ],
)
def test_names_of_store_paths(path: str, name: str) -> None:
    assert store_name(path) == name
