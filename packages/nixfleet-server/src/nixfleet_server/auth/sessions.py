"""Sessions in cookies: a random id, signed, whose hash the database knows."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from itsdangerous import BadSignature, Signer

from nixfleet_server.errors import ConfigError
from nixfleet_server.settings import Settings

SESSION_SECONDS = 24 * 3600
"""A session ends so long after the login, used or not (US-5)."""
COOKIE = "nixfleet"
SECURE_COOKIE = "__Host-nixfleet"
"""The prefix makes browsers insist on Secure, Path=/ and no Domain."""


class SessionCookies:
    """Makes and reads cookie values. `secrets`: the first signs, all are accepted.

    Cookies are bound to `password_hash`: who changes the password because it leaked ends every session with it.
    """

    def __init__(self, secrets: list[str], password_hash: str) -> None:
        salt = "nixfleet-session" + hashlib.sha256(password_hash.encode()).hexdigest()
        self._signer = Signer(secrets[::-1], salt=salt, digest_method=hashlib.sha256)
        self._devices = Signer(secrets[::-1], salt="nixfleet-device", digest_method=hashlib.sha256)

    def new(self) -> tuple[str, str]:
        """A new session's id, and the cookie value that carries it."""
        session_id = secrets.token_urlsafe(32)
        return session_id, self._signer.sign(session_id).decode()

    def read(self, value: str) -> str | None:
        """The session id of a cookie value; None when we did not sign it."""
        try:
            return self._signer.unsign(value).decode()
        except (BadSignature, UnicodeError):
            return None

    def sign_device(self, device: str) -> str:
        """The cookie value that carries a device's id."""
        return self._devices.sign(device).decode()

    def read_device(self, value: str) -> str | None:
        """The device's id of a cookie value; None when we did not sign it."""
        try:
            return self._devices.unsign(value).decode()
        except (BadSignature, UnicodeError):
            return None


def csrf_token(session_id: str) -> str:
    """The token a page sends with every change. Bound to the session, so it ends with it and is stored nowhere."""
    return hmac.new(session_id.encode(), b"csrf", hashlib.sha256).hexdigest()


def session_secrets(settings: Settings) -> list[str]:
    """The configured secrets, or the one in the data directory, made at the first start."""
    if settings.session_secrets:
        return [secret.get_secret_value() for secret in settings.session_secrets]
    path = settings.data_dir / "session-secret"
    try:
        if not path.exists():
            _write(path, secrets.token_hex(32))
        return [path.read_text().strip()]
    except OSError as error:
        raise ConfigError(f"can't use {path}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    temporary.rename(path)
