"""An agent that pip installed: the newest version from pip's index, tried beside the installed one, then put in its place.

    fetch     the newest version and what it needs anew, as wheels; nothing is installed
    try       installed beside, started once: a version that can't start here never takes the place of one that can
    install   what was tried takes the place of the old files, in one step of the file system
    restart   the resident starts anew, and must reach the server; else the old files come back, and it starts anew again

Which index that is, pip's own settings say (pip.conf, PIP_INDEX_URL). The network is used by the first step only.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import pkgutil
import re
import signal
import sys
import time

import nixfleet_agent
import nixfleet_protocol
from nixfleet_agent.runner import probes, resident
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Done, Ended, Failed
from nixfleet_agent.runner.keeper import is_confirmed
from nixfleet_agent.update.site import Site, beside, libraries, plain, programs

FETCH_TIMEOUT = 900.0
_INSTALL_TIMEOUT = 300.0
_START_TIMEOUT = 60.0
RESTART_TIMEOUT = 60.0
"""Seconds for the new agent to reach the server where NIXFLEET_CONFIRM_TIMEOUT turns confirming off."""
_LOOK_EVERY = 0.2
_PIP = (sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input")
_STARTS = "import nixfleet_agent.resident, nixfleet_agent.runner.main, nixfleet_agent.cli"
"""What shows that all it needs is there: the modules of resident and runner."""


def run(context: Context, installed: importlib.metadata.Distribution) -> Done:
    """Raises Failed, with the result `rolled_back` when the new version was installed and didn't come up."""
    old, site = installed.version, str(installed.locate_file("")).rstrip("/")
    where = programs(installed)
    _check_places(site, os.path.dirname(site), where)
    context.plan(4)
    with beside(site) as place:
        wheels, trial = os.path.join(place, "wheels"), os.path.join(place, "trial")
        with context.step("fetch") as step:
            wanted = _wanted(context, place, installed.name, old)
            new = wanted.get(installed.name, old)
            if new == old:
                step.message = f"there is none newer than {old}"
                return Done(f"version {old} is the newest already{_catch_up(context, old)}")
            exactly = [f"{name}=={version}" for name, version in wanted.items()]
            argv = [*_PIP, "wheel", "--wheel-dir", wheels, "--no-deps", *exactly]
            _must(context, f"version {new} could not be fetched", argv, FETCH_TIMEOUT)
            step.message = f"the newest is {new}"
        with context.step("try", new):
            _try(context, trial, ["--no-index", "--find-links", wheels, "--no-deps", *exactly], new)
        _load_everything()
        with context.shielded():
            with context.step("install", new):
                files = Site(site, where, place)
                files.put(trial, wanted)
            try:
                confirmed = _restart(context, new)
            except (Failed, Ended, OSError) as error:
                try:
                    files.restore()
                finally:
                    if isinstance(error, Failed) and error.result == "rolled_back":
                        _wait_for(context, old)
                raise
    words = f"version {old} → {new}"
    return Done(words) if confirmed else Done(f"{words}; the server could not be reached", "unconfirmed")


def _check_places(*places: str) -> None:
    for place in places:
        if not os.access(place, os.W_OK):
            raise Failed(f"this user can't write {place}: update the agent as the user who installed it", 2)
    if importlib.util.find_spec("pip") is None:
        raise Failed(f"there is no pip in {sys.prefix}: {sys.executable} -m ensurepip", 2)


def _catch_up(context: Context, installed: str) -> str:
    """An update that was killed may have left a resident that runs what is no longer installed: it starts anew."""
    runs = resident.look(context.config).version
    if runs in (None, installed) or not _start_anew(context):
        return ""
    return f"; the agent still ran {runs} and starts anew"


def _wanted(context: Context, place: str, package: str, old: str) -> dict[str, str]:
    """What pip would install to have the newest version: name → version; nothing when there is none newer.

    Raises Failed. The index is asked for the agent alone first: an index that is down would else be taken for one that
    has nothing newer than what is installed.
    """
    newest = _report(context, place, "--no-deps", "--ignore-installed", package)
    if _key(newest.get(package, old)) <= _key(old):
        return {}
    return _report(context, place, "--upgrade", package)


def _report(context: Context, place: str, *words: str) -> dict[str, str]:
    report = os.path.join(place, "report.json")
    argv = [*_PIP, "install", "--quiet", "--dry-run", "--report", report, *words]
    _must(context, "the newest version could not be learnt", argv, FETCH_TIMEOUT)
    with open(report, encoding="utf-8") as file:
        found = [item["metadata"] for item in json.load(file)["install"]]
    return {plain(item["name"]): item["version"] for item in found}


def _try(context: Context, trial: str, offline: list[str], new: str) -> None:
    """Install the new version beside the old one and start it there. Raises Failed; nothing has changed then."""
    argv = [
        *_PIP,
        "install",
        "--quiet",
        "--ignore-installed",
        "--no-warn-script-location",
        "--prefix",
        trial,
        *offline,
    ]
    _must(context, f"version {new} could not be tried", argv, _INSTALL_TIMEOUT)
    env = {"PYTHONPATH": os.pathsep.join(libraries(trial))}
    for words in (["-c", _STARTS], ["-m", "nixfleet_agent", "--version"]):
        ran = context.run([sys.executable, "-P", *words], "/", env=env, timeout=_START_TIMEOUT)
        if ran.exit_code or (words[0] == "-m" and ran.last_line.split()[-1:] != [new]):
            reason = ran.last_line or f"exit code {ran.exit_code}"
            raise Failed(f"version {new} does not start here, and was not installed: {reason}")


def _restart(context: Context, new: str) -> bool:
    """Have the resident start anew and wait for it; whether it reached the server. Raises Failed: it must go back."""
    before = resident.look(context.config)
    with context.step("restart", new) as step:
        since = time.monotonic()
        restarted = _start_anew(context)
        end = since + (context.config.confirm_timeout or RESTART_TIMEOUT)
        up = False
        while time.monotonic() < end:
            seen = resident.look(context.config)
            up = up or (seen.started is not None and seen.started > since and seen.version == new)
            if up and is_confirmed(seen, since, restarted):
                return True
            time.sleep(_LOOK_EVERY)
        if before.pid is None:  # nobody was there to be restarted
            step.outcome, step.message = "skipped", "no agent was running"
            return True
        if up and (before.opened is None or not probes.server_answers(context.config)):
            step.outcome, step.message = "degraded", "it runs; the server could not be reached"
            return False
        why = "does not reach the server" if up else "did not come up"
        raise Failed(f"version {new} {why}: back to the one before", result="rolled_back")


def _start_anew(context: Context) -> bool:
    """Have the resident start again from what is installed now."""
    if resident.restart(context.config, connect=False):
        return True
    pid = resident.look(context.config).pid
    if pid is None or context.config.resident_user:  # of another user's word root makes no signal
        return False
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGTERM)  # its supervisor starts it again, as after `restart`
    return True


def _wait_for(context: Context, old: str) -> None:
    """See that what runs began with the files that came back: one that began while they did has code of both."""
    since, asked = time.monotonic(), 0.0
    while (now := time.monotonic()) < since + _START_TIMEOUT:
        seen = resident.look(context.config)
        if seen.started is not None and seen.started > since and seen.version == old:
            return
        if seen.pid is not None and now >= asked:
            asked = now + 5
            _start_anew(context)
        time.sleep(_LOOK_EVERY)


def _load_everything() -> None:
    """This process goes on with the code it began with: nothing of it may be read from files of another version."""
    for package in (nixfleet_agent, nixfleet_protocol):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):  # extras that aren't installed
                    importlib.import_module(module.name)


def _must(context: Context, failed: str, argv: list[str], limit: float) -> None:
    ran = context.run(argv, "/", timeout=limit)
    if ran.late:
        raise Failed(f"{failed}: it took longer than {limit:g} s", 124)
    if ran.exit_code:
        raise Failed(f"{failed}: {_reason(ran.tail) or ran.last_line}", ran.exit_code)


def _reason(tail: bytes) -> str:
    """pip's last error."""
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line.startswith("ERROR:")), "")[:300]


def _key(version: str) -> tuple[int, ...]:
    """Orders release versions as `0.10.1`."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))
