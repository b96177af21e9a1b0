"""A command for many hosts: what begins next."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

State = Literal["waiting", "queued", "running", "good", "bad", "refused"]
"""Of one host: `waiting` for its turn, `queued` until its host connects, `refused` without a run."""

UNBEGUN: frozenset[State] = frozenset({"waiting", "queued"})
"""What can be cancelled: nothing was tried there yet."""


class Step(NamedTuple):
    """`begin` these items, by position; `cancel` those that have not begun; or it has `ended`."""

    begin: tuple[int, ...] = ()
    cancel: tuple[int, ...] = ()
    ended: bool = False


def next_step(items: Sequence[State], concurrency: int, stop_on_failure: bool) -> Step:
    """Decide, in the order given. `concurrency` 0 is all at once.

    A refused host (offline, say) is no failure: nothing was tried there. A queued one holds nobody up.
    """
    if stop_on_failure and "bad" in items:
        cancel = tuple(i for i, state in enumerate(items) if state in UNBEGUN)
        if cancel:
            return Step(cancel=cancel)
    waiting = [i for i, state in enumerate(items) if state == "waiting"]
    room = concurrency - items.count("running") if concurrency else len(waiting)
    return Step(
        begin=tuple(waiting[: max(0, room)]),
        ended=not waiting and "running" not in items and "queued" not in items,
    )
