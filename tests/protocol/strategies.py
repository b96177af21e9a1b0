"""Hypothesis strategies made from the messages' own annotations: payloads that are right, and ways to break them."""

import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from hypothesis import strategies as st

from nixfleet_protocol.markers import Flag, Items, Marker, Number, OneOf, Text, Whole
from nixfleet_protocol.messages import DIRECTIONS

# All of Unicode but lone surrogates, with the characters that matter to us drawn often.
TEXT_CHARS = st.one_of(
    st.characters(exclude_categories=["Cs"]), st.sampled_from('\x00\x1b\r\u2028\U0010ff80\U0010ffff"\\é')
)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(TEXT_CHARS, max_size=20),
        st.sampled_from([10**400, -1, 0, 2**53, 1.0, 1e308, "", "1.0", "a" * 70, "x" * 20_000]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(TEXT_CHARS, max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Any JSON value."""

EVERY_MESSAGE = [
    (direction, name, cls) for direction, table in DIRECTIONS.items() for name, cls in table.items()
]


def payload(cls: type) -> st.SearchStrategy[dict[str, Any]]:
    """Right payloads of a message or part, with and without the fields that may be left out."""
    required, optional = {}, {}
    for field in fields(cls):
        needed = field.default is MISSING and field.default_factory is MISSING
        (required if needed else optional)[field.name] = value(field.type)
    return st.fixed_dictionaries(required, optional=optional)


def value(hint: Any) -> st.SearchStrategy[Any]:
    """Right values of one annotation."""
    if get_origin(hint) is Annotated:
        base, *notes = get_args(hint)
        markers = [note for note in notes if isinstance(note, Marker)]
        if not markers:
            return value(base)
        [marker] = markers
        if isinstance(marker, Items):
            return st.lists(value(get_args(base)[0]), max_size=min(3, marker.max))
        return _MARKERS[type(marker)](marker)
    if get_origin(hint) in (Union, types.UnionType):
        [inner] = [arg for arg in get_args(hint) if arg is not type(None)]
        return st.one_of(st.none(), value(inner))
    assert is_dataclass(hint)
    assert isinstance(hint, type)
    return payload(hint)


def _text(marker: Any) -> st.SearchStrategy[str]:
    if marker.pattern is None:
        return st.text(TEXT_CHARS, min_size=marker.min, max_size=min(marker.max, 30))
    matching = st.from_regex(marker.pattern, fullmatch=True)
    return matching.filter(lambda text: marker.min <= len(text) <= marker.max)


_MARKERS: dict[type, Any] = {
    Text: _text,
    OneOf: lambda m: (
        st.sampled_from(m.words)
        if m.other is None
        else st.one_of(st.sampled_from(m.words), st.text(TEXT_CHARS, max_size=64))
    ),
    Whole: lambda m: st.integers(m.min, m.max),
    Number: lambda m: st.one_of(
        st.floats(m.min, m.max, allow_nan=False), st.integers(int(m.min + 1), int(m.max))
    ),
    Flag: lambda m: st.booleans(),
}


@st.composite
def broken(draw: st.DrawFn, cls: type) -> Any:
    """A right payload with one thing done to it: most are wrong now, some still right."""
    good = draw(payload(cls))
    target: Any = good
    path: Any = None
    # Walk down to a random place.
    while isinstance(target, (dict, list)) and target and draw(st.booleans()):
        path = (
            target,
            draw(st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target)))),
        )
        target = target[path[1]]
    what = draw(st.sampled_from(["replace", "remove", "add"]))
    if what == "add" and isinstance(target, dict):
        target[draw(st.text(TEXT_CHARS, max_size=8))] = draw(JSON)
    elif path is None:
        return draw(JSON) if what == "replace" else good
    elif what == "remove" and isinstance(path[0], dict):
        del path[0][path[1]]
    else:
        path[0][path[1]] = draw(_near(target))
    return good


def _near(target: Any) -> st.SearchStrategy[Any]:
    """Any JSON value, often one close to what stood there."""
    if isinstance(target, bool):
        return st.one_of(JSON, st.sampled_from([0, 1, "true", None]))
    if isinstance(target, int | float):
        return st.one_of(
            JSON, st.sampled_from([target + 0.5, float(target), -target, str(target), True, target * 10**6])
        )
    if isinstance(target, str):
        return st.one_of(
            JSON,
            st.sampled_from(
                [target + "\n", target + " ", target.upper(), target * 2, [target], "-" + target]
            ),
        )
    return JSON
