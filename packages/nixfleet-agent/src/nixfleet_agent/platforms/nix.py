"""What NixOS, nix-darwin and home-manager have in common: a flake builds a system, a profile holds generations of it."""

import os
from collections.abc import Mapping

from nixfleet_agent.config import Config
from nixfleet_agent.nix.facts import Generation, HostFacts, generations
from nixfleet_agent.nix.reboot import reboot, switch_inhibitors
from nixfleet_agent.platforms import describe
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner import history
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.deploy import OUTPUT_MAX, Way, deploy
from nixfleet_agent.runner.ends import Done, Failed
from nixfleet_protocol.messages import Facts

NIX = ("nix", "--extra-experimental-features", "nix-command flakes")
"""A host may not have them enabled; older versions need them named."""
_LINK = "built"
_COMPARE_LIMIT = 60.0
"""Seconds that a switch waits to learn what it will change."""


class NixHost:
    """A host that is built from a flake. What differs by kind, subclasses say."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._root = config.files

    def way(self) -> Way:
        """How this host is switched."""
        raise NotImplementedError

    def attribute(self, context: Context, repository: Repository, tree: str) -> str:
        """Which output of the flake is this host's system."""
        raise NotImplementedError

    def host_facts(self) -> HostFacts:
        """What the host's files tell."""
        raise NotImplementedError

    def switch(self, context: Context, repository: Repository) -> Done:
        return self.switch_to(context, repository, repository.path)

    def switch_to(self, context: Context, repository: Repository, tree: str) -> Done:
        """The same for another working tree of the repository."""
        context.plan(4 + self._kept_steps())
        new = self.build(context, repository, tree)
        context.report.changes(self._difference(context, self.way().running(), new))
        done = deploy(context, self.way(), new, self._setting(new))
        return done._replace(message=f"{self._named()}: {done.message}")

    def rollback(self, context: Context, repository: Repository | None) -> Done:
        selected, target = self._earlier(context)
        assert target.store_path
        context.note(f"rollback: from generation {selected or 'unknown'} to {target.number}")
        context.plan(2 + self._kept_steps())
        setting = self._selecting(target.number)
        done = deploy(context, self.way(), target.store_path, setting, refuse=False)
        return done._replace(message=f"{self._named()}: {done.message}")

    def compare(self, context: Context, repository: Repository | None) -> Done:
        _, target = self._earlier(context)
        assert target.store_path
        context.plan(2 if self.way().boot else 1)
        context.note(f"check: from what runs now to generation {target.number}")
        return self._compare(context, target.store_path)

    def _earlier(self, context: Context) -> tuple[int | None, Generation]:
        """Number of the selected generation, and the one that is asked for. Raises Failed."""
        wanted = context.request.options.generation
        found = [one for one in generations(self._root, self.way().profile) if one.store_path]
        selected = next((one.number for one in found if one.selected), None)
        if wanted is None:
            earlier = [one for one in found if selected is not None and one.number < selected]
            if not earlier:
                raise Failed("there is no earlier generation to return to")
            target = earlier[-1]
        else:
            there = {one.number: one for one in found}
            if wanted not in there:
                listed = ", ".join(map(str, sorted(there))) or "none"
                raise Failed(f"there is no generation {wanted}: this host has {listed}")
            target = there[wanted]
        return selected, target

    def check(self, context: Context, repository: Repository, tree: str) -> Done:
        context.plan(3 if self.way().boot else 2)
        return self._compare(context, self.build(context, repository, tree))

    def _compare(self, context: Context, new: str) -> Done:
        """What would change if `new` ran instead of what runs; changes nothing."""
        way = self.way()
        old = way.running()
        context.report.systems(new, old)
        units = self._dry_activate(context, new) if way.boot else ""
        changes = self._difference(context, old, new, must=True)
        context.report.changes(changes, units)
        words = [] if old != new else ["nothing would change"]
        if way.boot:
            need = reboot(self._root, system=new)
            inhibitors = switch_inhibitors(self._root, new)
            if inhibitors:
                words.append(f"only a reboot brings it: {', '.join(inhibitors)}")
            context.report.reboot("required" if inhibitors else need.state, need.reasons)
            if need.state in ("required", "advised"):
                words.append(f"a reboot would be {need.state}: {', '.join(need.reasons)}")
        lines = [line for line in changes.splitlines() if line.strip()]
        words = words or [
            f"{len(lines)} packages would change" if len(lines) != 1 else "1 package would change"
        ]
        return Done("; ".join(words))

    def _difference(self, context: Context, old: str | None, new: str, *, must: bool = False) -> str:
        """Which packages differ, one a line. Without `must` only worth knowing: a switch goes on without it."""
        with context.step("compare") as step:
            if old is None:
                step.outcome, step.message = "skipped", "nothing runs yet"
                return ""
            context.note("compare: what changes")
            argv = [*NIX, "store", "diff-closures", self._root.real(old), self._root.real(new)]
            limit = None if must else _COMPARE_LIMIT
            try:
                ran = context.must(
                    "the systems could not be compared", argv, "/", tail=OUTPUT_MAX, timeout=limit
                )
            except Failed as failed:
                if must:
                    raise
                step.outcome, step.message = "skipped", str(failed)
            else:
                return describe.output(ran.tail)
        return ""

    def build(self, context: Context, repository: Repository, tree: str) -> str:
        """Evaluate and build; the system, as a path of the host, is kept from the garbage collector."""
        with context.step("build") as step:
            attribute = self.attribute(context, repository, tree)
            context.note(f"build: {attribute}")
            link = os.path.join(self._config.state_dir, _LINK)
            # No --print-build-logs: after this format it would switch it off again.
            argv = [*NIX, "build", "--verbose", "--log-format", "internal-json", "--no-write-lock-file"]
            argv += ["--out-link", link, f".#{attribute}"]
            ran, snapshot = context.nix(argv, tree, env=repository.env)
            if ran.exit_code:
                raise Failed(describe.build_failure(snapshot, ran), ran.exit_code)
            system = self._root.resolve(os.readlink(link))
            if system is None:
                raise Failed(f"nix built nothing that is there: {os.readlink(link)}")
            step.message = describe.built(snapshot, system)
        return system

    def generation(self) -> str | None:
        number = history.number(self._root, self.way().profile)
        return str(number) if number else None

    def facts(self) -> Facts:
        return describe.facts(self.host_facts(), self._root)

    def _dry_activate(self, context: Context, new: str) -> str:
        with context.step("units"):
            context.note("units: what the activation would do")
            argv = [self._root.real(f"{new}/bin/switch-to-configuration"), "dry-activate"]
            ran = context.must("the dry activation failed", argv, "/", tail=OUTPUT_MAX)
            return describe.output(ran.tail)

    def _setting(self, system: str) -> list[str] | None:
        way = self.way()
        return [*way.set_profile, "--set", self._root.real(system)] if way.set_profile else None

    def _selecting(self, number: int) -> list[str] | None:
        way = self.way()
        return [*way.set_profile, "--switch-generation", str(number)] if way.set_profile else None

    def _kept_steps(self) -> int:
        way = self.way()
        return (way.set_profile is not None) + (way.boot is not None)

    def _named(self) -> str:
        number = self.generation()
        return f"generation {number}" if number else "no generation"


def query(context: Context, argv: list[str], tree: str, env: Mapping[str, str]) -> str:
    """Ask Nix for a short answer on standard output. Raises Failed."""
    ran = context.run([*NIX, *argv], tree, env=env)
    if ran.exit_code:
        raise Failed(ran.last_line or f"nix {argv[0]} failed", ran.exit_code)
    return ran.tail.decode(errors="replace")
