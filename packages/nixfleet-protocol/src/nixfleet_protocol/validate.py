"""Frames to messages with pydantic, for the server, the client and the tests.

One envelope class per message type, joined by a callable discriminator, so that an unknown type in a batch reads as
`Unknown` instead of failing the whole batch. Frames are validated from raw text: strict validation of ready-made
dicts refuses dataclasses.
"""

from collections.abc import Hashable
from dataclasses import make_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast

from pydantic import Discriminator, Tag, TypeAdapter, ValidationError

import nixfleet_protocol.messages.browser  # noqa: F401  (fills the browser tables)
from nixfleet_protocol import limits
from nixfleet_protocol.decode import Unknown, parse_json
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages.registry import DIRECTIONS

T = TypeVar("T")

# Constants that pydantic's parser takes where nothing looks at the value (an unknown message or field), against RFC 8259.
_NOT_JSON = ("NaN", "Infinity")


class Validator:
    """Reads the frames of one direction; `known` is its table from the registry."""

    def __init__(self, known: dict[str, type]) -> None:
        envelopes: list[Any] = []
        for name, cls in known.items():
            envelope = make_dataclass(f"{cls.__name__}Envelope", [("type", Literal[name]), ("payload", cls)])
            envelopes.append(Annotated[envelope, Tag(name)])
        stranger = make_dataclass("UnknownEnvelope", [("type", str), ("payload", Any, None)])
        envelopes.append(Annotated[stranger, Tag("")])

        def tag(value: Any) -> str | None:
            if not isinstance(value, dict) or not isinstance(value.get("type"), str):
                return None
            return value["type"] if value["type"] in known else ""

        self._stranger: Any = stranger
        one: Any = Annotated[Union[tuple(envelopes)], Discriminator(tag)]  # noqa: UP007  (built at run time)
        self._one: TypeAdapter[Any] = TypeAdapter(one)
        self._many: TypeAdapter[list[Any]] = TypeAdapter(list[one])

    def __call__(self, frame: str) -> list[Any]:
        """Read a frame: one message or an array of them.

        Raises RemoteProtocolError, which names the message and field but never quotes the input.
        """
        if any(word in frame for word in _NOT_JSON):
            parse_json(frame)
        envelopes: list[Any]
        try:
            if frame.lstrip()[:1] == "[":
                envelopes = self._many.validate_json(frame, strict=True)
            else:
                envelopes = [self._one.validate_json(frame, strict=True)]
        except ValidationError as error:
            raise remote_error(error) from None
        except UnicodeEncodeError:
            raise RemoteProtocolError("a frame that is not JSON", 1007) from None
        if len(envelopes) > limits.BATCH_MESSAGES_MAX:
            raise RemoteProtocolError(
                f"a batch of {len(envelopes)} messages; at most {limits.BATCH_MESSAGES_MAX} are allowed"
            )
        return [
            Unknown(e.type[: limits.WORD_MAX]) if type(e) is self._stranger else e.payload for e in envelopes
        ]


@cache
def validator(direction: str) -> Validator:
    """The validator of a direction, by its name in `registry.DIRECTIONS`, as `"agent → server"`."""
    return Validator(DIRECTIONS[direction])


@cache
def _adapter(cls: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", cls))


def read_json(cls: type[T], raw: str | bytes) -> T:
    """Read the JSON text of one message or API body. Raises RemoteProtocolError naming the field."""
    try:
        result: T = _adapter(cast("Hashable", cls)).validate_json(raw, strict=True)
    except ValidationError as error:
        raise remote_error(error) from None
    return result


def remote_error(error: ValidationError) -> RemoteProtocolError:
    """The first fault in words: where and what was expected; never the input."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return RemoteProtocolError("a frame that is not JSON", 1007)
    where = ".".join(str(part) for part in first["loc"] if part != "payload")
    return RemoteProtocolError(f"{where}: {first['msg']}" if where else first["msg"])
