"""What the host is and runs, gathered by runners into STATE_DIR/facts.json; the resident only reads that file."""

import contextlib
import math
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace

from nixfleet_agent import kinds, platforms
from nixfleet_agent.config import Config
from nixfleet_agent.doorbell import ring_once
from nixfleet_agent.files import swap_json
from nixfleet_agent.lock import exclusive
from nixfleet_agent.repository import Repository
from nixfleet_agent.runner.ends import Failed, Ran
from nixfleet_agent.system import boot_id, failed_units, foreign
from nixfleet_protocol import limits
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import Facts


def gather(config: Config, repo_error: str | None = None) -> Facts:
    """Everything known now. `repo_error` overrides what a look at the repository says; empty, that there's none."""
    facts = replace(
        platforms.of(config).facts(),
        boot_id=boot_id(config.files),
        failed_units=failed_units(config.files),
        launcher="socket" if config.resident_user else "spawn",
    )
    try:
        repository = Repository(config)
    except Failed as failed:
        return replace(facts, repo_error=str(failed))
    reason = repository.problem() if repo_error is None else repo_error
    wanted = repository.wanted()
    return replace(
        facts,
        commit=repository.head(),
        wanted_commit=wanted.commit if wanted else None,
        wanted_at=wanted.at if wanted else None,
        behind=repository.behind(wanted.commit) if wanted else None,
        dirty=repository.dirty(),
        branch=config.branch if config.repo_url else None,
        repo_error=reason[: limits.TEXT_MAX] if reason else None,
    )


def publish(config: Config, repo_error: str | None = None) -> Facts:
    """Gather, store, and tell the resident. A disk that refuses is no reason to fail."""
    facts = gather(config, repo_error)
    with contextlib.suppress(OSError):
        swap_json(os.path.join(config.state_dir, "facts.json"), to_dict(facts))
        if config.resident_user:  # it can't look into root's clone for what the repository lets this host do
            able = kinds.commands(config.platform, config.repository, config.hostname)
            swap_json(os.path.join(config.state_dir, kinds.ABLE), {"commands": able})
    ring_once(config.resident_dir, "facts")
    return facts


class _Busy(Exception):
    """A run works on the repository; its end brings new facts."""


def main(config: Config) -> int:
    """`nixfleet-agent facts`: started by the resident. Makes the isolated clone if there is none yet, and fetches
    where NIXFLEET_FETCH_INTERVAL asks for it and has passed since the last time."""
    error = None
    # Quickly, before a clone that may take its time. That there is none yet is no error while it is being made.
    publish(config, "" if config.repo_url and not os.path.lexists(config.repository or "") else None)
    if not config.repo_url and not config.fetch_interval:
        return 0
    try:
        with exclusive(config, _give_way):
            repository = Repository(config)
            if config.repo_url:
                repository.prepare(_quietly, lambda text: None)
            wanted = repository.wanted()
            age = time.time() - wanted.at / 1000 if wanted else math.inf
            if config.fetch_interval and not 0 <= age < config.fetch_interval:
                repository.fetch(_quietly, lambda text: None)
    except _Busy:
        return 0
    except Failed as failed:
        error = str(failed)
    except OSError as failed:
        error = f"{failed.filename}: {failed.strerror}"
    publish(config, error)
    return 0


def _give_way() -> None:
    raise _Busy


def _quietly(
    argv: list[str], cwd: str, *, env: Mapping[str, str] | None = None, timeout: float | None = None
) -> Ran:
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**foreign(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ran(124, b"", True)
    except OSError as error:
        raise Failed(f"{argv[0]} can't be started: {error.strerror}", 127) from None
    return Ran(done.returncode, done.stderr[-4096:])
