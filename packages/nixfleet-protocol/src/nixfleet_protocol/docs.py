"""The generated part of docs/protocol.md: every message, field, unit and example, straight from the code."""

import json
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from nixfleet_protocol import limits
from nixfleet_protocol.encode import encode, to_dict
from nixfleet_protocol.examples import EXAMPLES
from nixfleet_protocol.markers import Items, Marker
from nixfleet_protocol.messages import DIRECTIONS
from nixfleet_protocol.schema import API_BODIES, field_docs, parts_of
from nixfleet_protocol.states import COMMANDS, RUN
from nixfleet_protocol.versions import CAPABILITIES, PROTOCOL

BEGIN = "<!-- generated: `hatch run docs` writes what follows; change the code instead -->"
END = "<!-- end of the generated part -->"


def refreshed(document: str, content: str | None = None) -> str:
    """The document with its generated part made anew: `content`, or the protocol's tables.

    Raises ValueError when the two marks are not there, in order.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no generated part: it must hold {BEGIN!r} and, later, {END!r}")
    return f"{before}{BEGIN}\n\n{generated() if content is None else content}\n{END}{after}"


def generated() -> str:
    """All tables as Markdown."""
    lines: list[str] = []
    parts: list[type] = []
    for direction, table in DIRECTIONS.items():
        lines += [f"## Messages {direction}", ""]
        for name, cls in table.items():
            lines += [f"### `{name}`", "", *_body(cls), *_example(cls)]
            _collect(cls, parts)
    for cls in API_BODIES:
        _collect(cls, parts)
    bodies = [cls for cls in API_BODIES if cls not in parts]
    lines += ["## Parts of messages", ""]
    for cls in parts:
        lines += [f"### {cls.__name__}", "", *_body(cls)]
    lines += ["## Bodies of the JSON API", ""]
    for cls in bodies:
        lines += [f"### {cls.__name__}", "", *_body(cls)]
    lines += [
        "## States of a run",
        "",
        *_states(),
        "## Commands",
        "",
        *_commands(),
        "## Limits",
        "",
        *_limits(),
    ]
    return "\n".join(lines)


def _body(cls: type) -> Iterator[str]:
    yield " ".join((cls.__doc__ or "").split())
    yield ""
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    docs = field_docs(cls)
    for field in fields(cls):
        yield f"| `{field.name}` | {_cell(_type(field.type))} | {_default(field)} | {_cell(docs[field.name])} |"
    yield ""


def _example(cls: type) -> list[str]:
    [example] = [message for message in EXAMPLES if type(message) is cls]
    text = json.dumps(json.loads(encode(example)), indent=2, ensure_ascii=False)
    short = encode(example)
    return ["```json", short if len(short) <= 100 else text, "```", ""]


def _type(hint: Any) -> str:
    """An annotation in words."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *notes = get_args(hint)
        marker = next((note for note in notes if isinstance(note, Marker)), None)
        if marker is None:
            return _type(base)
        inner = f" of {_type(get_args(base)[0])}" if isinstance(marker, Items) else ""
        if isinstance(marker, Items) and (linked := parts_of(base)):
            inner = f" {_link(linked[0])}"
        return marker.describe() + inner
    if origin in (Union, types.UnionType):
        [inner_hint] = [arg for arg in get_args(hint) if arg is not type(None)]
        return f"{_type(inner_hint)}, or null"
    assert is_dataclass(hint)
    assert isinstance(hint, type)
    return _link(hint)


def _link(cls: type) -> str:
    return f"[{cls.__name__}](#{cls.__name__.lower()})"


def _default(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"`{json.dumps(field.default) if field.default != () else '[]'}`"
    if field.default_factory is not MISSING:
        return f"`{json.dumps(to_dict(field.default_factory()))}`"
    return "required"


def _collect(cls: type, parts: list[type]) -> None:
    """Add the parts inside a message, and theirs, in the order a reader meets them."""
    for field in fields(cls):
        for part in parts_of(field.type):
            if part not in parts:
                parts.append(part)
                _collect(part, parts)


def _states() -> Iterator[str]:
    yield "| state | may become | by |"
    yield "|---|---|---|"
    for state, row in RUN.items():
        after = ", ".join(f"`{name}`" for name in dict.fromkeys(row.values())) or "nothing: a run ends once"
        yield f"| `{state}` | {after} | {', '.join(row) or '–'} |"
    yield ""


def _commands() -> Iterator[str]:
    yield "| command | does | options, `timeout` and `reason` aside | while another runs |"
    yield "|---|---|---|---|"
    for name, rule in COMMANDS.items():
        options = ", ".join(f"`{option}`" for option in rule.options) or "–"
        yield f"| `{name}` | {rule.summary} | {options} | {'accepted' if rule.always else 'refused'} |"
    yield ""


def _limits() -> Iterator[str]:
    yield (
        f"Protocol {PROTOCOL}; capabilities "
        + ", ".join(f"`{name}`" for name in CAPABILITIES)
        + ". Reasons stand in"
    )
    yield "`nixfleet_protocol/limits.py`."
    yield ""
    yield "| limit | value |"
    yield "|---|---|"
    for name, value in vars(limits).items():
        if name.isupper() and name not in ("KIB", "MIB"):
            yield f"| `{name}` | {value:,} |" if isinstance(value, int) else f"| `{name}` | {value:,g} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
