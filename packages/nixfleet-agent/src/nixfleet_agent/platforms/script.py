"""Any host: the repository brings its own `hosts/HOST/switch`, or one `switch` for all; also `rollback` and `check`."""

import json
import os

from nixfleet_agent import kinds
from nixfleet_agent.config import Config
from nixfleet_agent.files import Disk, read_json
from nixfleet_agent.nix.text import plain
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner.capture import TAIL_BYTES
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.deploy import confirm
from nixfleet_agent.runner.ends import Done, Failed, Ran
from nixfleet_agent.runner.guard import guard_of
from nixfleet_agent.system import operating_system
from nixfleet_protocol import limits
from nixfleet_protocol.messages import Facts


class Script:
    """The generation counts successful switches; STATE_DIR/deployed.json holds it with the commit deployed."""

    def __init__(self, config: Config, disk: Disk | None = None) -> None:
        self._config = config
        self._disk = disk or Disk()
        self._file = os.path.join(config.state_dir, "deployed.json")

    def switch(self, context: Context, repository: Repository) -> Done:
        """Watched over where the repository has a `rollback` to go back with."""
        if kinds.program(repository.path, self._config.hostname, "rollback") is None:
            return self._change(context, repository, "switch", {})
        guard, old = guard_of(context), self._count()
        guard.prepare(str(old or ""), str(old + 1))
        try:
            done = self._change(context, repository, "switch", {})
        except BaseException:
            guard.settle("failed")
            raise
        reason, confirmed = confirm(context, guard, lambda: self._back(context, repository), lambda why: None)
        return done if confirmed else Done(f"{done.message}; not confirmed: {reason}", "unconfirmed")

    def rollback(self, context: Context, repository: Repository | None) -> Done:
        """The repository's own program knows where to; NIXFLEET_GENERATION holds the generation asked for, if one was."""
        if repository is None:
            raise Failed("no repository: it would hold the program that goes back", 2)
        return self._change(context, repository, "rollback", _generation(context))

    def _back(self, context: Context, repository: Repository) -> str:
        try:
            with context.shielded():
                self._change(context, repository, "rollback", {})
        except Failed as failed:
            return str(failed)
        return ""

    def check(self, context: Context, repository: Repository, tree: str) -> Done:
        with context.step("check"):
            env = _generation(context)
            ran = self._run(context, tree, "check", repository.head(), env, tail=limits.CHANGES_MAX)
            context.report.changes(plain(ran.tail.decode(errors="replace")).strip(), "")
        return Done("checked; the log shows what would change")

    def compare(self, context: Context, repository: Repository | None) -> Done:
        """The repository's own `check`, which finds the generation in NIXFLEET_GENERATION."""
        if repository is None:
            raise Failed("no repository: it would hold the program that compares", 2)
        return self.check(context, repository, repository.path)

    def generation(self) -> str | None:
        count = self._count()
        return str(count) if count else None

    def facts(self) -> Facts:
        name, version = operating_system()
        return Facts(os=name, os_version=version, generation=self.generation())

    def _count(self) -> int:
        value = (read_json(self._file) or {}).get("generation")
        return value if isinstance(value, int) and value > 0 else 0

    def _change(self, context: Context, repository: Repository, name: str, env: dict[str, str]) -> Done:
        commit = repository.head()
        with context.step(name) as step:
            self._run(context, repository.path, name, commit, env)
            generation = self._count() + 1
            deployed = {"generation": generation, "commit": commit, "run_id": context.request.run_id}
            step.message = f"generation {generation}"
            try:
                self._disk.replace(self._file, json.dumps(deployed).encode())
            except OSError as error:  # a full disk is no reason to leave what was changed unwatched
                step.message, step.outcome = f"done, but not counted: {error.strerror}", "degraded"
                return Done(step.message, "degraded", 1)
        return Done(step.message)

    def _run(
        self,
        context: Context,
        tree: str,
        name: str,
        commit: str | None,
        env: dict[str, str],
        tail: int = TAIL_BYTES,
    ) -> Ran:
        program = self._program(tree, name)
        shown = os.path.relpath(program, tree)
        context.note(f"{name}: {shown} at {commit[:12] if commit else 'an unknown commit'}")
        ran = context.run([program], tree, env=env, tail=tail)
        if ran.exit_code:
            reason = f": {ran.last_line}" if ran.last_line else ""
            raise Failed(f"{shown} failed with exit code {ran.exit_code}{reason}", ran.exit_code)
        return ran

    def _program(self, tree: str, name: str) -> str:
        place = kinds.program(tree, self._config.hostname, name)
        if place is None:
            own = f"hosts/{self._config.hostname}/{name}"
            raise Failed(f"the repository has no {own} and no {name} at its root", 127)
        if os.access(place, os.X_OK):
            return place
        raise Failed(
            f"{os.path.relpath(place, tree)} is not executable: `git update-index --chmod=+x` it", 126
        )


def _generation(context: Context) -> dict[str, str]:
    wanted = context.request.options.generation
    return {"NIXFLEET_GENERATION": str(wanted)} if wanted else {}
