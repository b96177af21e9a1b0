"""The environment of the agent that is installed on this host, for people who ask about it from their own shell."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping

from nixfleet_agent.config import ConfigError
from nixfleet_agent.units.installation import SERVICE

FILE = "/etc/nixfleet/agent.env"
"""Where the installer writes the variables."""
_TIMEOUT = 10.0


def of_agent(env: Mapping[str, str], file: str | None = None) -> dict[str, str]:
    """`env` with the agent's own variables.

    They come from `file`; without one from `env` itself, if it has any; else from the installed unit, or FILE. Raises
    ConfigError when a given file can't be read.
    """
    if file:
        return {**env, **_read(file)}
    if env.get("NIXFLEET_URL") or env.get("NIXFLEET_STATE_DIR"):
        return dict(env)
    for scope in ("--system", "--user"):
        if found := _of_unit(scope):
            return {**env, **found}
    return {**env, **_read(FILE)} if os.access(FILE, os.R_OK) else dict(env)


def parse(text: str) -> dict[str, str]:
    """The variables of an environment file as systemd reads it: NAME=value, quotes allowed, # and ; for comments."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and name.isidentifier():
            try:
                found[name] = "".join(shlex.split(value)) if value[:1] in ("'", '"') else value.strip()
            except ValueError:
                found[name] = value
    return found


def _read(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read(2**20))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path}: {reason}") from None


def _of_unit(scope: str) -> dict[str, str]:
    """The NIXFLEET_* variables of the agent's unit, empty where systemd knows none."""
    program = shutil.which("systemctl")
    if program is None:
        return {}
    argv = [program, scope, "show", SERVICE, "--property=Environment", "--property=EnvironmentFiles"]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, str] = {}
    for line in done.stdout.decode(errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name == "Environment":
            found |= dict(word.partition("=")[::2] for word in shlex.split(value))
        elif name == "EnvironmentFiles":
            path = value.partition(" (")[0]
            found |= _read(path) if os.access(path, os.R_OK) else {}
    return {name: value for name, value in found.items() if name.startswith("NIXFLEET_")}
