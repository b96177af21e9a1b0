"""`doctor`: what an operator would look at first, in one list."""

import argparse
import http.client
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nixfleet_protocol.errors import NixFleetError
from nixfleet_server import web
from nixfleet_server.auth.login import in_force
from nixfleet_server.commands.common import complete, settings_of, show_json, table
from nixfleet_server.commands.health import ask
from nixfleet_server.errors import Busy, ConfigError
from nixfleet_server.lock import owner
from nixfleet_server.migrations import HEAD
from nixfleet_server.settings import Settings
from nixfleet_server.store import login
from nixfleet_server.store.database import open_database
from nixfleet_server.store.schema import version

FREE_MIN = 512 * 1024 * 1024
"""Bytes free below which a few long logs fill the disk."""


class Finding(NamedTuple):
    """One thing looked at. `state`: `ok`, `warning`, or `bad`, which keeps the server from working."""

    what: str
    state: str
    text: str


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run, json_output=True)
    parser.add_argument("--listen", metavar="HOST:PORT", help="where the server listens (NIXFLEET_LISTEN)")


def run(args: argparse.Namespace) -> int:
    """Look. Exit code 1 when something is bad."""
    settings = settings_of(args)
    findings = list(_look(settings))
    if args.json:
        show_json([finding._asdict() for finding in findings])
    else:
        table(["WHAT", "STATE", ""], [list(finding) for finding in findings])
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def _look(settings: Settings) -> Iterator[Finding]:
    yield _directory(settings.data_dir)
    yield _room(settings.data_dir)
    yield _tried("database", lambda: _database(settings))
    yield _tried("login", lambda: _login(settings))
    yield _address(settings)
    yield _tried("page", lambda: _page(settings))
    yield _tried("server", lambda: _server(settings))


def _tried(what: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except NixFleetError as error:
        return Finding(what, "bad", str(error))


def _directory(path: Path) -> Finding:
    if not path.is_dir():
        return Finding("data directory", "bad", f"{path} is not there: is NIXFLEET_DATA_DIR the server's?")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding(
            "data directory", "warning", f"{path} is open to other users (mode {mode:o}): chmod 700 {path}"
        )
    if not os.access(path, os.W_OK):
        return Finding("data directory", "bad", f"{path} can't be written by this user")
    return Finding("data directory", "ok", str(path))


def _room(path: Path) -> Finding:
    if not path.is_dir():
        return Finding("disk", "warning", "not looked at")
    free = shutil.disk_usage(path).free
    text = f"{free // 2**20} MiB free"
    return Finding("disk", "ok" if free >= FREE_MIN else "warning", text)


def _database(settings: Settings) -> Finding:
    file = Path(settings.database.removeprefix("sqlite:///"))
    if not file.exists():
        return Finding("database", "warning", f"there is none yet at {file}; the first start makes it")
    database = open_database(settings.database)
    try:
        found = version(database)
        if found != HEAD:
            return Finding("database", "warning", f"schema {found}; the next start migrates it to {HEAD}")
        said = database.read_now(_quick_check)
    finally:
        database.close()
    if said != "ok":
        return Finding("database", "bad", f"damaged ({said}): nixfleet-server restore goes back to a backup")
    return Finding("database", "ok", f"schema {found}, whole")


def _quick_check(session: Any) -> str:
    return str(session.connection().exec_driver_sql("PRAGMA quick_check(1)").scalar_one())


def _login(settings: Settings) -> Finding:
    stored = login.Stored()
    if Path(settings.database.removeprefix("sqlite:///")).exists():
        database = open_database(settings.database)
        try:
            stored = database.read_now(login.load) if version(database) == HEAD else stored
        finally:
            database.close()
    found = in_force(settings, stored)
    if found.password_hash is None:
        return Finding("login", "warning", "no password yet: the server prints a set-up link when it starts")
    if found.totp_secret is None:
        return Finding("login", "warning", "password only: nixfleet-server totp adds a second factor")
    left = len(stored.recovery)
    return Finding("login", "ok" if left else "warning", f"password and second factor, {left} recovery codes")


def _address(settings: Settings) -> Finding:
    base = settings.base_url
    if settings.listen.loopback and base is None:
        return Finding("address", "ok", f"http://{settings.listen}, this machine only")
    if base is None:
        return Finding("address", "warning", "set NIXFLEET_BASE_URL to the public https:// address")
    if base.startswith("http:"):
        return Finding(
            "address", "warning", f"{base}: passwords travel in the open; put a TLS proxy in front"
        )
    if not settings.trusted_proxies:
        text = f"{base}, but no NIXFLEET_TRUSTED_PROXIES: all clients look like the proxy"
        return Finding("address", "warning", text)
    return Finding("address", "ok", base)


def _page(settings: Settings) -> Finding:
    directory = web.web_dir(settings)
    if not (directory / "setup.html").is_file():
        return Finding("page", "warning", f"{directory} has no set-up page: upgrade nixfleet-web")
    return Finding("page", "ok", str(directory))


def _server(settings: Settings) -> Finding:
    if settings.data_dir.is_dir():
        try:
            with owner(settings.data_dir):
                return Finding("server", "warning", "none runs on this data directory")
        except Busy:
            pass
        except ConfigError as error:
            return Finding("server", "warning", str(error))
    if settings.listen.port == 0:
        return Finding("server", "ok", "runs; it listens on a port that it chose")
    try:
        status, body = ask(settings.listen)
    except (OSError, http.client.HTTPException) as error:
        return Finding("server", "bad", f"runs, but does not answer at {settings.listen}: {error}")
    text = f"runs and says {body.decode(errors='replace')}"
    return Finding("server", "ok" if status == 200 else "bad", text)
