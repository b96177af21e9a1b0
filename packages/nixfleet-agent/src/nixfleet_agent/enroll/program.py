"""Whether the installed program may be what units start: as root, and as the agent's own user."""

import os
import stat
import sys

from nixfleet_agent.enroll.place import USAGE, Refused

_CLOSED = ("/home/", "/root/", "/run/user/")
"""What the resident's unit can't see (ProtectHome)."""


def check_program(command: str) -> None:
    """Raises Refused when the agent's own user could not run it, or anybody could change it."""
    for path in (command, sys.executable, __file__):
        for one in _with_parents(os.path.realpath(path)):
            mode = os.stat(one).st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                raise Refused(
                    f"everybody can change {one}, and so what root runs here: chmod o-w {one}", USAGE
                )
    for path in (os.path.realpath(command), os.path.realpath(sys.executable)):
        closed = [one for one in _with_parents(path) if not os.stat(one).st_mode & stat.S_IXOTH]
        if closed or path.startswith(_CLOSED):
            raise Refused(
                f"the agent's own user can't run {path}: install nixfleet-agent where all can read it, as with"
                " `python3 -m venv /opt/nixfleet-agent && /opt/nixfleet-agent/bin/pip install nixfleet-agent`",
                USAGE,
            )


def _with_parents(path: str) -> list[str]:
    found = [path]
    while found[-1] != "/":
        found.append(os.path.dirname(found[-1]))
    return found
