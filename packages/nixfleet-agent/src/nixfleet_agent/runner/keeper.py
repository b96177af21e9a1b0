"""The guard of a switch: what it writes down before, whom it asks after, and who decides when it has died itself."""

import contextlib
import os
import time
from collections.abc import Callable

from nixfleet_agent.config import Config
from nixfleet_agent.doorbell import ring_once
from nixfleet_agent.files import Disk
from nixfleet_agent.lock import Held, Lock
from nixfleet_agent.runner import pending, probes, resident, timer
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.decision import Situation, decide
from nixfleet_agent.runner.ends import Ended, Failed
from nixfleet_agent.runner.guard import Verdict
from nixfleet_agent.runner.pending import Pending
from nixfleet_agent.system import boot_id

RECENT = 60.0
"""Seconds without the server before an activation that make it one that was unreachable already."""
ACTIVATION_LIMIT = 3600.0
"""Seconds that an activation may take before a dead runner's switch is decided by somebody else."""
MARGIN = 30.0
"""Seconds that the dead man's timer leaves the runner to decide itself."""
LEFT_OVER = 600.0
"""Seconds after its deadline at which an undecided switch is in nobody's hands any more."""
UNDECIDED = "an earlier switch is still to be confirmed or rolled back"
GOODBYE_MAX = 300.0
"""Seconds by which a server's goodbye can extend the window: the word for it is the resident's."""
_LOOK_EVERY = 0.2
_HEALTH_EVERY = 3.0
_HURRY_EVERY = 4.0


class Keeper:
    """Watches over one activation: see `guard.Guard`."""

    def __init__(
        self, context: Context, disk: Disk | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = context.config
        self._context = context
        self._disk = disk or Disk()
        self._clock = clock
        self._lock: Lock | None = None
        self._pending: Pending | None = None
        self._restarted = False

    def prepare(self, old: str, new: str) -> None:
        now = self._clock()
        run_id = self._context.request.run_id
        earlier = pending.load(self._config)
        here = earlier is not None and earlier.boot_id == boot_id(self._config.files)
        late = earlier is not None and (earlier.decided is not None or now >= earlier.deadline + LEFT_OVER)
        if earlier and here and earlier.run_id != run_id and not late:
            raise Failed(UNDECIDED)
        seen = resident.look(self._config)
        armed = seen.opened is not None or (seen.lost is not None and now - seen.lost < RECENT)
        made = Pending(
            run_id,
            old,
            new,
            boot_id(self._config.files),
            armed,
            now + ACTIVATION_LIMIT,
            healthy=probes.healthy(self._config),
        )
        try:
            self._lock = pending.lock(self._config)
            pending.root_systems(made)
            pending.store(self._config, made, self._disk)
        except Held:
            raise Failed(UNDECIDED) from None
        except OSError as error:
            pending.unroot_systems(made)
            raise Failed(f"nothing can be written down for a rollback: {error.strerror}") from None
        self._pending = self._arm(made, ACTIVATION_LIMIT)
        if not armed:
            self._context.note("the server was unreachable before the switch: no rollback if it stays so")
        if not made.healthy:
            self._context.note("the health check fails before the switch already: it decides nothing")

    def activated(self) -> None:
        assert self._pending
        now = self._clock()
        window = self._config.confirm_timeout
        goodbye = resident.look(self._config).goodbye  # the next process won't know
        self._pending = self._pending._replace(activated=now, deadline=now + window + MARGIN, goodbye=goodbye)
        with contextlib.suppress(
            OSError
        ):  # a full disk is no reason to lose a host: the earlier deadline stays
            pending.store(self._config, self._pending, self._disk)
        self._pending = self._arm(self._pending, window + MARGIN)
        self._restarted = resident.restart(self._config)

    def wait(self, context: Context) -> Verdict:
        made = self._pending
        assert made
        assert made.activated is not None
        start, health_at, hurry_at = made.activated, 0.0, 0.0
        end = limit = start + self._config.confirm_timeout
        healthy = False
        while (now := self._clock()) < end:
            self._check(context)
            seen = resident.look(self._config)
            away = seen.goodbye or made.goodbye
            if away is not None and away > start and end == limit:
                end = min(away, now + GOODBYE_MAX) + self._config.confirm_timeout
                self._context.note("the server says goodbye: its return is waited for")
                self._pending = self._arm(made._replace(deadline=end + MARGIN), end + MARGIN - now)
            if is_confirmed(seen, start, self._restarted):
                healthy = healthy or not made.healthy or (now >= health_at and probes.healthy(self._config))
                if healthy:
                    break
                health_at = health_at if now < health_at else now + _HEALTH_EVERY
            if (
                seen.opened is None and now >= hurry_at
            ):  # the server may be back, the resident still wait a minute
                hurry_at = now + _HURRY_EVERY
                ring_once(self._config.resident_dir, "connect")
            time.sleep(_LOOK_EVERY)
        return decide(situation(self._config, self._pending or made, self._restarted))

    def settle(self, outcome: str) -> None:
        if self._pending:
            timer.disarm(self._pending.run_id)
            pending.clear(self._config, self._disk)
            pending.unroot_systems(self._pending)
        if self._lock:
            self._lock.release()
        self._pending = self._lock = None

    def _check(self, context: Context) -> None:
        """Raises Ended when the run is stopped. A host that goes down stops it, too: nothing is activated then."""
        try:
            context.check()
        except Ended:
            if timer.stopping():
                os._exit(1)  # as if killed: the next boot brings the system before, and its agent tells
            raise

    def _arm(self, made: Pending, seconds: float) -> Pending:
        problem = timer.arm(made.run_id, seconds)
        if problem and made.timer is False and made.activated is None:
            self._context.note(f"no timer stands by in case the runner dies: {problem}")
        made = made._replace(timer=problem is None)
        with contextlib.suppress(OSError):
            pending.store(self._config, made, self._disk)
        return made


def is_confirmed(seen: resident.Seen, since: float, restarted: bool) -> bool:
    """Registered on a connection opened after the activation, by a resident started after it, where one was."""
    anew = seen.started is not None and seen.started > since
    return seen.opened is not None and seen.opened > since and (anew or not restarted)


def situation(config: Config, made: Pending, restarted: bool) -> Situation:
    """Look around. Takes some seconds when places are silent."""
    seen = resident.look(config)
    asked = probes.places(config)
    away = seen.goodbye or made.goodbye
    confirmed = made.activated is not None and is_confirmed(seen, made.activated, restarted)
    return Situation(
        first=not made.old,
        armed=made.armed,
        confirmed=confirmed,
        healthy=not made.healthy or probes.healthy(config),
        server="answers" if confirmed or probes.server_answers(config) else "silent",
        local=config.url is not None and probes.is_local(config.url.host),
        goodbye=away is not None and made.activated is not None and away > made.activated,
        probes="none" if not asked else "some" if probes.any_answers(asked, config.ca_file) else "silent",
    )
