"""The state directory as whoever runs commands opens it: root where a resident of less right asks, else the agent's user."""

import os
import pwd

from nixfleet_agent.config import Config
from nixfleet_agent.files import SHARED, NotPrivate, own_directory
from nixfleet_agent.journal import runs_dir


def enter(config: Config) -> None:
    """Make it if root is to have one, see that nobody else decides what is in it, and work there.

    The resident's group may read. Raises NotPrivate or OSError.
    """
    group = None
    if config.resident_user:
        group = _resident(config.resident_user).pw_gid
        os.makedirs(config.state_dir, mode=0o700, exist_ok=True)
        if os.lstat(config.state_dir).st_gid != group:
            _share(config.state_dir, group)
    own_directory(config.state_dir, group)
    for path in (runs_dir(config.state_dir), delivered_dir(config.state_dir)):
        os.makedirs(path, mode=0o750, exist_ok=True)
    os.chdir(config.state_dir)


def _share(state_dir: str, group: int) -> None:
    """Let the group read what an agent left that was not separated yet: journals, facts and the lock of commands."""
    own_directory(state_dir)
    places = [runs_dir(state_dir), delivered_dir(state_dir)]
    shared = [os.path.join(state_dir, name) for name in ("busy.lock", "facts.json")]
    for place in places:
        for directory, _, names in os.walk(place):
            os.chown(directory, -1, group)
            os.chmod(directory, 0o2750)  # noqa: S103  (as `own_directory`)
            shared += [os.path.join(directory, name) for name in names if not name.startswith("raw.")]
    for path in shared:
        if os.path.isfile(path) and not os.path.islink(path):
            os.chown(path, -1, group)
            os.chmod(path, SHARED)


def delivered_dir(state_dir: str) -> str:
    """Where a file per run says that the server has it whole."""
    return os.path.join(state_dir, "delivered")


def resident_uid(config: Config) -> int | None:
    """The user id of the resident that may ask, None when only the runner's own user may. Raises NotPrivate."""
    return _resident(config.resident_user).pw_uid if config.resident_user else None


def _resident(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise NotPrivate(f"NIXFLEET_RESIDENT_USER={name}: there is no such user") from None
