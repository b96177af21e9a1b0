"""What a host prints can colour the operator's terminal, and nothing else."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nixfleet_protocol.cli.terminal import Cleaner, clean, shown
from nixfleet_protocol.text import to_text

SGR = re.compile(r"\x1b\[[0-9;:]*m")
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\x1b[]PX^_\\m;?>0123;HJc \x07\x9b\x9c\x9d\x90\x18\x7f\r\t\x08é"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


def passes(pieces: list[str], colour: bool = True) -> str:
    cleaner = Cleaner(colour)
    return "".join(cleaner.feed(piece, end_of_line=at == len(pieces)) for at, piece in enumerate(pieces, 1))


@given(st.lists(HOSTILE, min_size=1, max_size=6))
@example(["\x1b", "[31", "m"])
@example(["\x1b]0;title", "still title\x07after"])
def test_only_colours_pass_wherever_the_line_is_cut(pieces: list[str]) -> None:
    out = passes(pieces)
    rest = SGR.sub("", out)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", rest)
    assert out == passes(["".join(pieces)])
    assert SGR.sub("", out) == passes(pieces, colour=False)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_plain_text_is_untouched(text: str) -> None:
    assert passes([text]) == text


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[38:2::1:2:3mx", "\x1b[38:2::1:2:3mx"),
        ("\x9b32mx", "\x1b[32mx"),
        ("a\x1b[2Jb\x1b[1;1Hc", "abc"),
        ("\x1b]0;owned\x07x", "x"),
        ("\x1b]52;c;ZXZpbA==\x1b\\x", "x"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1bPq#0;2;0;0;0\x1b\\x", "x"),
        ("\x1b[?1049hx", "x"),
        ("\x1b[>4;1mx", "x"),
        ("\x1b[0 mx", "x"),
        ("\x1bcx", "x"),
        ("\x1b(0x", "x"),
        ("\x1b[31\x1b[32mx", "\x1b[32mx"),
        ("\x1b[31\x18mx", "mx"),
        ("\x1b[" + "1;" * 100 + "mx", "x"),
        ("\x07\x08\x00\x7fx\ty\rz", "x\ty\rz"),
        ("\x1b]never closed", ""),
    ],
)
def test_known_attacks(line: str, left: str) -> None:
    assert passes([line]) == left


def test_what_is_not_closed_ends_with_its_line() -> None:
    cleaner = Cleaner(colour=True)
    assert cleaner.feed("\x1b]0;a title that never ends") == ""
    assert cleaner.feed("the next line is there") == "the next line is there"


def test_streams_are_apart() -> None:
    out, err = Cleaner(colour=True), Cleaner(colour=True)
    assert out.feed("\x1b[", end_of_line=False) == ""
    assert err.feed("2J") == "2J"
    assert out.feed("31mx") == "\x1b[31mx"


def test_bytes_that_are_not_text_show_as_such() -> None:
    assert shown(to_text(b"caf\xe9 \x9b2J")) == "caf\ufffd \ufffd2J"
    assert shown("grün") == "grün"


def test_cells_are_one_plain_line() -> None:
    assert clean("a\nb\t\x1b[31mc\x1b[0m\r  d") == "a b c d"


def test_a_name_in_a_table_can_not_pose_as_another() -> None:
    assert clean("we\u200bb1") == "web1"
    assert clean("\u202e1bew\u2066") == "1bew"
