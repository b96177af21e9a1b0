"""One realistic example of each message: for the documentation, and as seed of the tests."""

from typing import Any

from nixfleet_protocol.messages import (
    Ack,
    CommandMessage,
    Facts,
    Goodbye,
    Heartbeat,
    HeldRun,
    KnownRun,
    Metrics,
    Options,
    Output,
    Ping,
    Pong,
    Progress,
    ProgressState,
    Register,
    Registered,
    Status,
    TestFailure,
    TestReport,
)
from nixfleet_protocol.messages.browser import (
    CommandOutput,
    CommandProgress,
    HostRemoved,
    HostUpdate,
    HostView,
    Notice,
    RunUpdate,
    Snapshot,
    Subscribe,
    Unsubscribe,
)

RUN = "5f0c9d0e8a7b4c3d9e1f2a3b4c5d6e7f"
COMMIT = "1f3c0b8a9d7e6f5c4b3a29180716253443526170"
AT = 1_795_384_800_000

_FACTS = Facts(
    os="NixOS",
    os_version="25.11.20260801.abcdef0 (Xantusia)",
    nixpkgs_version="25.11.20260801.abcdef0",
    generation="128",
    commit=COMMIT,
    branch="main",
)
_METRICS = Metrics(cpu=12.5, ram=43.0, swap=0.0, load=0.42, cores=8)
_PROGRESS = ProgressState(phase="test", current=3, total=10, passed=2, failed=1, label="3/10 T03-dns.sh")

EXAMPLES: tuple[Any, ...] = (
    Register(
        hostname="hsb0",
        protocol="1.0",
        agent_version="0.1.0",
        platform="nixos",
        interval=30.0,
        capabilities=("batch", "options.ref"),
        commands=("pull", "switch", "pull-switch", "test", "stop", "restart"),
        facts=_FACTS,
        runs=(KnownRun(run_id=RUN, command="switch", ended=False, last_seq=1042),),
    ),
    Heartbeat(at=AT, metrics=_METRICS, pending_command="switch", command_pid=4711, run_id=RUN),
    Output(
        run_id=RUN,
        command="switch",
        seq=1043,
        stream="stderr",
        line="building '/nix/store/…-hello.drv'...",
        at=AT,
    ),
    Progress(run_id=RUN, command="test", progress=_PROGRESS),
    Status(
        run_id=RUN,
        command="test",
        status="failed",
        at=AT,
        last_seq=57,
        exit_code=1,
        message="9/10 pass, 1 fail: T03-dns.sh",
        generation="128",
        commit=COMMIT,
        tests=TestReport(
            total=10,
            passed=9,
            failed=1,
            failures=(TestFailure(name="T03-dns.sh", exit_code=1, output="no answer from 192.0.2.1\n"),),
        ),
    ),
    Pong(at=AT),
    Registered(
        host_id="hsb0",
        protocol="1.0",
        server_version="0.1.0",
        at=AT,
        capabilities=("batch", "options.ref"),
        runs=(HeldRun(run_id=RUN, have=1042),),
    ),
    CommandMessage(run_id=RUN, command="pull-switch", options=Options(ref="main", reason="kernel fix")),
    Ack(run_id=RUN, seq=1043),
    Ping(at=AT),
    Goodbye(reason="shutdown", message="upgrading", retry_min=1.0, retry_max=10.0),
    Snapshot(
        protocol="1.0", server_version="0.1.0", at=AT, hosts=(HostView(host_id="hsb0", presence="new"),)
    ),
    HostUpdate(
        host_id="hsb0",
        criticality="high",
        presence="online",
        connected=True,
        last_seen_at=AT,
        platform="nixos",
        agent_version="0.1.0",
        protocol="1.0",
        commands=("pull", "switch", "pull-switch", "test", "stop", "restart"),
        facts=_FACTS,
        metrics=_METRICS,
    ),
    HostRemoved(host_id="hsb0"),
    RunUpdate(
        run_id=RUN,
        host_id="hsb0",
        command="switch",
        state="running",
        started_by="admin",
        created_at=AT,
        started_at=AT + 40,
        lines=1043,
    ),
    CommandOutput(
        host_id="hsb0", run_id=RUN, command="switch", seq=1043, stream="stdout", line="hello", at=AT
    ),
    CommandProgress(host_id="hsb0", run_id=RUN, command="test", progress=_PROGRESS),
    Notice(level="warning", text="disk of hsb0 is 95 % full"),
    Subscribe(run_id=RUN, from_seq=1044),
    Unsubscribe(run_id=RUN),
)
