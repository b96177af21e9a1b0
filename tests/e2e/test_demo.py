"""The demo as a newcomer starts it."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from demo.hosts import HOSTS
from tests.support.lab import until


def left_behind(directory: Path) -> list[str]:
    """Command lines of processes that mention the demo's directory."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            env = process.environ()
            places = [env.get("NIXFLEET_STATE_DIR", ""), env.get("NIXFLEET_DATA_DIR", "")]
            if "NIXFLEET_RUN_ID" in env:
                places.append(process.cwd())
            if any(str(directory) in place for place in places):
                found.append(" ".join(process.info["cmdline"] or []))
        except psutil.Error:
            continue
    return found


@pytest.mark.needs("nix")
def test_once_runs_everything_and_ends_as_expected(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--once", "--directory", str(place), "--pause", "0.05"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = sum(len(host.expected) for host in HOSTS)
    assert f"{runs} of {runs} runs ended as the demo expects" in done.stdout
    assert "this test fails on purpose" in done.stdout
    assert "T02-backup-age.sh" in done.stdout
    # The switch without Nix changed the host, and the one with Nix set a real profile to what it built.
    assert (
        place / "web1/root/current-system/motd"
    ).read_text() == "Welcome to web1, configured by the NixFleet demo.\n"
    profile = place / "lab1/root/nix/var/nix/profiles/system"
    assert re.fullmatch(r"system-\d+-link", str(profile.readlink()))
    assert profile.resolve().parent == place / "lab1/root/nix/store"
    assert "Welcome to lab1" in (profile.resolve() / "motd").read_text()
    assert left_behind(place) == []


def test_stays_up_until_interrupted_and_leaves_no_process_behind(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    with (tmp_path / "out").open("w+") as out:
        demo = subprocess.Popen(
            [sys.executable, "-m", "demo", "--directory", str(place)], stdout=out, stderr=subprocess.STDOUT
        )
        try:
            shown = until(
                lambda: re.search(r"page +(\S+)\n +Password +(\S+)", Path(out.name).read_text()),
                "the page's address",
            )
            url, password = shown.groups()
            login = httpx.post(f"{url}/api/v1/session", json={"password": password}, headers={"Origin": url})
            assert login.status_code == 200
            assert {
                host["host_id"]
                for host in httpx.get(f"{url}/api/v1/hosts", cookies=login.cookies).json()["hosts"]
            } == {host.name for host in HOSTS}
            client = {"Authorization": f"Bearer {(place / 'token').read_text()}"}
            started = httpx.post(
                f"{url}/api/v1/hosts/web1/runs", json={"command": "pull-switch"}, headers=client
            )
            assert started.status_code == 201, started.text
            time.sleep(2)  # Ctrl-C comes while a runner works
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0, Path(out.name).read_text()
    assert left_behind(place) == []
