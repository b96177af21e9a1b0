"""Makes the demo's git repository from the files in demo/files/."""

import os
import shutil
import subprocess
from pathlib import Path

TEMPLATE = Path(__file__).parent / "files"
_AUTHOR = {
    "GIT_AUTHOR_NAME": "NixFleet demo",
    "GIT_AUTHOR_EMAIL": "demo@example.invalid",
    "GIT_COMMITTER_NAME": "NixFleet demo",
    "GIT_COMMITTER_EMAIL": "demo@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def make(target: Path, template: Path = TEMPLATE) -> str:
    """Copy the template and commit it on `main`; returns the commit. Raises CalledProcessError when git fails."""
    shutil.copytree(template, target)
    git(target, "init", "--quiet", "--initial-branch=main")
    return commit(target, "The demo fleet's configuration")


def commit(repository: Path, message: str) -> str:
    """Commit everything there is; returns the commit."""
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(repository, "rev-parse", "HEAD")


def git(repository: Path, *args: str) -> str:
    """Run git there and return what it printed. Raises CalledProcessError with git's words in `stderr`."""
    done = subprocess.run(
        ["git", "-C", str(repository), *args],
        env=os.environ | _AUTHOR,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
