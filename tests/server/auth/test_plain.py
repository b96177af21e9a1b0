"""Who is served plain HTTP, told from the address that connects and never from what a header claims."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from nixfleet_server.auth.plain import PlainHttp, check_listen
from nixfleet_server.cli import main
from nixfleet_server.errors import ConfigError
from nixfleet_server.settings import load
from tests.server.support import HASH, ServerThread, serving

PROXIES = ["10.1.0.0/16", "fd00::7"]


def status(peer: str, path: str = "/login", **headers: str) -> int:
    """What someone who connects from `peer` gets of an app behind the same layers as the server's."""
    believing = ProxyHeadersMiddleware(PlainTextResponse("served"), PROXIES)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(PlainHttp(believing, PROXIES), client=(peer, 40000))  # type: ignore[arg-type]

    async def ask() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
            return (await client.get(path, headers=headers)).status_code

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3", "fd00::7"]
)
def test_this_machine_and_a_trusted_proxy_are_served(peer: str) -> None:
    assert status(peer) == 200


@pytest.mark.parametrize(
    "peer", ["192.0.2.1", "10.2.0.1", "fd00::8", "fe80::1%eth0", "::ffff:192.0.2.1", "what"]
)
def test_everyone_else_is_refused_whatever_they_claim(peer: str) -> None:
    assert status(peer) == 403
    assert status(peer, **{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}) == 403
    assert status(peer, "/readyz") == 200  # holds no secret; an orchestrator asks from elsewhere


def test_a_proxy_is_believed_about_who_is_behind_it() -> None:
    assert status("10.1.2.3", **{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}) == 200


def test_listening_beyond_this_machine_needs_a_reason() -> None:
    with pytest.raises(ConfigError) as refused:
        check_listen(load({"NIXFLEET_LISTEN": "0.0.0.0:8000"}))
    for word in ("0.0.0.0:8000", "NIXFLEET_TRUSTED_PROXIES", "127.0.0.1", "NIXFLEET_ALLOW_PLAIN_HTTP=1"):
        assert word in str(refused.value)
    check_listen(load({"NIXFLEET_LISTEN": "0.0.0.0:8000", "NIXFLEET_TRUSTED_PROXIES": "10.0.0.1"}))
    check_listen(load({"NIXFLEET_LISTEN": "0.0.0.0:8000", "NIXFLEET_ALLOW_PLAIN_HTTP": "1"}))
    check_listen(load({}))


def test_serve_stops_there_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nixfleet_server.logging.configure", lambda *_: None)
    monkeypatch.setenv("NIXFLEET_PASSWORD_HASH", HASH)
    assert main(["serve", "--listen", "0.0.0.0:0", "--data-dir", str(tmp_path / "data")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("nixfleet-server: NIXFLEET_LISTEN: 0.0.0.0:0 ")
    assert told.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_health_tells_ready_unready_and_absent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def health(server: ServerThread, host: str) -> int:
        return main(["health", "--listen", f"{host}:{server.url.rpartition(':')[2]}"])

    with serving(tmp_path / "data") as server:
        assert health(server, "0.0.0.0") == 0
        assert capsys.readouterr().out.endswith("ready\n")
        server.call(lambda: setattr(server.hub, "leaving", True))
        assert health(server, "127.0.0.1") == 1
        assert "not ready: stopping" in capsys.readouterr().err
        server.call(lambda: setattr(server.hub, "leaving", False))
    assert health(server, "127.0.0.1") == 3
    assert "nothing answers at 127.0.0.1:" in capsys.readouterr().err
    assert main(["health", "--listen", "127.0.0.1:0"]) == 2
