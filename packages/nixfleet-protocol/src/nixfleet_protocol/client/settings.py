"""Where the server is and how to prove who we are: arguments first, then the environment."""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from nixfleet_protocol.__about__ import __version__
from nixfleet_protocol.errors import Misconfigured


class Settings(NamedTuple):
    """A usable configuration: `url` without a slash at its end, `token` as sent, `ca_file` or None for the system's."""

    url: str
    token: str
    ca_file: Path | None = None

    @classmethod
    def resolve(
        cls,
        url: str | None = None,
        token: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        *,
        token_file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> "Settings":
        """Fill in what is None from NIXFLEET_URL, NIXFLEET_TOKEN, NIXFLEET_TOKEN_FILE and NIXFLEET_CA_FILE.

        Raises Misconfigured, naming what is missing or wrong and how to set it; it never holds the token.
        """
        ca = ca_file or environ.get("NIXFLEET_CA_FILE") or None
        return cls(
            _url(url or environ.get("NIXFLEET_URL", ""), environ.get("NIXFLEET_ALLOW_PLAIN_HTTP", "") == "1"),
            _token(token, token_file, environ),
            Path(ca) if ca else None,
        )

    @property
    def socket_url(self) -> str:
        """Where messages come from: `ws(s)://…/ws/browser`."""
        return "ws" + self.url.removeprefix("http") + "/ws/browser"

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}", "User-Agent": f"nixfleet-client/{__version__}"}

    @property
    def local(self) -> bool:
        """The server is on this machine: no proxy is asked."""
        return _is_loopback(urlsplit(self.url).hostname or "")

    def tls(self) -> ssl.SSLContext | None:
        """The trust for `https`; None for `http`. Raises Misconfigured when the CA file can't be used."""
        if not self.url.startswith("https:"):
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise Misconfigured(f"the CA file {self.ca_file} can't be used: {error}") from None


def _url(text: str, plain_allowed: bool) -> str:
    if not text:
        raise Misconfigured("no server given: set NIXFLEET_URL or pass --url, as https://fleet.example.org")
    try:
        parts = urlsplit(text.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good, parts = False, SplitResult("", "", "", "", "")
    if not good or parts.username or parts.query or parts.fragment:
        raise Misconfigured("the server's URL must look like https://fleet.example.org, without user, ? or #")
    if parts.scheme == "http" and not plain_allowed and not _is_loopback(parts.hostname or ""):
        raise Misconfigured(
            f"http://{parts.hostname} would send the token unencrypted: use https://, "
            "or set NIXFLEET_ALLOW_PLAIN_HTTP=1 if the network itself is encrypted"
        )
    return parts._replace(path=parts.path.rstrip("/")).geturl()


def _token(token: str | None, file: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> str:
    path = file or (None if token or environ.get("NIXFLEET_TOKEN") else environ.get("NIXFLEET_TOKEN_FILE"))
    if token is None and path:
        try:
            token = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "it is not text"
            raise Misconfigured(f"the token file {os.fspath(path)} can't be read: {reason}") from None
    token = (token or environ.get("NIXFLEET_TOKEN", "")).strip()
    if not token:
        raise Misconfigured(
            "no API token given: set NIXFLEET_TOKEN or NIXFLEET_TOKEN_FILE, or pass --token-file; "
            "`nixfleet-server token add NAME --scope operate` makes one"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Misconfigured(
            "the API token holds characters that no token has; was it copied whole, and alone?"
        )
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
