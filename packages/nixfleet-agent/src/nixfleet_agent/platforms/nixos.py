"""NixOS: `nix build`, then the system's own switch-to-configuration, a step at a time."""

from nixfleet_agent.nix import facts
from nixfleet_agent.nix.facts import HostFacts
from nixfleet_agent.nix.reboot import CURRENT, PROFILE
from nixfleet_agent.platforms.nix import NixHost
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner import history
from nixfleet_agent.runner.activation import judge_nixos
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.deploy import Way


class NixOS(NixHost):
    """Never `nixos-rebuild switch`: it makes the new system the default first, and activates it through a pipe."""

    def way(self) -> Way:
        root = self._root

        def program(verb: str, system: str) -> list[str]:
            return [root.real(f"{system}/bin/switch-to-configuration"), verb]

        return Way(
            root=root,
            profile=PROFILE,
            current=CURRENT,
            activate=lambda system: program("test", system),
            judge=judge_nixos,
            set_profile=("nix-env", "--profile", root.real(PROFILE)),
            boot=lambda system: program("boot", system),
        )

    def attribute(self, context: Context, repository: Repository, tree: str) -> str:
        return f'nixosConfigurations."{self._config.hostname}".config.system.build.toplevel'

    def host_facts(self) -> HostFacts:
        left, code = history.left(self._config)
        return facts.nixos(self._root, left, code)
