"""`unenroll`: the host as it was before."""

import contextlib
import os
import shutil
import sys
from argparse import Namespace

from nixfleet_agent.enroll import supervisor
from nixfleet_agent.enroll.place import Place, Record, Refused, place
from nixfleet_agent.lock import is_held


def unenroll(given: Namespace) -> int:
    """Leave. Exit code 0; raises Refused."""
    mode = "user" if given.user or os.geteuid() != 0 else "system"
    where = place(mode, "launchd" if sys.platform == "darwin" else "systemd", "/usr/bin/nixfleet-agent")
    record = Record.read(where.record_file)
    if record is None:
        raise Refused(f"this host is not enrolled: there is no {where.record_file}{_elsewhere(mode)}")
    state = where.state_dirs[0]
    if is_held(os.path.join(state, "busy.lock")) and not given.force:
        raise Refused("a command is running: wait for its end, or end it and leave at once with --force")
    undo(where, record)
    sys.stdout.write(f"left {record.url}; everything of the agent is gone from this host\n")
    if record.host_id:
        sys.stdout.write(
            f"the server goes on to list {record.host_id}: `nixfleet-server host remove {record.host_id}` there, or in"
            " the page\n"
        )
    return 0


def undo(where: Place, record: Record) -> None:
    """Take back what the record says was made. What is gone already is no fault; raises Refused for what won't go."""
    installation = where.installation
    supervisor.run(supervisor.stop(installation), must=False)
    try:
        for path in record.files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        for directory in where.state_dirs:
            if os.path.islink(directory):
                os.unlink(directory)
            elif os.path.isdir(directory):
                shutil.rmtree(directory)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from None
    supervisor.run(supervisor.forget(installation), must=False)
    if record.made_user:
        supervisor.run(supervisor.remove_user(installation.user), must=False)
    with contextlib.suppress(OSError):
        os.unlink(where.record_file)
        os.rmdir(where.config_dir)


def _elsewhere(mode: str) -> str:
    if mode == "user" and os.path.exists("/etc/nixfleet/enrolled.json"):
        return " (the system's agent is enrolled: for that one run this as root)"
    return ""
