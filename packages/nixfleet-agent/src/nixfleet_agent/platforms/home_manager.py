"""A user's home-manager, on Linux and macOS: `nix build`, then the generation's own `activate`, which sets the profile."""

import json
import os
import pwd

from nixfleet_agent import kinds
from nixfleet_agent.config import Config
from nixfleet_agent.nix import facts
from nixfleet_agent.nix.facts import HostFacts
from nixfleet_agent.platforms.nix import NixHost, query
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner import history
from nixfleet_agent.runner.activation import judge_plain
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.deploy import Way
from nixfleet_agent.runner.ends import Failed


class HomeManager(NixHost):
    """The home of the user that the agent runs as. The flake may name it `USER@HOST`, `USER` or `HOST`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        user = pwd.getpwuid(os.geteuid())
        self._user = os.environ.get("USER") or user.pw_name
        self._home = os.environ.get("HOME") or user.pw_dir
        self._state = os.environ.get("XDG_STATE_HOME") or f"{self._home}/.local/state"

    def way(self) -> Way:
        root = self._root
        return Way(
            root=root,
            profile=kinds.home_profile(root, self._state, self._user),
            current=kinds.home_current(self._state),
            activate=lambda generation: [root.real(f"{generation}/activate")],
            judge=judge_plain,
            set_profile=None,
            env={"USER": self._user, "HOME": self._home},
        )

    def attribute(self, context: Context, repository: Repository, tree: str) -> str:
        argv = [
            "eval",
            "--json",
            "--no-write-lock-file",
            ".#homeConfigurations",
            "--apply",
            "builtins.attrNames",
        ]
        names = _names(query(context, argv, tree, repository.env))
        host = self._config.hostname
        wanted = (f"{self._user}@{host}", self._user, host)
        for name in wanted:
            if name in names and '"' not in name:
                return f'homeConfigurations."{name}".activationPackage'
        listed = ", ".join(names[:10]) or "none"
        raise Failed(f"the flake has no homeConfigurations named {', '.join(wanted)}; it has: {listed}")

    def host_facts(self) -> HostFacts:
        left, _ = history.left(self._config)
        return facts.home_manager(self._root, self._home, self._user, self._state, left)


def _names(output: str) -> list[str]:
    """The list that `nix eval` printed, among its warnings."""
    for line in output.splitlines():
        if line.startswith("["):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return [name for name in found if isinstance(name, str)]
    return []
