"""What git is told wherever the agent uses it: no prompts, no program from an address, our key and no other."""

import os
import shlex

from nixfleet_agent.config import Config

CONNECT_TIMEOUT = 20
"""Seconds until an SSH server has to have answered."""
LOCAL_UPLOAD_PACK = "git -c safe.directory='*' upload-pack"
"""The other end of an origin on this machine. The operator named it, so whoever owns it is not dubious; what we tell git
in its environment doesn't reach that end."""
_TRANSPORTS = "https:ssh:git:http:file"
"""Never `ext` or `fd`, which run programs that an address names."""


def git_env(config: Config) -> dict[str, str]:
    """Variables for git, to be laid over the environment of programs that aren't the agent's own."""
    path, url = config.repository or "", config.repo_url or ""
    settings = {
        "protocol.ext.allow": "never",
        "safe.directory": path,
        "core.fsmonitor": "false",
        "advice.detachedHead": "false",
        "gc.autoDetach": "false",
        # A server that has gone silent in the middle: below a byte a second for two minutes.
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": "120",
    }
    if not config.repo_dir:
        settings["core.hooksPath"] = "/dev/null"
    if is_local(url):
        settings["remote.origin.uploadpack"] = LOCAL_UPLOAD_PACK
    env = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ALLOW_PROTOCOL": _transport(url) if url else _TRANSPORTS,
        # A damaged .git must never make git climb into a repository that happens to lie above.
        "GIT_CEILING_DIRECTORIES": os.path.dirname(path),
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_SSH_VARIANT": "ssh",
        "GIT_SSH_COMMAND": shlex.join(ssh_command(config)),
    }
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def ssh_command(config: Config) -> list[str]:
    """How git calls ssh.

    The first host key seen is remembered in the state directory, and another one refused from then on; with
    NIXFLEET_SSH_KNOWN_HOSTS only the keys in that file are taken.
    """
    if config.ssh_known_hosts:
        hosts = {
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": _quoted(config.ssh_known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
        }
    else:
        own = _quoted(os.path.join(config.state_dir, "known_hosts"))
        hosts = {"StrictHostKeyChecking": "accept-new", "UserKnownHostsFile": f"{own} ~/.ssh/known_hosts"}
    options = {
        "BatchMode": "yes",
        **hosts,
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
    }
    if config.ssh_key:
        options |= {
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": _quoted(config.ssh_key),
        }
    return ["ssh", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def is_local(url: str) -> bool:
    """Whether a repository's address is a place on this machine."""
    return url.startswith(("/", "file:"))


def _transport(url: str) -> str:
    """The one transport that an address needs: a redirect or a hostile answer leads to no other."""
    if is_local(url):
        return "file"
    scheme, slashes, _ = url.partition("://")
    return scheme if slashes else "ssh"


def _quoted(path: str) -> str:
    """A path in ssh's own syntax, where `%` begins a token and blanks end a word."""
    return '"' + path.replace("%", "%%") + '"'
