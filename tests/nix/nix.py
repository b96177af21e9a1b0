"""Evaluates the Nix files with a real Nix, and renders what the modules say as the systems' own modules do.

Everywhere: with the stand-in lib beside. Where NIXFLEET_NIX_SOURCES names a directory with `nixpkgs` (lib and nixos),
`home-manager` and `nix-darwin`: also inside their real modules. Both are compared with the same expected text.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from scripts.build import ROOT

HERE = Path(__file__).parent
NIX = ROOT / "nix"
SOURCES = Path(os.environ.get("NIXFLEET_NIX_SOURCES", ""))
AGENT = """{ services.nixfleet-agent = {
  enable = true;
  url = "https://fleet.example.org/a%20b";
  tokenFile = "/run/agenix/nixfleet-token";
  hostname = "web1";
  repository.url = "git@git.example.org:me/machines.git";
  repository.sshKeyFile = "/run/agenix/deploy-key";
  settings = { NIXFLEET_METRICS = "off"; NIXFLEET_CONFIRM_TIMEOUT = 120; };
}; }"""
SERVER = """{ services.nixfleet-server = {
  enable = true;
  baseUrl = "https://fleet.example.org";
  passwordHashFile = "/run/agenix/nixfleet-hash";
  settings.NIXFLEET_LOG_LEVEL = "debug";
}; }"""
UNITS = ("nixfleet-agent.service", "nixfleet-agent-runner@.service", "nixfleet-agent-runner.socket")
_HASH = re.compile(r"/\S*?/store/[0-9a-z]{32}-([a-zA-Z0-9-]+?)(-bin)?/")
_FOREIGN = re.compile(r'Environment="(LOCALE_ARCHIVE|TZDIR)=.*\n')


def environment(directory: Path) -> dict[str, str]:
    """For a Nix that keeps all of its state in `directory`."""
    places = {
        "NIX_CONF_DIR": "conf",
        "NIX_STATE_DIR": "state",
        "NIX_LOG_DIR": "log",
        "NIX_STORE_DIR": "store",
    }
    env = {name: str(directory / place) for name, place in places.items()}
    env |= {
        "HOME": str(directory),
        "XDG_CACHE_HOME": str(directory),
        "NIX_LOCALSTATE_DIR": str(directory / "var"),
    }
    return env | {"PATH": os.environ["PATH"]}


def evaluate(expression: str, directory: Path, *, check: bool = True) -> Any:
    """The value of an expression, as JSON has it. `directory` is for Nix's own state."""
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr", expression],
        env=environment(directory),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0 or not check, done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def standin(module: str, config: str, directory: Path, system: str = "x86_64-linux") -> Any:
    """What a module makes of a configuration, with the stand-in lib."""
    return evaluate(_standin(module, config, system), directory)


def failed(module: str, config: str, directory: Path) -> list[str]:
    """What a module refuses in a configuration."""
    found: list[str] = evaluate(f"({_standin(module, config, 'x86_64-linux')}).failed", directory)
    return found


def _standin(module: str, config: str, system: str) -> str:
    place = f'module = {NIX}/{module}.nix; system = "{system}";'
    return f"import {HERE}/standin/modules.nix {{ {place} config = {config}; }}"


def expected(name: str, found: str) -> None:
    """Compare with the text kept in `expected`; NIXFLEET_EXPECTED=write keeps what was found instead."""
    file = HERE / "expected" / name
    if os.environ.get("NIXFLEET_EXPECTED") == "write":
        file.write_text(found)
    assert found == file.read_text(), f"{name}: if this is meant, NIXFLEET_EXPECTED=write keeps it"


def plain(text: str) -> str:
    """Rendered text without store hashes, and without what the real modules add to every unit."""
    return _FOREIGN.sub("", _HASH.sub(r"/nix/store/\1/", text)).rstrip("\n") + "\n"


def nixos_unit(service: dict[str, Any]) -> str:
    """The text of a unit, as NixOS' systemd-lib writes it from `systemd.services` or `systemd.sockets`."""
    unit = dict(service.get("unitConfig", {}))
    unit |= {"Description": service["description"]}
    for option in ("after", "wants", "documentation"):
        if service.get(option):
            unit[option.capitalize()] = " ".join(service[option])
    lines = ["[Unit]", *_settings(unit), ""]
    if "serviceConfig" in service:
        environment = sorted(service.get("environment", {}).items())
        lines += [
            "[Service]",
            *(f"Environment={json.dumps(f'{name}={value}')}" for name, value in environment),
        ]
        lines += [
            f"X-{o[0].upper()}{o[1:]}=false" for o in ("restartIfChanged", "stopIfChanged") if o in service
        ]
        lines += [*_settings(service["serviceConfig"]), ""]
    if "socketConfig" in service:
        lines += ["[Socket]", *_settings(service["socketConfig"]), ""]
    if service.get("wantedBy"):
        lines += ["[Install]", f"WantedBy={' '.join(service['wantedBy'])}", ""]
    return plain("\n".join(lines))


def agent_units(made: dict[str, Any]) -> dict[str, str]:
    return {
        "nixfleet-agent.service": nixos_unit(made["services"]["nixfleet-agent"]),
        "nixfleet-agent-runner@.service": nixos_unit(made["services"]["nixfleet-agent-runner@"]),
        "nixfleet-agent-runner.socket": nixos_unit(made["sockets"]["nixfleet-agent-runner"]),
    }


def user_unit(sections: dict[str, dict[str, Any]]) -> str:
    """The text of a unit as home-manager writes it."""
    return plain(
        "\n".join(line for name, s in sorted(sections.items()) for line in (f"[{name}]", *_settings(s), ""))
    )


def _settings(section: dict[str, Any]) -> list[str]:
    return [
        f"{name}={str(one).lower() if isinstance(one, bool) else one}"
        for name, value in sorted(section.items())
        for one in (value if isinstance(value, list) else [value])
    ]
