"""The way to the server, step by step as a connection is made: name, port, TLS, HTTP, the token; and the clocks.

It goes the way the resident goes, so proxies from the environment are not used.
"""

import base64
import contextlib
import email.utils
import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping

from nixfleet_agent.__about__ import __version__
from nixfleet_agent.config import Config, ConfigError, Server
from nixfleet_agent.connection import REJECTED
from nixfleet_agent.doctor.finding import Finding

TIMEOUT = 10.0
"""Seconds each step may take."""
SKEW = 30.0
"""Seconds between this host's clock and the server's that are worth a word."""
EXPIRES_SOON = 14
"""Days before a certificate's end that are worth a word."""
_STEPS = ("DNS", "TCP", "TLS", "HTTP", "clock", "token")
_BAD_CERTIFICATE = {
    9: ("its certificate is not valid yet", "is this host's clock right?"),
    10: ("its certificate has expired", "renew it on the server or its proxy"),
    18: ("it signed its certificate itself", "give that certificate in NIXFLEET_CA_FILE"),
    19: ("an authority unknown here signed its certificate", "give the authority's in NIXFLEET_CA_FILE"),
    20: ("an authority unknown here signed its certificate", "give the authority's in NIXFLEET_CA_FILE"),
    21: ("an authority unknown here signed its certificate", "let the server send the whole chain"),
    62: (
        "its certificate is for another name",
        "use the name in it in NIXFLEET_URL, or get one for this name",
    ),
    64: ("its certificate is not for this address", "use the name in it in NIXFLEET_URL"),
}
"""OpenSSL's verify codes (x509_vfy.h) → what is wrong, what to do."""


class Broken(Exception):
    """A step failed: no later one can be tried. `said` is what, `mend` what to do, perhaps empty."""

    def __init__(self, said: str, mend: str = "", kind: str = "connection") -> None:
        super().__init__(said)
        self.said, self.mend, self.kind = said, mend, kind


def examine(config: Config, env: Mapping[str, str]) -> Iterator[Finding]:
    """One finding a step; after the first failure the rest is skipped."""
    server = config.url
    assert server
    if proxy := next(
        (n for n in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY") if env.get(n)), None
    ):
        yield Finding("proxy", "warn", f"{proxy} is set, but the agent connects directly")
    done = 0
    try:
        for finding in _steps(config, server):
            done += 1
            yield finding
    except Broken as broken:
        yield Finding(_STEPS[done], "fail", broken.said, broken.mend, broken.kind)
        for step in _STEPS[done + 1 :]:
            yield Finding(step, "skip", "not tried")


def reach(config: Config, server: Server) -> socket.socket:
    """A connection to the server, its certificate checked. Raises Broken."""
    return _secure(config, server, _connect(server, _resolve(server)))


def _steps(config: Config, server: Server) -> Iterator[Finding]:
    addresses = _resolve(server)
    yield Finding("DNS", "ok", f"{server.host} is {', '.join(dict.fromkeys(a[4][0] for a in addresses))}")
    plain = _connect(server, addresses)
    with contextlib.closing(plain):
        yield Finding("TCP", "ok", f"{server.host} port {server.port} answers")
        secured = _secure(config, server, plain)
        with contextlib.closing(secured):
            yield _tls(secured)
            answer = ask(secured, server, server.path.removesuffix("/ws/agent") + "/livez", {})
    if answer.status != 200:
        raise Broken(
            f"{server.host} answers, but not as a NixFleet server: HTTP {answer.status}",
            "check NIXFLEET_URL, and that the proxy before the server leads to it",
        )
    yield Finding("HTTP", "ok", "a server answers")
    yield _clock(answer.getheader("Date"))
    with contextlib.closing(_secure(config, server, _connect(server, addresses))) as again:
        yield _token(config, server, again)


def _resolve(server: Server) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Broken(
            f"{server.host} can't be found: {error.strerror or error}",
            "check the name in NIXFLEET_URL and this host's resolver",
        ) from None
    return found  # type: ignore[return-value]


def _connect(server: Server, addresses: list[tuple[int, int, int, str, tuple[str, int]]]) -> socket.socket:
    reason = "no address"
    for family, kind, protocol, _, address in addresses:
        made = socket.socket(family, kind, protocol)
        made.settimeout(TIMEOUT)
        try:
            made.connect(address)
        except OSError as error:
            made.close()
            reason = f"{address[0]}: {error.strerror or error}"
            continue
        return made
    raise Broken(
        f"{server.host} port {server.port} can't be reached: {reason}",
        "is the server running, and does a firewall let this host through?",
    )


def _secure(config: Config, server: Server, plain: socket.socket) -> socket.socket:
    if not server.tls:
        return plain
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except OSError as error:
        said = f"NIXFLEET_CA_FILE={config.ca_file}: {error.strerror or error}"
        raise Broken(said, "give a file of PEM certificates", "configuration") from None
    try:
        return context.wrap_socket(plain, server_hostname=server.host)
    except ssl.SSLCertVerificationError as error:
        said, mend = _BAD_CERTIFICATE.get(error.verify_code, (error.verify_message, ""))
        raise Broken(f"{server.host} is not believed: {said}", mend) from None
    except ssl.SSLError as error:
        mend = "does the server speak TLS at this port? http:// is for loopback"
        raise Broken(f"no TLS with {server.host}: {error.reason or error}", mend) from None
    except OSError as error:
        raise Broken(f"no TLS with {server.host}: {error.strerror or error}") from None


def _tls(secured: socket.socket) -> Finding:
    if not isinstance(secured, ssl.SSLSocket):
        return Finding("TLS", "skip", "plain HTTP, as configured")
    until = str((secured.getpeercert() or {}).get("notAfter", ""))
    left = (ssl.cert_time_to_seconds(until) - time.time()) / 86400 if until else EXPIRES_SOON
    if left < EXPIRES_SOON:
        said = f"the server's certificate expires in {left:.0f} days"
        return Finding("TLS", "warn", said, "see that it is renewed")
    return Finding("TLS", "ok", f"{secured.version()}, the certificate is good for {left:.0f} days")


def ask(
    made: socket.socket, server: Server, path: str, headers: dict[str, str], body: bytes | None = None
) -> http.client.HTTPResponse:
    """One request, POST with a body of JSON if there is one; its answer, of which the head is read. Raises Broken."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    if body is not None:
        headers = headers | {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
        f"Host: {host}:{server.port}",
        f"User-Agent: nixfleet-agent/{__version__}",
    ]
    lines += [f"{name}: {value}" for name, value in ({"Connection": "close"} | headers).items()]
    try:
        made.sendall("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        answer = http.client.HTTPResponse(made)
        answer.begin()
    except TimeoutError:
        raise Broken(f"{server.host} accepts connections, but doesn't answer", "look at the server") from None
    except (OSError, http.client.HTTPException) as error:
        said = f"{server.host} port {server.port} doesn't speak HTTP: {str(error) or type(error).__name__}"
        raise Broken(said, "check the port, and https:// or http://, in NIXFLEET_URL") from None
    return answer


def _clock(date: str | None) -> Finding:
    """The server's clock, to a second, against ours."""
    try:
        theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Finding("clock", "skip", "the server doesn't tell its time")
    skew = time.time() - theirs
    if abs(skew) > SKEW:
        word = "ahead of" if skew > 0 else "behind"
        said = f"this host's clock is {abs(skew):.0f} s {word} the server's: times in logs will mislead"
        return Finding("clock", "warn", said, "set one of the clocks, as with NTP")
    return Finding("clock", "ok", "as the server's, within seconds")


def _token(config: Config, server: Server, made: socket.socket) -> Finding:
    """Begin a WebSocket as the agent does, but don't register: an agent that is connected stays so."""
    try:
        token = config.read_token()
    except ConfigError as error:
        raise Broken(str(error), kind="configuration") from None
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Authorization": f"Bearer {token}",
    }
    status = ask(made, server, server.path, headers).status
    if status == 101:
        return Finding("token", "ok", "the server takes it")
    if status in (401, 403):
        mend = "make a new one with `nixfleet-server host rotate` and write it into the token file"
        raise Broken(f"the server refuses the token (HTTP {status})", mend, "token")
    raise Broken(
        REJECTED.get(status, f"the server refuses a WebSocket: HTTP {status}"), "does the proxy pass them on?"
    )
