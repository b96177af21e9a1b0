"""The small strict decoder: frames to messages without pydantic, for the agent's resident process.

It enforces the same markers as `validate` (a property-based test compares the two on good and bad input).
"""

import json
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from nixfleet_protocol import limits
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.markers import Marker

Check = Callable[[Any], Any]
_CHECKS: dict[type, dict[str, tuple[Check, bool]]] = {}


class Unknown:
    """A message of a type this version doesn't know. Ignored and counted."""

    __slots__ = ("type",)

    def __init__(self, type: str) -> None:
        self.type = type


def decode(frame: str, known: dict[str, type]) -> list[Any]:
    """Read a frame: one message or an array of them. `known` is the direction's table from the registry.

    Raises RemoteProtocolError, which names the message and field but never quotes the input.
    """
    items = parse_json(frame)
    if not isinstance(items, list):
        items = [items]
    elif len(items) > limits.BATCH_MESSAGES_MAX:
        raise RemoteProtocolError(
            f"a batch of {len(items)} messages; at most {limits.BATCH_MESSAGES_MAX} are allowed"
        )
    return [_message(item, known) for item in items]


def parse_json(frame: str) -> Any:
    """Strict JSON: no NaN, no lone surrogates. Raises RemoteProtocolError with close code 1007."""
    try:
        value = json.loads(frame, parse_constant=_no_constant)
        if "\\u" in frame:  # only an escape can smuggle in a lone surrogate: the frame itself was valid UTF-8
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError("a frame that is not JSON", 1007) from error
    return value


class _Fault(ValueError):
    """What was expected, and the path of the field it was expected at."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason, self.path = reason, path

    def inside(self, name: str) -> "_Fault":
        return _Fault(self.reason, f"{name}.{self.path}" if self.path else name)


def read(cls: type, value: Any) -> Any:
    """Build a dataclass of the messages package from parsed JSON. Raises ValueError naming the field's path."""
    if not isinstance(value, dict):
        raise _Fault("expected an object")
    table = _CHECKS.get(cls) or _compile(cls)
    known = {}
    for name, (check, required) in table.items():
        if name in value:
            try:
                known[name] = check(value[name])
            except _Fault as fault:
                raise fault.inside(name) from None
            except ValueError as error:
                raise _Fault(str(error), name) from None
        elif required:
            raise _Fault("missing", name)
    return cls(**known)


def _message(item: Any, known: dict[str, type]) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise RemoteProtocolError('a message without a "type" that is text')
    cls = known.get(item["type"])
    if cls is None:
        return Unknown(item["type"][: limits.WORD_MAX])
    try:
        # The envelope's payload may be left out where every field has a default.
        return read(cls, item.get("payload", {}))
    except ValueError as error:
        raise RemoteProtocolError(f"{item['type']}: {error}") from None


def _compile(cls: type) -> dict[str, tuple[Check, bool]]:
    table = {
        f.name: (_check_for(f.type), f.default is MISSING and f.default_factory is MISSING)
        for f in fields(cls)
    }
    _CHECKS[cls] = table
    return table


def _check_for(hint: Any) -> Check:
    """The check for one annotation. Knows just the shapes that messages use; anything else is our bug."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *notes = get_args(hint)
        markers = [note for note in notes if isinstance(note, Marker)]
        if not markers:
            return _check_for(base)
        if get_origin(base) is tuple:
            return _tuple_check(base, markers[0])
        return markers[0].check
    if origin in (Union, types.UnionType):
        (inner,) = (arg for arg in get_args(hint) if arg is not type(None))
        check = _check_for(inner)
        return lambda value: None if value is None else check(value)
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda value: read(hint, value)
    raise TypeError(f"no check for {hint!r}: messages use markers, parts, tuples of them and None")


def _tuple_check(hint: Any, bound: Marker) -> Check:
    check = _check_for(get_args(hint)[0])

    def check_all(value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError("expected a list")
        bound.check(value)
        return tuple(check(item) for item in value)

    return check_all


def _no_constant(name: str) -> None:
    raise ValueError(name)
