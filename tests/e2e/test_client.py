"""`nixfleet` and the client against a real server and a real agent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixfleet_protocol.client import Client, NotAllowed, Refused
from nixfleet_protocol.text import to_bytes
from tests.support.lab import Lab, lab, until

TALK = "echo one; echo two >&2; printf 'caf\\351 \\033]0;x\\007\\r\\nno end'; exit 7"
COUNT = "for i in $(seq 1 400); do echo line $i; sleep 0.02; done"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("client")) as made:
        made.agent("web1", {"switch": TALK})
        made.agent("web2", {"switch": COUNT})
        yield made


def nixfleet(here: Lab, *argv: str, token: str | None = None) -> "subprocess.CompletedProcess[bytes]":
    environment = os.environ | {"NIXFLEET_URL": here.server.url, "NIXFLEET_TOKEN": token or here.token}
    return subprocess.run(
        [sys.executable, "-m", "nixfleet_protocol.cli", *argv],
        capture_output=True,
        env=environment,
        check=False,
        timeout=120,
    )


def test_a_run_from_the_command_line(here: Lab, tmp_path: Path) -> None:
    done = nixfleet(here, "run", "web1", "switch", "--follow", "--reason", "because", "--json")
    assert done.returncode == 1, done.stderr
    *records, run = [json.loads(line) for line in done.stdout.splitlines()]
    assert (run["result"], run["exit_code"], run["options"]["reason"]) == ("failed", 7, "because")
    assert [record["seq"] for record in records] == list(range(1, run["lines"] + 1))
    printed = b"caf\xe9 \x1b]0;x\x07\r\nno end"
    seen = b"".join(
        to_bytes(r["line"]) + b"\n" * (not r["partial"]) for r in records if r["stream"] == "stdout"
    )
    assert seen == b"one\n" + printed

    run_id = run["run_id"]
    assert json.loads(nixfleet(here, "runs", "web1", "--json").stdout)["runs"][0] == run
    raw = nixfleet(here, "logs", run_id[:10], "--raw").stdout
    assert b"\ncaf\xe9 \x1b]0;x\x07\r\n" in raw
    assert sorted(raw.splitlines()[1:]) == sorted([*printed.splitlines(), b"one", b"two"])
    assert raw == nixfleet(here, "logs", run_id, "--raw", "--follow").stdout
    shown = nixfleet(here, "logs", run_id).stdout
    assert b"\x1b" not in shown
    assert "caf\ufffd".encode() in shown
    assert shown == nixfleet(here, "logs", run_id, "--follow").stdout


def test_hosts(here: Lab) -> None:
    shown = nixfleet(here, "hosts").stdout.decode().splitlines()
    assert shown[0].startswith("HOST")
    assert [line.split()[0] for line in shown[1:]] == ["web1", "web2"]


def test_nothing_is_lost_or_doubled_over_a_killed_server(here: Lab) -> None:
    seen = []

    def kill() -> None:
        here.server.process.end(signal.SIGKILL)
        time.sleep(1)
        here.server.start()

    killing = threading.Thread(target=kill)
    with Client(url=here.server.url, token=here.token, patience=60) as client:
        run = client.run("web2", "switch")
        for record in run.follow():
            seen.append(record)
            if len(seen) == 50:
                killing.start()
    killing.join()
    assert [record.seq for record in seen] == list(range(1, len(seen) + 1))
    assert [r.line for r in seen if r.stream == "stdout"] == [f"line {n}" for n in range(1, 401)]
    assert (run.view.result, run.view.lines) == ("ok", len(seen))
    here.online("web1")
    here.online("web2")


def test_stop_from_the_command_line(here: Lab) -> None:
    run = here.client.run("web2", "switch")
    until(lambda: here.client.get_run(run.id).view.lines > 5, "output")
    with pytest.raises(Refused) as caught:
        here.client.run("web2", "test")
    assert (caught.value.status, caught.value.code) == (409, "host_busy")
    done = nixfleet(here, "stop", run.id[:12])
    assert done.returncode == 0, done.stderr
    assert b"web2 switch: stopped" in done.stdout
    view = run.wait(60)
    assert (view.result, view.message) == ("stopped", "stopped by user")
    again = nixfleet(here, "stop", run.id)
    assert again.returncode == 1
    assert b"Traceback" not in again.stderr


def test_mistakes(here: Lab) -> None:
    for argv, code in (
        (["run", "nowhere", "switch"], 2),
        (["run", "web1", "dance"], 2),
        (["run", "web1", "pull", "--ref=--upload-pack=x"], 2),
        (["logs", "f" * 32], 2),
        (["logs", "../hosts"], 2),
    ):
        done = nixfleet(here, *argv)
        assert done.returncode == code, (argv, done.stderr)
        assert done.stderr.startswith(b"nixfleet: ")
        assert done.stderr.count(b"\n") == 1
    assert nixfleet(here, "hosts", token="wrong").returncode == 4
    with Client(url=here.server.url, token="wrong") as stranger, pytest.raises(NotAllowed):
        stranger.hosts()
