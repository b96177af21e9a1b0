"""schemathesis plays against a real server what the OpenAPI document allows and forbids: no fault, no undocumented answer."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.support import FakeAgent, ServerThread, serving, start

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def play(server: ServerThread, place: Path, token: str, *options: str, config: str = "") -> str:
    """Run it in a directory of its own; gives what it says."""
    place.mkdir()
    (place / "schemathesis.toml").write_text(config)
    argv = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/api/v1/openapi.json"]
    argv += ["--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--no-color"]
    argv += ["--phases", "coverage,fuzzing", "--generation-deterministic", "--continue-on-failure", *options]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.long
def test_the_document_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First whatever it thinks of, then about a host and a run that are there, with no limit on logins."""
    with serving(tmp_path / "data", silence_max=3600.0) as server:
        token, boss = server.host(), server.token("boss", "admin")
        with FakeAgent(server, token) as agent, server.client(boss) as client:
            agent.register()
            run_id = start(client, "switch")["run_id"]
            agent.output(agent.take(), 1, 20)
            parameters = f'"path.host_id" = "web1"\n"path.run_id" = "{run_id}"\n'
            monkeypatch.setattr(
                "nixfleet_server.auth.login.attempt", lambda attempts, *_, **__: (attempts, 0.0)
            )
            monkeypatch.setattr(
                "nixfleet_server.api.enroll.attempt", lambda attempts, *_, **__: (attempts, 0.0)
            )
            said = play(
                server,
                tmp_path / "known",
                boss,
                "--max-examples=15",
                *(f"--exclude-operation-id=hosts_{name}" for name in ("remove", "revoke", "rotate")),
                config=f"[parameters]\n{parameters}",
            )
            assert "passed" in said
            assert client.get("/api/v1/hosts/web1").json()["connected"]
            play(server, tmp_path / "any", boss, "--max-examples=15")
            assert client.get("/livez").status_code == 200
