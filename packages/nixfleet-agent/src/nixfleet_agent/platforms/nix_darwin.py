"""macOS with nix-darwin: `nix build`, then the system's own `activate`; the profile is set when it has proved good.

`darwin-rebuild switch` would set the profile first. `activate-user` is part of `activate` by now and isn't called.
"""

from nixfleet_agent.nix import facts
from nixfleet_agent.nix.facts import HostFacts
from nixfleet_agent.nix.reboot import CURRENT, PROFILE
from nixfleet_agent.platforms.nix import NixHost
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner import history
from nixfleet_agent.runner.activation import judge_plain
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.deploy import Way


class NixDarwin(NixHost):
    """Its activation restarts launchd's jobs, the agent's too: the runner is a session of its own and stays."""

    def way(self) -> Way:
        root = self._root
        return Way(
            root=root,
            profile=PROFILE,
            current=CURRENT,
            activate=lambda system: [root.real(f"{system}/activate")],
            judge=judge_plain,
            set_profile=("nix-env", "--profile", root.real(PROFILE)),
        )

    def attribute(self, context: Context, repository: Repository, tree: str) -> str:
        return f'darwinConfigurations."{self._config.hostname}".system'

    def host_facts(self) -> HostFacts:
        return facts.nix_darwin(self._root, history.left(self._config)[0])
