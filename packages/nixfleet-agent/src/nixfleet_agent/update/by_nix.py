"""An agent that comes with the host's system: its flake input is updated in a throw-away worktree, built and switched to.

The repository stays as it is, so the next pull and switch reverts the update unless its lock is committed: the run says
so, and its log has the change as a patch.
"""

import json
import os
from typing import Any

from nixfleet_agent import platforms
from nixfleet_agent.__about__ import __version__
from nixfleet_agent.lock import exclusive
from nixfleet_agent.platforms.nix import NIX, NixHost
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Done, Failed

FLAKE_UPDATE_SINCE = (2, 19)
"""Nix from which on `flake update` takes names of inputs; before, `flake lock` does."""
_PROGRAMS = ("sw/bin/nixfleet-agent", "home-path/bin/nixfleet-agent")
"""Where a system has the agent, if it is in its environment."""
REVERTED = "the next pull and switch reverts it unless flake.lock is committed with this change"


def run(context: Context) -> Done:
    """Raises Failed, as a switch does."""
    config, platform = context.config, platforms.of(context.config)
    if not isinstance(platform, NixHost):
        raise Failed(
            "this agent comes from the Nix store, but the host is not one of Nix: update it there", 2
        )
    if config.allowed_signers:
        raise Failed(
            "update would build a lock that nobody signed (NIXFLEET_ALLOWED_SIGNERS): update the input in the "
            "repository, sign the commit, and pull-switch",
            2,
        )
    repository = Repository(config)
    with exclusive(config, context.check):
        repository.ensure(context)
        with repository.worktree(context, repository.head() or "HEAD") as tree:
            with context.step("lock") as step:
                before, after = _update_input(context, repository, tree)
                step.message = f"{config.update_input}: {before} → {after}" if before != after else "no newer"
            done = platform.switch_to(context, repository, tree)
            left = context.report.outcome
            new = left.store_path if left else None
            version = _version(context, platform.way().root.real(new)) if new else None
    words = f"agent {__version__} → {version}" if version else f"agent was {__version__}"
    if before == after:
        return done._replace(message=f"{words}; {config.update_input} is the newest already; {done.message}")
    return done._replace(
        message=f"{words}; {config.update_input} {before} → {after}; {REVERTED}; {done.message}"
    )


def _update_input(context: Context, repository: Repository, tree: str) -> tuple[str, str]:
    """Update the input's lock in the tree; its revisions before and after. Raises Failed."""
    name = context.config.update_input
    before = _locked(tree, name)
    argv = [*NIX, "flake", "lock", "--refresh", "--update-input", name]
    if _nix_version(context) >= FLAKE_UPDATE_SINCE:
        argv = [*NIX, "flake", "update", "--refresh", name]
    ran = context.run(argv, tree, env=repository.env)
    if ran.exit_code:
        raise Failed(f"the input {name} could not be updated: {ran.last_line}", ran.exit_code)
    after = _locked(tree, name)
    if before != after:
        context.note(f"update: {REVERTED}:")
        context.run(["git", "--no-pager", "diff", "--no-color", "--", "flake.lock"], tree, env=repository.env)
    return before, after


def _locked(tree: str, name: str) -> str:
    """What the lock holds the input at, short. Raises Failed when the flake has no such input."""
    try:
        with open(os.path.join(tree, "flake.lock"), encoding="utf-8") as file:
            lock: dict[str, Any] = json.load(file)
        nodes = lock["nodes"]
        node = nodes[lock["root"]]["inputs"][name]
        locked = nodes[node]["locked"]
    except FileNotFoundError:
        return "not locked"
    except (OSError, ValueError, KeyError, TypeError):
        raise Failed(f"the flake has no input {name}: name the agent's in NIXFLEET_UPDATE_INPUT", 2) from None
    return str(locked.get("rev") or locked.get("narHash") or "unknown")[:12]


def _nix_version(context: Context) -> tuple[int, ...]:
    """As (2, 8, 0); empty when it can't be read."""
    said = context.run(["nix", "--version"], "/").last_line.rpartition(" ")[2]
    return tuple(int(part) for part in said.split(".") if part.isdigit())


def _version(context: Context, system: str) -> str | None:
    """Version of the agent in a system, None where it isn't in the system's environment."""
    for place in _PROGRAMS:
        program = os.path.join(system, place)
        if os.path.exists(program):
            ran = context.run([program, "--version"], "/", timeout=60)
            return ran.last_line.rpartition(" ")[2] if ran.exit_code == 0 else None
    return None
