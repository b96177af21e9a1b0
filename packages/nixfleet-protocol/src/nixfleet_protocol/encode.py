"""Messages to frames. Fields that hold their default are left out, so a quiet heartbeat is short."""

import json
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from nixfleet_protocol import limits
from nixfleet_protocol.messages.registry import name_of

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_FIELDS: dict[type, tuple[tuple[str, Any], ...]] = {}


def to_dict(value: Any, *, full: bool = False) -> dict[str, Any]:
    """A message or part as plain dicts, lists and scalars; defaults left out, unless `full`."""
    cls = type(value)
    table = _FIELDS.get(cls)
    if table is None:
        table = _FIELDS[cls] = tuple((f.name, _default(f)) for f in fields(cls))
    out = {}
    for name, default in table:
        item = getattr(value, name)
        if full or item != default:
            out[name] = _plain(item, full)
    return out


def encode(message: object) -> str:
    """One message as the text of one frame."""
    return _dumps({"type": name_of(message), "payload": to_dict(message)})


def encode_batches(messages: list[Any]) -> list[str]:
    """Messages as frames: a frame holds at most BATCH_MESSAGES and ends after BATCH_BYTES characters."""
    frames = []
    batch: list[str] = []
    size = 0
    for message in messages:
        text = encode(message)
        if batch and (len(batch) >= limits.BATCH_MESSAGES or size + len(text) > limits.BATCH_BYTES):
            frames.append(f"[{','.join(batch)}]")
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        frames.append(batch[0] if len(batch) == 1 else f"[{','.join(batch)}]")
    return frames


def _plain(value: Any, full: bool) -> Any:
    if is_dataclass(value):
        return to_dict(value, full=full)
    if isinstance(value, tuple):
        return [_plain(item, full) for item in value]
    return value


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING
