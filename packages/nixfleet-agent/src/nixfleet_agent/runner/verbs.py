"""What a resident can ask of a runner: five verbs with checked arguments. No path, URL or program is among them.

A request without `verb` is a `run`: a resident older than the verbs asks so.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, TypeAdapter, ValidationError

from nixfleet_agent.launch import FORGET_MAX
from nixfleet_protocol.markers import Items, Whole
from nixfleet_protocol.messages import CommandMessage
from nixfleet_protocol.messages.fields import Bool, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End a run's runner and all that it started."""

    verb: Literal["stop"]
    run_id: RunId
    force: Bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Find out the end of a run whose runner died; the server has its records up to `have`."""

    verb: Literal["settle"]
    run_id: RunId
    have: Annotated[int, Whole(0, 2**53 - 1)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """The server has these runs whole: their journals may go in time."""

    verb: Literal["forget"]
    run_ids: Annotated[tuple[RunId, ...], Items(FORGET_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Gather the host's facts anew."""

    verb: Literal["facts"]


Ask = CommandMessage | Stop | Settle | Forget | Gather


def _tag(value: Any) -> str | None:
    return value.get("verb", "run") if isinstance(value, dict) else None


_ADAPTER: TypeAdapter[Ask] = TypeAdapter(
    Annotated[
        Annotated[CommandMessage, Tag("run")]
        | Annotated[Stop, Tag("stop")]
        | Annotated[Settle, Tag("settle")]
        | Annotated[Forget, Tag("forget")]
        | Annotated[Gather, Tag("facts")],
        Discriminator(_tag),
    ]
)


def parse(raw: bytes) -> Ask:
    """One request. Raises ValueError, whose text names the field and never quotes the input."""
    try:
        return _ADAPTER.validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "request"
        raise ValueError(f"{where}: {first['msg']}") from None
