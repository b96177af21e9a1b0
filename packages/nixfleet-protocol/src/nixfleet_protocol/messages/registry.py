"""Which message types exist and who may send them to whom. `@message` fills the table; nothing else does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")

AGENT_TO_SERVER: dict[str, type] = {}
SERVER_TO_AGENT: dict[str, type] = {}
SERVER_TO_BROWSER: dict[str, type] = {}
BROWSER_TO_SERVER: dict[str, type] = {}

DIRECTIONS: dict[str, dict[str, type]] = {
    "agent → server": AGENT_TO_SERVER,
    "server → agent": SERVER_TO_AGENT,
    "server → browser": SERVER_TO_BROWSER,
    "browser → server": BROWSER_TO_SERVER,
}

_NAMES: dict[type, str] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def message(name: str, direction: dict[str, type]) -> Callable[[type[T]], type[T]]:
    """Make a class a message of that name and direction: a frozen, slotted, keyword-only dataclass."""

    def register(cls: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        direction[name] = made
        _NAMES[made] = name
        return made

    return register


def name_of(message: object) -> str:
    """The `type` word of a message. Raises KeyError when its class is not a message."""
    return _NAMES[type(message)]
