"""`nixfleet-agent run`: puts the resident together."""

import contextlib
import os

from nixfleet_agent import kinds
from nixfleet_agent.__about__ import __version__
from nixfleet_agent.backoff import Backoff
from nixfleet_agent.config import Config, ConfigError
from nixfleet_agent.core import Core
from nixfleet_agent.files import NotPrivate, own_directory, read_json, roots_directory
from nixfleet_agent.identity import Identity
from nixfleet_agent.launch import launcher
from nixfleet_agent.lock import Held, Lock
from nixfleet_agent.log import Log
from nixfleet_agent.loop import Loop
from nixfleet_agent.runs import Runs


def main(config: Config) -> int:
    """Run until stopped. Exit code 0 after SIGTERM or `restart`, 2 when another agent runs here or nothing can be stored."""
    log = Log(config.log_level, config.log_format)
    try:
        config.read_token(log.warning)
    except ConfigError as error:
        log.error("configuration", reason=str(error))
        return 2
    try:
        with contextlib.suppress(FileExistsError):  # something is there: the next line says what
            os.makedirs(config.resident_dir, mode=0o700)
        own_directory(config.resident_dir)
        if config.runner_socket:
            roots_directory(config.state_dir)
        lock = Lock(os.path.join(config.resident_dir, "agent.lock"))
    except Held as held:
        pid = held.holder.get("pid", "unknown")
        log.error("another agent is running on this state directory", pid=pid, state_dir=config.state_dir)
        return 2
    except NotPrivate as error:
        log.error("the state directory can't be trusted", reason=str(error))
        return 2
    except OSError as error:
        log.error("the state directory can't be used", path=error.filename, reason=error.strerror)
        return 2
    log.info(
        "starting",
        version=__version__,
        hostname=config.hostname,
        url=str(config.url),
        state_dir=config.state_dir,
    )
    if config.repository is None:
        log.warning(
            "no repository: pull, switch and test will fail until NIXFLEET_REPO_URL or NIXFLEET_REPO_DIR is set"
        )
    runs = Runs(config.state_dir, config.resident_dir)
    runs.prune()
    commands = kinds.commands(config.platform, config.repository, config.hostname)
    if config.runner_socket and (told := read_json(os.path.join(config.state_dir, kinds.ABLE))):
        commands = tuple(name for name in told.get("commands", ()) if isinstance(name, str)) or commands
    identity = Identity(config.hostname, config.platform, config.interval, commands)
    core = Core(identity, Backoff(_chance), runs.undelivered())
    try:
        code = Loop(config, core, runs, launcher(config, dict(os.environ)), log).run()
    except Exception:  # noqa: BLE001  (the supervisor starts us anew, and the journals have everything)
        import traceback

        log.error("internal error", trace=traceback.format_exc())
        code = 1
    log.info("stopped", exit_code=code)
    lock.release()
    return code


def _chance() -> float:
    """From 0 to 1, without the `random` module, which costs a tenth of a megabyte."""
    return int.from_bytes(os.urandom(6)) / 2**48
