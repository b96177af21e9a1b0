"""Constraints: each value at, below and above its bounds, as both enforcers see it."""

from dataclasses import make_dataclass
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.markers import Flag, Items, Marker, Number, OneOf, Text, Whole
from nixfleet_protocol.validate import read_json

CASES: list[tuple[type, Marker, list[Any], list[Any]]] = [
    (str, Text(3), ["", "abc", "äöü"], ["abcd", 1, None, b"a"]),
    (str, Text(3, min=1), ["a"], [""]),
    (str, Text(9, pattern="[a-z]+|x"), ["a", "abc", "x"], ["", "A", "a1", "a\n", "\na"]),
    (str, OneOf("a", "b"), ["a", "b"], ["c", "", 1, None]),
    (int, Whole(1, 5), [1, 5], [0, 6, 1.0, "1", True, None]),
    (float, Number(0, 5), [0, 5, 0.5, 5.0], [-0.1, 5.1, float("nan"), float("inf"), "1", True, None]),
    (bool, Flag(), [True, False], [0, 1, "true", None]),
]


@pytest.mark.parametrize(("kind", "marker", "good", "bad"), CASES, ids=[c[1].describe() for c in CASES])
def test_both_enforcers(kind: Any, marker: Marker, good: list[Any], bad: list[Any]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[kind, marker])
    for value in good:
        assert marker.check(value) == adapter.validate_python(value, strict=True) == value
    for value in bad:
        with pytest.raises(ValueError, match=r"^expected "):
            marker.check(value)
        with pytest.raises(ValueError):
            adapter.validate_python(value, strict=True)


def test_an_open_word_falls_back() -> None:
    marker = OneOf("a", other="b")
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[str, marker])
    for word, read in (("a", "a"), ("z", "b"), ("", "b"), ("z" * 64, "b")):
        assert marker.check(word) == adapter.validate_python(word) == read
    for bad in ("z" * 65, 1, None):
        with pytest.raises(ValueError):
            marker.check(bad)
        with pytest.raises(ValueError):
            adapter.validate_python(bad)


def test_lists_are_bounded() -> None:
    body = make_dataclass("Body", [("items", Annotated[tuple[Annotated[int, Whole(0, 9)], ...], Items(2)])])
    read: Any = read_json(body, '{"items":[1,2]}')
    assert read.items == (1, 2)
    with pytest.raises(RemoteProtocolError, match=r"^items: .*at most 2"):
        read_json(body, '{"items":[1,2,3]}')
    with pytest.raises(ValueError, match="at most 2"):
        Items(2).check([1, 2, 3])
