"""The one request of an enrolment: a one-time token for the host's own."""

import contextlib
import http.client
import json

from nixfleet_agent.config import Config
from nixfleet_agent.doctor.server import Broken, ask, reach
from nixfleet_agent.enroll.place import Refused
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages.access import Enrolled
from nixfleet_protocol.messages.api import Problem
from nixfleet_protocol.validate import read_json

_ANSWER_MAX = 64 * 1024
NO_CONNECTION, NOT_ALLOWED = 3, 4


def exchange(config: Config, token: str) -> Enrolled:
    """The host's own token. `config.hostname` is the name it asks for. Raises Refused."""
    server = config.url
    assert server
    path = server.path.removesuffix("/ws/agent") + "/api/v1/enroll"
    body = json.dumps({"token": token, "hostname": config.hostname}).encode()
    try:
        with contextlib.closing(reach(config, server)) as connection:
            answer = ask(connection, server, path, {}, body)
            raw = answer.read(_ANSWER_MAX)
    except Broken as broken:
        raise Refused(_sentence(broken.said, broken.mend), NO_CONNECTION) from None
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"the connection to {server.host} broke: {error}", NO_CONNECTION) from None
    if answer.status in (200, 201):
        try:
            return read_json(Enrolled, raw)
        except RemoteProtocolError:
            raise Refused(f"{server.host} doesn't answer as a NixFleet server does") from None
    raise _refusal(server.host, answer, raw)


def _refusal(host: str, answer: http.client.HTTPResponse, raw: bytes) -> Refused:
    if 300 <= answer.status < 400:
        where = _shown(answer.getheader("Location") or "another address")
        return Refused(f"{host} sends us to {where}: give the address that answers itself", NO_CONNECTION)
    try:
        problem = read_json(Problem, raw)
    except RemoteProtocolError:
        return Refused(
            f"{host} answers, but not as a NixFleet server that takes enrolments: HTTP {answer.status};"
            " check the address, and the server's version",
            NO_CONNECTION,
        )
    said = _shown(_sentence(problem.title, problem.detail))
    if answer.status in (401, 403):
        return Refused(
            f"{said} (a token works once and for a limited time: `nixfleet-server enroll-token` makes another)",
            NOT_ALLOWED,
        )
    return Refused(f"{host} refuses: {said}", NO_CONNECTION if answer.status >= 500 else 1)


def _sentence(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _shown(text: str) -> str:
    """What a server said, without what would steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:500])
