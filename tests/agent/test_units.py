"""The units that an installed agent runs in: what systemd and launchd make of them."""

import plistlib
import re
import subprocess
from pathlib import Path

import pytest

from nixfleet_agent.cli import main
from nixfleet_agent.units import Installation, files, systemd
from nixfleet_agent.units.installation import LABEL, RUNNER, RUNNER_LABEL, SERVICE, SOCKET

PROGRAM = "/usr/bin/env"  # `verify` wants a program that exists
SYSTEM = Installation(program=PROGRAM, environment_file="/etc/nixfleet/agent.env")


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("mode", ["system", "user"])
def test_systemd_finds_nothing_to_say_about_the_units(mode: str, tmp_path: Path) -> None:
    for path, text in files(Installation(program=PROGRAM, mode=mode, home="/home/u")).items():
        (tmp_path / Path(path).name).write_text(text)

    names = sorted(str(file) for file in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", f"--{mode}", "--man=no", "verify", *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "SYSTEMD_LOG_LEVEL": "warning"},
    )

    ours = [line for line in done.stderr.splitlines() if "nixfleet" in line]
    assert ours == []


@pytest.mark.needs("systemd-analyze")
def test_the_residents_exposure_is_at_most_2_0(tmp_path: Path) -> None:
    file = tmp_path / SERVICE
    file.write_text(systemd.render(systemd.units(SYSTEM)[SERVICE]))

    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(file)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    found = re.search(r"exposure level for \S+ (\d+\.\d)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) <= 2.0


def test_a_run_survives_what_a_switch_does_to_units() -> None:
    units = systemd.units(SYSTEM)

    runner, socket = units[RUNNER], units[SOCKET]
    assert runner["Unit"]["X-StopOnRemoval"] == "false"
    assert runner["Service"]["X-RestartIfChanged"] == runner["Service"]["X-StopIfChanged"] == "false"
    assert runner["Service"]["KillMode"] == "mixed"
    assert runner["Service"]["OOMPolicy"] == "continue"
    assert runner["Service"]["StandardInput"] == "null"
    assert not {"Requires", "BindsTo", "PartOf", "After"} & set(runner["Unit"])
    assert "Install" not in runner
    assert socket["Socket"]["Accept"] == "yes"
    assert (socket["Socket"]["SocketUser"], socket["Socket"]["SocketMode"]) == ("root", "0660")


def test_the_resident_is_no_root_and_the_runner_has_the_same_words_for_where_things_are() -> None:
    units = systemd.units(SYSTEM)

    assert units[SERVICE]["Service"]["User"] == "nixfleet-agent"
    assert units[SERVICE]["Service"]["Environment"] == units[RUNNER]["Service"]["Environment"]


def test_launchd_jobs_are_property_lists_with_a_socket_for_the_runner() -> None:
    made = files(
        Installation(program=PROGRAM, supervisor="launchd", environment=(("NIXFLEET_URL", "x & y"),))
    )

    agent = plistlib.loads(made[f"/Library/LaunchDaemons/{LABEL}.plist"].encode())
    runner = plistlib.loads(made[f"/Library/LaunchDaemons/{RUNNER_LABEL}.plist"].encode())
    assert agent["KeepAlive"] is agent["RunAtLoad"] is True
    assert agent["UserName"] == "nixfleet-agent"
    assert agent["EnvironmentVariables"]["NIXFLEET_URL"] == "x & y"
    assert runner["inetdCompatibility"] == {"Wait": False}
    assert runner["AbandonProcessGroup"] is True
    assert "UserName" not in runner
    path = runner["Sockets"]["requests"]["SockPathName"]
    assert path == agent["EnvironmentVariables"]["NIXFLEET_RUNNER_SOCKET"]


@pytest.mark.parametrize("program", ["nixfleet-agent", "/opt/a b/x", "/opt/$x", "/opt/%n", '/opt/"'])
def test_a_path_that_systemd_would_read_otherwise_is_refused(program: str) -> None:
    with pytest.raises(ValueError, match="expected an absolute path"):
        Installation(program=program)


def test_values_of_variables_mean_themselves() -> None:
    installation = Installation(program=PROGRAM, environment=(("NIXFLEET_CA_FILE", '/a "b" 100%'),))

    text = systemd.render(systemd.units(installation)[SERVICE])

    assert r'Environment="NIXFLEET_CA_FILE=/a \"b\" 100%%"' in text


def test_the_command_prints_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["units", "--program", "/opt/nixfleet-agent", "--supervisor", "systemd"]) == 0

    printed = capsys.readouterr().out
    for word in (SERVICE, SOCKET, RUNNER, "ExecStart=/opt/nixfleet-agent run"):
        assert word in printed


def test_a_wrong_path_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["units", "--program", "here"]) == 2
    assert "expected an absolute path" in capsys.readouterr().err
