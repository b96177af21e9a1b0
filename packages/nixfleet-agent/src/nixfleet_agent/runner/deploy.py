"""Bringing a built system to life in visible steps: activate, confirm, set the profile, make it the boot's default.

Activated first, default last: a host that a bad system cuts off or hangs in between boots the old one by itself. From the
profile on nothing is undone: the new system has been found good by then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from nixfleet_agent.nix.reboot import reboot, switch_inhibitors
from nixfleet_agent.nix.root import Root
from nixfleet_agent.nix.text import store_name
from nixfleet_agent.runner import history
from nixfleet_agent.runner.activation import Judgement
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Done, Ended, Failed
from nixfleet_agent.runner.guard import Guard, NoGuard, guard_of
from nixfleet_protocol import limits

OUTPUT_MAX = 256 * limits.KIB
"""Bytes of an activation's output that are looked through for failed units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one kind of host is switched. Systems and links are paths as the host sees them, programs' as we do."""

    root: Root
    profile: str
    current: str
    activate: Callable[[str], list[str]]
    """The program that activates a system without making it the default."""
    judge: Callable[[int, bytes, bool], Judgement]
    set_profile: tuple[str, ...] | None
    """The program that changes the profile, without what to; None: activation does it."""
    boot: Callable[[str], list[str]] | None = None
    """The program that makes a system the boot's default; None where nothing boots."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What the programs get to know besides."""

    def running(self) -> str | None:
        """The system that runs now."""
        return self.root.resolve(self.current)


def deploy(
    context: Context, way: Way, new: str, set_profile: list[str] | None, *, refuse: bool = True
) -> Done:
    """Activate the system `new` and keep it; `set_profile` is the program that makes it the profile's.

    `refuse`: not a system that was rolled back before, unless `options.force`. Raises Failed, with the result
    `rolled_back` if the system before runs again, and Ended when stopped; then too the system before runs again.
    """
    old = way.running()
    context.report.systems(new, old)
    if refuse and not context.request.options.force and (why := history.refused(context.config, new)):
        raise Failed(f"this system was rolled back before ({why}): switch with force to try it again")
    if way.boot and (names := switch_inhibitors(way.root, new)):
        return _boot_only(context, way, new, set_profile, f"switch inhibitors: {', '.join(names)}")
    context.check()
    guard = guard_of(context)
    guard.prepare(old or "", new)
    try:
        found, code = _activate(context, way, new, "activate")
    except BaseException:
        guard.settle("failed")
        raise
    if found.kind == "reboot":
        guard.settle("failed")
        return _boot_only(context, way, new, set_profile, found.message, switch_exit=code)
    if found.kind in ("failed", "locked"):
        _give_up(context, way, guard, old, found.message, code)
    reason, confirmed = confirm(
        context,
        guard,
        lambda: _go_back(context, way, old),
        lambda why: history.refuse(context.config, new, why) if new != old else None,
    )
    messages = [found.message] if found.kind == "degraded" else []
    if not confirmed:
        messages.append(f"not confirmed: {reason}")
    kept = _keep(context, way, new, set_profile)
    if kept:
        messages.append(f"active, not the default: {kept}")
    _remember(context, way, "test" if kept else "switch", code)
    result = "unconfirmed" if not confirmed else "degraded" if messages else "ok"
    return Done(
        "; ".join(messages) or "activated", result, code if found.kind == "degraded" else int(bool(kept))
    )


def _activate(context: Context, way: Way, system: str, name: str) -> tuple[Judgement, int]:
    """Run the activation to its end, also when a stop is asked meanwhile: half an activation leaves units stopped."""
    with context.step(name, store_name(system)) as step, context.shielded():
        context.note(f"{name}: {store_name(system)}")
        ran = context.run(way.activate(system), "/", env=way.env, tail=OUTPUT_MAX)
        found = way.judge(ran.exit_code, ran.tail, way.running() == system)
        step.message = found.message
        step.outcome = {"ok": "ok", "degraded": "degraded", "reboot": "skipped"}.get(found.kind, "failed")
        context.report.failed_units(found.units)
    return found, ran.exit_code


def confirm(
    context: Context, guard: Guard, go_back: Callable[[], str], refuse: Callable[[str], None]
) -> tuple[str, bool]:
    """Wait for the guard's word: why the new system stays, and whether it was seen to reach the server.

    If it isn't to stay, `go_back` is done (which returns why that failed, or nothing), `refuse` told why, and Failed
    raised. Raises Ended when stopped, after going back.
    """
    try:
        with context.step("confirm") as step:
            guard.activated()
            verdict = guard.wait(context)
            context.check()
            step.message = verdict.reason
            if isinstance(guard, NoGuard):
                step.outcome = "skipped"
            elif not verdict.keep:
                step.outcome = "failed"
            elif not verdict.confirmed:
                step.outcome = "degraded"
    except Ended:
        why = go_back()
        guard.settle("failed" if why else "rolled_back")
        if why:
            context.note(f"rollback: {why}")
        raise
    if verdict.keep:
        guard.settle("confirmed" if verdict.confirmed else "unconfirmed")
        return verdict.reason, verdict.confirmed
    why = go_back()
    guard.settle("failed" if why else "rolled_back")
    refuse(verdict.reason)
    if why:
        raise Failed(f"{verdict.reason}; the rollback failed too: {why}")
    raise Failed(f"rolled back: {verdict.reason}", result="rolled_back")


def _give_up(context: Context, way: Way, guard: Guard, old: str | None, message: str, code: int) -> NoReturn:
    """The activation failed. If it got so far that another system runs now, the one before is brought back."""
    if old is None or way.running() == old:
        guard.settle("failed")
        raise Failed(message, code)
    why = _go_back(context, way, old)
    guard.settle("failed" if why else "rolled_back")
    if why:
        raise Failed(f"{message}; the rollback failed too: {why}", code)
    raise Failed(f"rolled back: {message}", code, "rolled_back")


def _go_back(context: Context, way: Way, old: str | None) -> str:
    """Activate the system before again. Returns why that failed, or nothing."""
    if old is None:
        return "there is no system to return to"
    try:
        with context.shielded():
            found, _ = _activate(context, way, old, "rollback")
    except Failed as failed:
        return str(failed)
    return "" if found.kind in ("ok", "degraded") else found.message


def _keep(context: Context, way: Way, new: str, set_profile: list[str] | None) -> str:
    """Make the active system the default. Returns why that failed, or nothing."""
    programs = [("profile", set_profile), ("boot", way.boot(new) if way.boot else None)]
    for name, argv in programs:
        if argv is None:
            continue
        try:
            with context.step(name) as step, context.shielded():
                words = "the boot entry" if name == "boot" else "the profile"
                context.note(f"{name}: {store_name(new)}")
                context.must(f"{words} could not be set", argv, "/")
                step.message = (
                    f"generation {number}" if (number := history.number(way.root, way.profile)) else ""
                )
        except Failed as failed:
            return str(failed)
    return ""


def _boot_only(
    context: Context, way: Way, new: str, set_profile: list[str] | None, why: str, switch_exit: int = 0
) -> Done:
    """Make a system that can't be switched to the default of the next boot."""
    if not any(step.name == "activate" for step in context.report.steps):
        context.report.skip("activate", f"{why}; it runs after a reboot")
    if kept := _keep(context, way, new, set_profile):
        raise Failed(kept)
    _remember(context, way, "boot", switch_exit, boot_only=True)
    return Done(f"ready for the next boot, which it needs: {why}")


def _remember(
    context: Context, way: Way, action: history.Action, code: int, *, boot_only: bool = False
) -> None:
    """Write down how the host was left, and tell whether it needs a reboot."""
    history.left_as(context.config, way.root, action, way.profile, way.current, code)
    if way.boot:
        need = reboot(way.root, code)
        context.report.reboot("required" if boot_only else need.state, need.reasons)
