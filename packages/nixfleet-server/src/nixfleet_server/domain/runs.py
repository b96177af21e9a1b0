"""What becomes of runs: decisions when an agent registers, and when an operator asks for one."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from nixfleet_protocol.messages import KnownRun, Options, RunView
from nixfleet_protocol.states import COMMANDS

RESEND_LIMIT_MS = 24 * 3600 * 1000
"""A command that could not be delivered for so long is not started any more: nobody expects it by then."""

UNKNOWN_TO_AGENT = "interrupted: the agent no longer knows this run"
TOO_OLD = "expired: it could not be delivered within 24 hours"
QUEUE_SECONDS = 24 * 3600.0
"""How long a queued run waits unless told otherwise: for a laptop, until it is opened tomorrow."""
OFFERED_IF_INCOMPATIBLE = frozenset({"update"})
"""Commands that an agent of a strange major version still gets."""


class Decision(NamedTuple):
    """What to do with one run.

    `follow` the agent, `resend` its command, `withhold` it for its stop to decide, `end` it with `result` and `message`,
    `adopt` a run that only the agent knows, or let the agent `forget` it.
    """

    action: Literal["follow", "resend", "withhold", "end", "adopt", "forget"]
    run_id: str
    result: str = ""
    message: str = ""


class Known(NamedTuple):
    """What the server's table says of a run that an agent lists."""

    host_id: str
    state: str


def at_register(
    host_id: str,
    listed: Iterable[KnownRun],
    table: Mapping[str, Known],
    unfinished: Iterable[RunView],
    now: int,
) -> list[Decision]:
    """Decide for every run the agent lists and every run of the host that it should know by now.

    `table` holds the listed runs that have a row; `unfinished` the host's own; `now` is in milliseconds.

    A run that is to be stopped is not sent again. That it isn't listed does not mean that nobody heard of it: an agent
    that is just launching it does not list it, but answers its stop.
    """
    decisions = []
    listed, unfinished = list(listed), list(unfinished)
    names = {run.run_id for run in listed}
    stops = [view for view in unfinished if view.command == "stop"]
    to_stop = {view.options.target for view in stops if view.state == "sent" or view.run_id in names}
    for run in listed:
        known = table.get(run.run_id)
        if known is None:
            decisions.append(Decision("adopt", run.run_id))
        elif known.host_id != host_id or known.state == "ended":
            decisions.append(Decision("forget", run.run_id))
        else:
            decisions.append(Decision("follow", run.run_id))
    for view in unfinished:
        if view.run_id in names or view.state == "queued":
            continue  # listed above; or not sent yet, so the agent owes no answer
        if view.state == "running":
            decisions.append(Decision("end", view.run_id, "interrupted", UNKNOWN_TO_AGENT))
        elif view.run_id in to_stop:
            decisions.append(Decision("withhold", view.run_id))
        elif view.options.target is None and now - view.created_at >= RESEND_LIMIT_MS:
            # But to stop a run, and no other, it is never too late.
            decisions.append(Decision("end", view.run_id, "expired", TOO_OLD))
        else:
            decisions.append(Decision("resend", view.run_id))
    return decisions


def option_problem(command: str, options: Options) -> str | None:
    """Why these options can't go with this command, in words; None when they can."""
    allowed = COMMANDS[command].options
    for name in ("ref", "generation", "target"):
        if getattr(options, name) is not None and name not in allowed:
            takes = ", ".join((*allowed, "timeout", "reason"))
            return f"options.{name}: {command} takes no {name} (it takes {takes})"
    if options.ref is not None and options.generation is not None:
        return f"options.generation: {command} takes a ref or a generation, not both"
    if options.timeout is not None and options.timeout <= 0:
        return "options.timeout: expected more than 0 seconds"
    if options.expires is not None and options.expires <= 0:
        return "options.expires: expected more than 0 seconds"
    if options.queue and COMMANDS[command].always:
        return f"options.queue: {command} is about what happens now, it can't wait"
    return None
