"""`nixfleet` as its users see it: what is printed, where, and the exit code."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nixfleet_protocol import messages
from nixfleet_protocol.cli import main
from nixfleet_protocol.messages import Facts, Metrics
from nixfleet_protocol.messages.api import LogRecord
from nixfleet_protocol.messages.browser import HostView
from tests.protocol.standin import AT, TOKEN, Script, StandIn

RUN = "ab" * 16
PROGRAM = [sys.executable, "-m", "nixfleet_protocol.cli"]
Capture = pytest.CaptureFixture[str]


def record(seq: int, line: str, **other: Any) -> LogRecord:
    return LogRecord(**({"seq": seq, "at": AT, "stream": "stdout", "line": line} | other))


# hosts


def test_hosts_are_a_table(server: StandIn, capsys: Capture) -> None:
    now = int(time.time() * 1000)
    server.hosts = [
        HostView(
            host_id="hsb0",
            presence="online",
            connected=True,
            platform="nixos",
            last_seen_at=now - 3 * 60_000,
            facts=Facts(generation="128", commit="1f3c0b8a9d7e6f5c"),
            metrics=Metrics(cpu=12.4, ram=43.0),
            last_run=server.add("switch", RUN),
        ),
        HostView(host_id="w1", pending_command="test", presence="online", queued=2, flapping=True),
        HostView(host_id="evil", facts=Facts(generation="\x1b[2J\nfake  row")),
    ]
    assert main(["hosts"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == [
        "HOST",
        "STATE",
        "PLATFORM",
        "GENERATION",
        "CHECKOUT",
        "CPU",
        "RAM",
        "LAST",
        "RUN",
        "SEEN",
    ]
    assert shown[1].split("  ")[0] == "hsb0"
    assert shown[1].endswith("128         1f3c0b8a  12 %  43 %  switch ok  3 min ago")
    assert "online, test runs, 2 wait, two agents take turns" in shown[2]
    assert "  fake row  " in shown[3]
    assert len(shown) == 4
    assert all(
        line.index(word) == shown[0].index(head) for line, word, head in [(shown[1], "nixos", "PLATFORM")]
    )


def test_hosts_as_json(server: StandIn, capsys: Capture) -> None:
    assert main(["hosts", "--json"]) == 0
    [host] = json.loads(capsys.readouterr().out)["hosts"]
    assert (host["host_id"], host["presence"], host["metrics"]) == ("web1", "online", None)


def test_no_hosts_tells_how_to_add_one(server: StandIn, capsys: Capture) -> None:
    server.hosts = []
    assert main(["hosts"]) == 0
    assert "nixfleet-server host add" in capsys.readouterr().err


# run


def test_run_waits_and_tells_the_outcome(server: StandIn, capsys: Capture) -> None:
    server.scripts["pull-switch"] = Script(["not shown"], message="now at 1f3c0b8a")
    assert (
        main(["run", "web1", "pull-switch", "--ref", "main", "--timeout", "90", "--reason", "why not"]) == 0
    )
    said = capsys.readouterr()
    assert said.out == "web1 pull-switch: ok after 12 s – now at 1f3c0b8a\n"
    assert "started as run 000000000000" in said.err
    options = dict(server.requests)["run"].options
    assert (options.ref, options.timeout, options.reason) == ("main", 90.0, "why not")


def test_run_follow_shows_the_output_then_the_outcome(server: StandIn, capsys: Capture) -> None:
    server.scripts["switch"] = Script(
        ["one", "two \x1b]0;x\x07\x1b[31mred\x1b[0m"], result="failed", exit_code=7
    )
    assert main(["run", "web1", "switch", "--follow"]) == 1
    assert capsys.readouterr().out == "one\ntwo red\nweb1 switch: failed, exit code 7 after 12 s\n"


def test_failed_tests_are_told_in_detail(server: StandIn, capsys: Capture) -> None:
    report = messages.TestReport(
        total=3,
        passed=2,
        failed=1,
        failures=(
            messages.TestFailure(name="T03-dns.sh", exit_code=1, output="no answer\x1b[2J\nfrom 192.0.2.1\n"),
        ),
    )
    server.scripts["test"] = Script(result="failed", exit_code=1, message="2/3 pass, 1 fail", tests=report)
    assert main(["run", "web1", "test"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  T03-dns.sh (exit code 1)",
        "    no answer",
        "    from 192.0.2.1",
    ]


def test_run_json_is_the_run(server: StandIn, capsys: Capture) -> None:
    server.scripts["switch"] = Script(["one"], result="failed", exit_code=7)
    assert main(["run", "web1", "switch", "--json"]) == 1
    said = capsys.readouterr()
    run = json.loads(said.out)
    assert (run["result"], run["exit_code"], run["command"]) == ("failed", 7, "switch")
    assert said.err == ""


def test_run_follow_json_is_lines_of_json(server: StandIn, capsys: Capture) -> None:
    server.scripts["switch"] = Script(["one", "\x9b2J"])
    assert main(["run", "web1", "switch", "--follow", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    first, second, run = [json.loads(line) for line in out.splitlines()]
    assert (first["seq"], first["line"], second["line"]) == (1, "one", "\x9b2J")
    assert run["result"] == "ok"


def test_run_detach_prints_the_id_at_once(server: StandIn, capsys: Capture) -> None:
    server.scripts["switch"] = Script(hold=True)
    assert main(["run", "web1", "switch", "--detach"]) == 0
    [run_id] = server.runs
    assert capsys.readouterr() == (f"{run_id}\n", "")
    assert main(["run", "web1", "switch", "--detach", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "running"


# runs, logs, stop


def test_runs_are_a_table(server: StandIn, capsys: Capture) -> None:
    server.add("pull", "11" * 16, host_id="db1")
    server.scripts["switch"] = Script(result="failed", exit_code=7, message="no\nspace")
    server.add("switch", RUN)
    assert main(["runs"]) == 0
    head, newest, oldest = capsys.readouterr().out.splitlines()
    assert head.startswith("RUN           HOST  COMMAND  RESULT  EXIT  STARTED")
    assert newest.startswith("abababababab  web1  switch   failed  7 ")
    assert newest.endswith("12 s  tests  no space")
    assert oldest.startswith("111111111111  db1   pull     ok      0 ")
    assert main(["runs", "db1", "--limit", "5", "--json"]) == 0
    assert [run["host_id"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["db1"]


def test_logs_by_a_unique_beginning(server: StandIn, capsys: Capture) -> None:
    server.scripts["switch"] = Script([record(1, "one"), record(2, "half", partial=True)])
    server.add("switch", RUN)
    assert main(["logs", "aba"]) == 0
    assert capsys.readouterr().out == "one\nhalf\n"
    assert main(["logs", RUN, "--follow"]) == 0
    assert capsys.readouterr().out == "one\nhalf\n"
    assert main(["logs", RUN, "--json"]) == 0
    assert [json.loads(line)["partial"] for line in capsys.readouterr().out.splitlines()] == [False, True]


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_raw_logs_are_the_programs_bytes(
    server: StandIn, capfdbinary: pytest.CaptureFixture[bytes], follow: list[str]
) -> None:
    server.scripts["switch"] = Script([record(1, "\x1b[2Jcaf\U0010ffe9\r"), record(2, "end", partial=True)])
    server.add("switch", RUN)
    assert main(["logs", RUN, "--raw", *follow]) == 0
    assert capfdbinary.readouterr().out == b"\x1b[2Jcaf\xe9\r\nend"


def test_stop(server: StandIn, capsys: Capture) -> None:
    server.scripts["switch"] = Script(exit_code=130, hold=True, message="stopped by user")
    server.add("switch", RUN)
    assert main(["stop", "ab"]) == 0
    assert capsys.readouterr().out == "web1 switch: stopped, exit code 130 after 12 s – stopped by user\n"
    assert main(["stop", "ab"]) == 1
    assert "has ended" in capsys.readouterr().err


# errors and exit codes


@pytest.mark.parametrize(
    ("argv", "environ", "code", "told"),
    [
        ([], {}, 2, "required: COMMAND"),
        (["dance"], {}, 2, "invalid choice"),
        (["run", "web1"], {}, 2, "required: COMMAND"),
        (["run", "web1", "pull", "--timeout", "soon"], {}, 2, "expected seconds"),
        (["run", "web1", "pull", "--follow", "--detach"], {}, 2, "not allowed with"),
        (["runs", "--limit", "0"], {}, 2, "expected a whole number"),
        (["logs", "ab", "--raw", "--json"], {}, 2, "exclude each other"),
        (["hosts"], {"NIXFLEET_URL": ""}, 2, "NIXFLEET_URL"),
        (["hosts"], {"NIXFLEET_TOKEN": ""}, 2, "NIXFLEET_TOKEN_FILE"),
        (["hosts", "--token-file", "/nowhere/token"], {}, 2, "/nowhere/token can't be read"),
        (["hosts", "--url", "http://10.0.0.1"], {}, 2, "unencrypted"),
        (["run", "web2", "pull"], {}, 2, "no host of that name"),
        (["logs", "beef"], {}, 2, "no run's id begins with beef"),
        (["run", "away", "pull"], {}, 1, "away is not connected"),
        (
            ["hosts", "--url", "http://127.0.0.1:1"],
            {},
            3,
            "can't reach http://127.0.0.1:1: Connection refused",
        ),
        (["hosts"], {"NIXFLEET_TOKEN": "wrong"}, 4, "the token is not known"),
        (["run", "web1", "pull"], {"NIXFLEET_TOKEN": "reader"}, 4, "may only read"),
    ],
)
def test_mistakes_get_one_clear_sentence_and_their_code(
    server: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    argv: list[str],
    environ: dict[str, str],
    code: int,
    told: str,
) -> None:
    server.hosts.append(HostView(host_id="away"))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(argv) == code
    said = capsys.readouterr()
    assert told in said.err
    assert "Traceback" not in said.err
    assert TOKEN not in said.err
    assert said.out == ""


def test_errors_from_the_server_are_cleaned(server: StandIn, capsys: Capture) -> None:
    server.hosts.append(HostView(host_id="evil"))
    server.hosts[-1] = replace(server.hosts[-1], connected=False)
    assert main(["run", "evil\x1b[2J", "pull"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_options_may_stand_before_and_after_the_command(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.delenv("NIXFLEET_URL")
    monkeypatch.delenv("NIXFLEET_TOKEN")
    before = ["--url", server.url, "--json"]
    after = ["--token-file", str(tmp_path / "token")]
    for argv in ([*before, "hosts", *after], [*after, "hosts", *before], ["hosts", *before, *after]):
        assert main(argv) == 0
        assert json.loads(capsys.readouterr().out)["hosts"]


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["run", "--help"], ["hosts", "--version"]])
def test_help_and_version(argv: list[str], capsys: Capture) -> None:
    assert main(argv) == 0
    said = capsys.readouterr()
    assert said.out.startswith(("usage: nixfleet", "nixfleet 0."))
    assert said.err == ""


# as a process of its own


def start(*argv: str, **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*PROGRAM, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **options
    )


@pytest.mark.parametrize("argv", [["run", "web1", "switch", "--follow"], ["run", "web1", "switch"]])
def test_ctrl_c_leaves_and_says_that_the_run_goes_on(server: StandIn, argv: list[str]) -> None:
    server.scripts["switch"] = Script(["one"], hold=True)
    process = start(*argv)
    deadline = time.monotonic() + 60
    while not server.connections:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    if "--follow" in argv:
        assert process.stdout is not None
        assert process.stdout.readline() == b"one\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"goes on" in said
    assert b"nixfleet stop 000000000000" in said
    assert b"Traceback" not in said
    assert server.runs[f"{1:032x}"].state == "running"


def test_a_reader_that_leaves_is_no_error(server: StandIn) -> None:
    server.scripts["switch"] = Script([f"{n} " + "x" * 1000 for n in range(2000)])
    server.add("switch", RUN)
    process = start("logs", RUN)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"0 x")
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_server_that_goes_away_is_waited_for_and_told(server: StandIn) -> None:
    server.scripts["switch"] = Script(["one", "two"], hold=True)
    process = start("run", "web1", "switch", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline() == b"one\n"
    server.stop()
    time.sleep(0.3)
    server.start()
    server.end(f"{1:032x}")
    out, said = process.communicate(timeout=60)
    assert out == b"two\nweb1 switch: ok after 12 s\n"
    assert process.returncode == 0
    assert b"trying again" in said


def on_a_terminal(argv: list[str], **environ: str) -> bytes:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *argv],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm"} | environ,
    )
    os.close(theirs)
    seen = b""
    reader = threading.Thread(target=process.wait)
    reader.start()
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        seen += piece
    reader.join(60)
    os.close(ours)
    return seen.replace(b"\r\n", b"\n")


def test_a_terminal_gets_colours_and_nothing_else(server: StandIn) -> None:
    server.scripts["switch"] = Script(
        [
            record(1, "\x1b[31mred \x1b]0;owned", partial=True),
            record(2, "\x1b[", stream="stderr", partial=True),
            record(3, " still\x07 \x1b[2Jafter"),
            record(4, "1mbold", stream="stderr"),
        ]
    )
    server.add("switch", RUN)
    assert on_a_terminal(["logs", RUN]) == b"\x1b[31mred  after\n\x1b[1mbold\n\x1b[0m"
    assert on_a_terminal(["logs", RUN], NO_COLOR="1") == b"red  after\nbold\n"
    assert b"\x1b[32mweb1 pull: ok" in on_a_terminal(["run", "web1", "pull"])


def test_without_the_extra_one_sentence_names_it(tmp_path: Path) -> None:
    # A Python that sees this package and nothing else of the environment.
    source = Path(__file__).parents[3] / "packages/nixfleet-protocol/src"
    code = "import sys; sys.path.insert(0, sys.argv.pop()); from nixfleet_protocol.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, "hosts", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'nixfleet-protocol[client]'" in done.stderr
    assert "Traceback" not in done.stderr
