"""A logged-in page, and what tests of the login share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyotp

from nixfleet_server.auth.second import STEP
from nixfleet_server.clock import wall_clock
from nixfleet_server.store import login as store
from tests.server.support import PASSWORD, ServerThread, serving

LONG = "a longer password"


@contextmanager
def page_of(server: ServerThread, password: str = PASSWORD, **body: Any) -> Iterator[httpx.Client]:
    """A browser that is logged in and sends what our page sends."""
    with server.client() as client:
        client.headers["Origin"] = server.url
        answer = client.post("/api/v1/session", json={"password": password, **body})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        yield client


@contextmanager
def fresh(data: Path, **options: Any) -> Iterator[tuple[ServerThread, str]]:
    """A server without a password, and its set-up code."""
    env = {"NIXFLEET_PASSWORD_HASH": ""} | options.pop("env", {})
    with serving(data, env=env, **options) as server:
        yield server, server.admin(lambda db: store.new_setup(db, wall_clock()))


@contextmanager
def set_up(data: Path, **options: Any) -> Iterator[tuple[ServerThread, httpx.Client]]:
    """A server whose password is in the database, and its page."""
    with fresh(data, **options) as (server, code), server.client() as client:
        client.headers["Origin"] = server.url
        answer = client.post("/api/v1/setup", json={"code": code, "password": LONG})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        yield server, client


def code_now(secret: str, steps: int = 0) -> str:
    """The code that an authenticator shows, so many steps from now."""
    return pyotp.TOTP(secret).at(wall_clock() // 1000 + steps * STEP)


def add_totp(client: httpx.Client, password: str = LONG) -> tuple[str, list[str]]:
    """Turn the second factor on; gives its secret and the recovery codes. The current step's code is used up."""
    secret = client.post("/api/v1/totp").json()["secret"]
    body = {"code": code_now(secret), "password": password}
    answer = client.post("/api/v1/totp/confirm", json=body)
    assert answer.status_code == 200, answer.text
    return secret, answer.json()["codes"]
