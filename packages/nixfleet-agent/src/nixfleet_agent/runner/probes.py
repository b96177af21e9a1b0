"""Looking around from the host: does the server answer, do other places, is the host in order. Asked by root itself."""

import contextlib
import encodings.idna  # noqa: F401  (names are encoded with it, and after a switch nothing is to be imported)
import http.client
import re
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from nixfleet_agent.config import Config, Server
from nixfleet_agent.system import foreign

TIMEOUT = 5.0
"""Seconds for one place to answer."""
TRIES = 2
HEALTH_TIMEOUT = 30.0
_SILENT = (OSError, http.client.HTTPException, ValueError)
"""What a place that doesn't answer raises. ValueError: a name that is none in DNS, or an address that isn't one. Whatever is
configured, looking around must come to a decision: nobody else brings a host back that is cut off."""
_SSH = re.compile(r"(?:[^@/\s]+@)?([A-Za-z0-9.-]+):(?!//)")


def server_answers(config: Config) -> bool:
    """Whether the server itself answers: a proxy before it that only says 502 doesn't count."""
    return config.url is not None and _livez(config.url, config.ca_file)


def places(config: Config) -> tuple[str, ...]:
    """What else to ask: NIXFLEET_PROBES, else the repository's host, if that is another than the server's."""
    if config.probes:
        return config.probes
    found = _repository_host(config.repo_url or "")
    return () if found is None or (config.url and found.rpartition(":")[0] == config.url.host) else (found,)


def any_answers(asked: tuple[str, ...], ca_file: str | None) -> bool:
    """Whether one of the places answers: HOST:PORT takes a connection, a URL gives any HTTP answer."""

    def ask(place: str) -> bool:
        return any(_answers(place, ca_file) for _ in range(TRIES))

    with ThreadPoolExecutor(len(asked) or 1) as pool:
        return any(pool.map(ask, asked))


def is_local(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    with contextlib.suppress(*_SILENT):
        for family, _, _, _, address in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM):
            with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.bind((address[0], 0))  # only an address of one's own can be bound
                return True
    return False


def healthy(config: Config) -> bool:
    """Whether NIXFLEET_HEALTH_CHECK passes; true when there is none."""
    check = config.health_check
    if check is None:
        return True
    if check.startswith(("http://", "https://")):
        with contextlib.suppress(*_SILENT):
            return 200 <= _get(check, config.ca_file) < 400
        return False
    if check.startswith("unit:"):
        argv = ["systemctl", "is-active", "--quiet", "--", *check.removeprefix("unit:").split(",")]
        return all(_succeeds([*argv[:4], unit]) for unit in argv[4:])
    return _succeeds(["/bin/sh", "-c", check])


def _succeeds(argv: list[str]) -> bool:
    try:
        done = subprocess.run(
            argv,
            env=foreign(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=HEALTH_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _answers(place: str, ca_file: str | None) -> bool:
    with contextlib.suppress(*_SILENT):
        if "://" in place:
            return _get(place, ca_file) > 0
        host, _, port = place.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT).close()
        return True
    return False


def _livez(server: Server, ca_file: str | None) -> bool:
    scheme = "https" if server.tls else "http"
    host = f"[{server.host}]" if ":" in server.host else server.host
    path = server.path.removesuffix("/ws/agent") + "/livez"
    for _ in range(TRIES):
        with contextlib.suppress(*_SILENT):
            return _get(f"{scheme}://{host}:{server.port}{path}", ca_file) == 200
    return False


def _get(url: str, ca_file: str | None) -> int:
    """The status of an answer. Raises OSError or HTTPException."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_file)
        connection = http.client.HTTPSConnection(host, parts.port or 443, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port or 80, timeout=TIMEOUT)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def _repository_host(url: str) -> str | None:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        port = {"https": 443, "http": 80, "ssh": 22, "git": 9418}.get(parts.scheme)
        if port and parts.hostname:
            return f"{parts.hostname}:{parts.port or port}"
    match = _SSH.match(url)
    return f"{match[1]}:22" if match else None
