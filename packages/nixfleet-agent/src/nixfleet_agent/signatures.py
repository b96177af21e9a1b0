"""Signed commits only: with NIXFLEET_ALLOWED_SIGNERS a commit is checked before anything of it is run or built.

The setting is the path of an SSH allowed_signers file (ssh-keygen(1), "ALLOWED SIGNERS"), or fingerprints of GPG keys in
the agent's keyring. Each kind shuts the other out: git would else be content with any key that gpg happens to hold.
A signature says who made a commit, not that it is the newest: a server can still offer an older signed one.
"""

import os
import re
import stat
import subprocess
from collections.abc import Mapping

from nixfleet_agent.runner.ends import Failed
from nixfleet_agent.system import foreign

_TIMEOUT = 60.0
_OFF = "false"
"""The program of the kinds of signature that aren't asked for."""
_SSH_GOOD = re.compile(r'^Good "git" signature for (\S+) with \S+ key (\S+)', re.MULTILINE)
_GPG_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]+) .*?([0-9A-F]+)$", re.MULTILINE)
_GPG_BAD = ("EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG")


def check_commit(tree: str, env: Mapping[str, str], signers: str, commit: str) -> str:
    """Who signed the commit, for the log. `env` is git's. Raises Failed when no allowed signer did."""
    if signers.startswith("/"):
        check_file(signers)
        return _ssh(tree, env, signers, commit)
    return _gpg(tree, env, signers.split(","), commit)


def _ssh(tree: str, env: Mapping[str, str], file: str, commit: str) -> str:
    settings = {
        "gpg.ssh.allowedSignersFile": file,
        "gpg.ssh.program": "ssh-keygen",  # a user's own may be one that only signs
        "gpg.program": _OFF,
        "gpg.x509.program": _OFF,
    }
    good, said = _verify(tree, env, settings, commit)
    found = _SSH_GOOD.search(said)
    if not good or not found:
        raise _refusal(commit, said)
    return f"{found[1]} ({found[2]})"


def _gpg(tree: str, env: Mapping[str, str], fingerprints: list[str], commit: str) -> str:
    settings = {"gpg.program": "gpg", "gpg.ssh.program": _OFF, "gpg.x509.program": _OFF}
    good, said = _verify(tree, env, settings, commit)
    valid = _GPG_VALID.findall(said)
    # The key that signed, and the primary key that it belongs to.
    allowed = [key for key in valid if set(key) & set(fingerprints)]
    if not good or len(valid) != 1 or not allowed or any(f"[GNUPG:] {word} " in said for word in _GPG_BAD):
        raise _refusal(commit, said)
    return f"GPG key {allowed[0][1]}"


def _verify(tree: str, env: Mapping[str, str], settings: dict[str, str], commit: str) -> tuple[bool, str]:
    """Whether git is content, and what the checking program said."""
    words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    try:
        done = subprocess.run(
            ["git", *words, "verify-commit", "--raw", commit],
            cwd=tree,
            env={**foreign(), **env, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"the signature of {commit[:12]} can't be checked: {error}") from None
    return done.returncode == 0, done.stdout.decode(errors="replace")


def check_file(path: str) -> None:
    """Whoever can write the file decides what this host runs. Raises Failed."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise Failed(f"NIXFLEET_ALLOWED_SIGNERS={path}: {error.strerror}", 2) from None
    if not stat.S_ISREG(found.st_mode):
        raise Failed(f"NIXFLEET_ALLOWED_SIGNERS={path} is not a file", 2)
    if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
        raise Failed(
            f"NIXFLEET_ALLOWED_SIGNERS={path}: other users could change it: chown it to root, chmod 644", 2
        )


def check_owner(tree: str) -> None:
    """Whoever else can write a checkout changes it, or what git runs there, after its commit was checked. Raises Failed."""
    for path in (tree, os.path.join(tree, ".git")):
        try:
            found = os.stat(path)
        except OSError as error:
            raise Failed(f"{path}: {error.strerror}") from None
        if found.st_mode & stat.S_IWOTH or found.st_uid not in (0, os.geteuid()):
            raise Failed(
                f"{path}: other users could change it, so a signature there is worth nothing: chown it to the user who runs "
                "commands, or have an isolated clone made (NIXFLEET_REPO_URL)",
                2,
            )


def _refusal(commit: str, said: str) -> Failed:
    reason = next((line.strip() for line in said.splitlines() if line.strip()), "it is not signed")
    return Failed(
        f"commit {commit[:12]} is refused: it has no signature of an allowed signer "
        f"(NIXFLEET_ALLOWED_SIGNERS): {reason[:200]}"
    )
