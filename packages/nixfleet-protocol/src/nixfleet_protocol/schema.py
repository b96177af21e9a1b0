"""The JSON Schema (2020-12) of everything on the wire: one document, made from the messages."""

from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter

from nixfleet_protocol import limits
from nixfleet_protocol.messages import DIRECTIONS, access, api, browser, fleet
from nixfleet_protocol.messages.parts import RunView
from nixfleet_protocol.versions import PROTOCOL

API_BODIES: tuple[type, ...] = (
    *(
        value
        for module in (api, fleet, access)
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    ),
    browser.HostView,
    RunView,
)
"""Bodies of the JSON API."""


def schema() -> dict[str, Any]:
    """The document. `$defs` holds every message, part and API body by its class's name, and for each direction one
    definition, as `AgentToServer`, of what a frame may hold. Bodies of the API are listed under `x-api-bodies`.
    """
    messages = [cls for table in DIRECTIONS.values() for cls in table.values()]
    found = definitions("#/$defs/{model}", *messages)
    frames = {_frame_name(direction): _frame(table) for direction, table in DIRECTIONS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"NixFleet protocol {PROTOCOL}",
        "description": "One WebSocket text frame holds one message or an array of them. Unknown types and fields "
        "are ignored within a major version.",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in frames],
        "x-api-bodies": [cls.__name__ for cls in API_BODIES],
        "$defs": frames | found,
    }


def definitions(ref_template: str, *more: type) -> dict[str, Any]:
    """The schemas of the API's bodies, of `more` classes and of every part inside them, by class name, sorted."""
    classes = {cls.__name__: cls for cls in (*more, *API_BODIES)}
    inputs: list[Any] = [(name, "validation", TypeAdapter(cls)) for name, cls in classes.items()]
    _, shared = TypeAdapter.json_schemas(inputs, ref_template=ref_template)
    found: dict[str, Any] = shared["$defs"]
    for cls in _with_parts(classes.values()):
        _describe(found[cls.__name__], cls)
    return dict(sorted(found.items()))


def field_docs(cls: type) -> dict[str, str]:
    """What each field means: the bare string in its annotation; "" where the name says it all."""
    return {field.name: _doc(field.type) for field in fields(cls)}


def _doc(hint: Any) -> str:
    """The last string wins: a field's own words stand after those of its type."""
    if get_origin(hint) is Annotated:
        notes = [note for note in get_args(hint)[1:] if isinstance(note, str)]
        return notes[-1] if notes else _doc(get_args(hint)[0])
    return next(filter(None, map(_doc, get_args(hint))), "")


def parts_of(hint: Any) -> list[type]:
    """The message parts inside an annotation."""
    if isinstance(hint, type) and is_dataclass(hint):
        return [hint]
    return [part for arg in get_args(hint) for part in parts_of(arg)]


def _with_parts(classes: Any) -> list[type]:
    """The classes and every part inside them, each once."""
    found: list[type] = []
    waiting = list(classes)
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.append(cls)
            waiting += [part for field in fields(cls) for part in parts_of(field.type)]
    return found


def _describe(definition: dict[str, Any], cls: type) -> None:
    definition["description"] = " ".join((cls.__doc__ or "").split())
    for name, text in field_docs(cls).items():
        if text:
            definition["properties"][name]["description"] = text


def _frame_name(direction: str) -> str:
    sender, receiver = direction.split(" → ")
    return f"{sender.title()}To{receiver.title()}"


def _frame(table: dict[str, type]) -> dict[str, Any]:
    messages = [
        {
            "type": "object",
            "required": ["type", "payload"],
            "properties": {"type": {"const": name}, "payload": {"$ref": f"#/$defs/{cls.__name__}"}},
        }
        for name, cls in table.items()
    ]
    return {
        "anyOf": [
            *messages,
            {"type": "array", "items": {"anyOf": messages}, "maxItems": limits.BATCH_MESSAGES_MAX},
        ]
    }
