"""Any bytes survive being text."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nixfleet_protocol.text import split, to_bytes, to_text

OWN = b"".join(chr(0x10FF00 + byte).encode() for byte in range(0x80, 0x100))
# Bytes with a bias to what is hard: halves of characters, surrogates, our own escapes whole and torn.
HARD = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            [
                OWN[:4],
                OWN[-4:],
                OWN[1:5],
                b"\xf4\x8f\xbe",
                b"\xed\xa0\x80",
                b"\xc3",
                "é€𝄞".encode(),
                b"\r\x00",
            ]
        ),
        st.text(max_size=5).map(lambda text: text.encode(errors="replace")),
    ),
    max_size=8,
).map(b"".join)


@given(HARD)
@example(OWN)
@example(bytes(range(256)))
@example(bytes(range(256)) + OWN)
def test_bytes_come_back(data: bytes) -> None:
    text = to_text(data)
    assert to_bytes(text) == data
    assert len(text) <= len(data)  # so that a record's text stays under the limit of its bytes
    assert to_bytes(json.loads(json.dumps(text))) == data


@given(HARD, HARD)
def test_different_bytes_give_different_text(one: bytes, other: bytes) -> None:
    assert (to_text(one) == to_text(other)) == (one == other)


def test_readable_text_stays_readable() -> None:
    assert to_text("grün → ✔".encode()) == "grün → ✔"
    assert to_text(b"caf\xe9") == "caf\U0010ffe9"


def test_lone_surrogates_are_refused() -> None:
    for text in ("\ud800", "\udcff", "\U0010ffff\udc80"):
        with pytest.raises(UnicodeEncodeError):
            to_bytes(text)


@given(HARD, st.integers(4, 20))
def test_pieces_are_whole_and_bounded(data: bytes, limit: int) -> None:
    pieces = split(data, limit)
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= limit for piece in pieces[:-1])
    assert len(pieces[-1]) <= limit


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.integers(4, 20))
def test_pieces_of_text_do_not_cut_characters(text: str, limit: int) -> None:
    assert "".join(piece.decode() for piece in split(text.encode(), limit)) == text
