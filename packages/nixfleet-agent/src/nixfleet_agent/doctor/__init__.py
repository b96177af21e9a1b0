"""`nixfleet-agent doctor`: looks at everything the agent needs, and says of each in one line how to mend it.

Exit codes: 0 all is well (there may be warnings), 1 something on this host is wrong, 2 the configuration is wrong, 3 the
server can't be reached, 4 it doesn't take the token. With several, 2 goes before 3, 4 and 1.
"""

import json
import sys
from collections.abc import Iterator, Mapping

from nixfleet_agent.__about__ import __version__
from nixfleet_agent.config import Config, ConfigError, load
from nixfleet_agent.doctor import host, server
from nixfleet_agent.doctor.finding import EXIT, Finding


def main(env: Mapping[str, str], *, as_json: bool) -> int:
    """Examine and print; the exit code."""
    findings = []
    for finding in examine(env):
        findings.append(finding)
        if not as_json:  # as it becomes known: a step may take its time
            sys.stdout.write(f"{finding}\n")
            sys.stdout.flush()
    code = next(
        (EXIT[kind] for kind in EXIT if any(f.state == "fail" and f.kind == kind for f in findings)), 0
    )
    if as_json:
        checks = [
            {"check": f.check, "state": f.state, "said": f.said, "mend": f.mend or None} for f in findings
        ]
        sys.stdout.write(
            json.dumps({"version": __version__, "exit_code": code, "checks": checks}, indent=2) + "\n"
        )
    return code


def examine(env: Mapping[str, str]) -> Iterator[Finding]:
    """Each check's outcome, as it becomes known."""
    try:
        config = load(env)
    except ConfigError as error:
        yield Finding("configuration", "fail", str(error), kind="configuration")
        return
    yield Finding("configuration", "ok", f"{config.hostname}, platform {config.platform}, {config.url}")
    yield from _token(config)
    yield from server.examine(config, env)
    yield from host.examine(config)


def _token(config: Config) -> Iterator[Finding]:
    warnings: list[str] = []
    try:
        config.read_token(warnings.append)
    except ConfigError as error:
        mend = "write the token there, for the agent's user to read: `nixfleet-server host add` printed it"
        yield Finding("token file", "fail", str(error), mend, "configuration")
        return
    if config.token_file is None:
        said = "the token is in NIXFLEET_TOKEN, where other programs of the user see it"
        yield Finding("token file", "warn", said, "put it into a file and set NIXFLEET_TOKEN_FILE")
    elif warnings:
        said, _, mend = warnings[0].rpartition(": ")
        yield Finding("token file", "warn", said, mend)
    else:
        yield Finding("token file", "ok", config.token_file)
