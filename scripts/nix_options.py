"""Writes the options of the Nix modules into docs/nix.md, from the modules themselves, where Nix is on PATH."""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from nixfleet_protocol.docs import refreshed

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "nix.md"
EXPRESSION = ROOT / "tests" / "nix" / "standin" / "options.nix"


def options() -> dict[str, list[dict[str, Any]]]:
    """Module → its options. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as place:
        env = {f"NIX_{name}_DIR": place for name in ("CONF", "STATE", "LOG", "STORE")} | {"HOME": place}
        nix = shutil.which("nix-instantiate") or "nix-instantiate"
        done = subprocess.run(
            [nix, "--eval", "--strict", "--json", EXPRESSION],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def table() -> str:
    """The tables, as Markdown."""
    found = options()
    shared = {option["name"] for option in found["agent"]}
    parts = {
        "The agent, on NixOS, nix-darwin and with home-manager": found["agent"],
        "The agent, on nix-darwin only": [one for one in found["darwin"] if one["name"] not in shared],
        "The server, on NixOS": found["server"],
    }
    lines = []
    for title, listed in parts.items():
        lines += [f"**{title}**", "", "| option | type | default | meaning |", "|---|---|---|---|"]
        lines += [_row(option) for option in listed]
        lines.append("")
    return "\n".join(lines).rstrip()


def _row(option: dict[str, Any]) -> str:
    meaning = " ".join(option["description"].split())
    if option["example"]:
        meaning += f" Example: `{_value(option['example'])}`"
    default = f"`{_value(option['default'])}`" if option["default"] else "required"
    kind = re.sub(r"string matching the pattern .*", "string", option["type"])
    cells = (f"`{option['name']}`", kind, default, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(given: dict[str, Any]) -> str:
    return str(given["nix"]) if "nix" in given else _nix(given["value"])


def _nix(value: Any) -> str:
    """A value in Nix's own notation."""
    if isinstance(value, dict):
        inside = " ".join(f"{name} = {_nix(one)};" for name, one in value.items())
        return f"{{ {inside} }}" if inside else "{ }"
    if isinstance(value, list):
        return "[ " + "".join(f"{_nix(one)} " for one in value) + "]"
    return json.dumps(value)


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, or nothing to do it with, 1 the document is stale (`--check`)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.nix_options", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when the document is stale"
    )
    given = parser.parse_args(argv)
    if shutil.which("nix-instantiate") is None:
        print("scripts.nix_options: no Nix on PATH: docs/nix.md stays as it is", file=sys.stderr)
        return 0
    old = DOCUMENT.read_text()
    new = refreshed(old, table())
    if given.check:
        return int(new != old)
    DOCUMENT.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
