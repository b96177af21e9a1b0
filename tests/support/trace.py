"""Reads strace output: which file operations really happened, in which order.

SIGKILL keeps the page cache, so only the system calls show whether an acknowledged line would survive a power cut.
"""

import re
from dataclasses import dataclass

ARGV = (
    "strace",
    "-D",  # the traced program keeps the pid we started, so that it is what our signals end
    "-f",
    "-y",
    "-s",
    "1500",
    "-e",
    "trace=fsync,fdatasync,write,pwrite64,sendto,sendmsg,rename,renameat2,mkdir,execve",
)

_CALL = re.compile(r"^(?:\[pid +)?(?P<pid>\d+)?\]? *(?P<name>\w+)\((?P<rest>.*)$")
_UNFINISHED = re.compile(r"^(?P<pid>\d+) +(?P<head>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<tail>.*)$")
_DONE = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<args>.*)\) += (?P<result>-?\d+)")


@dataclass(frozen=True)
class Call:
    """A system call that has returned; `args` is strace's text, with `-y` paths behind file descriptors."""

    pid: int
    name: str
    args: str
    result: int


def calls(text: str) -> list[Call]:
    """The finished calls in the order in which they returned."""
    begun: dict[str, str] = {}
    out = []
    for line in text.splitlines():
        if match := _UNFINISHED.match(line):
            begun[match["pid"]] = match["head"]
            continue
        if match := _RESUMED.match(line):
            line = f"{match['pid']} {begun.pop(match['pid'], '')}{match['tail']}"
        if match := _DONE.match(line):
            out.append(Call(int(match["pid"]), match["name"], match["args"], int(match["result"])))
    return out


def synced(call: Call, path: str) -> bool:
    """Whether the call made the file or directory at `path` durable."""
    return call.name in ("fsync", "fdatasync") and f"<{path}>" in call.args and call.result == 0


def unsynced_acks(trace: list[Call], log: str, directory: str) -> list[str]:
    """Acknowledgements the server sent before the log was durable that far, as sentences; none is right.

    `log`: path of the run's log file on the server; `directory`: the folder it was created in.
    """
    wrong = []
    written = durable = 0
    directory_synced = False
    for call in trace:
        if call.name in ("write", "pwrite64") and f"<{log}>" in call.args:
            written += call.args.count("\\n")
        elif synced(call, log):
            durable = written
        elif synced(call, directory):
            directory_synced = True
        elif call.name in ("sendto", "sendmsg", "write"):
            for seq in re.findall(r'\\"type\\":\\"ack\\",\\"payload\\":{[^}]*\\"seq\\":(\d+)', call.args):
                if int(seq) > durable:
                    wrong.append(f"ack of {seq} with {durable} records durable")
                if not directory_synced:
                    wrong.append(f"ack of {seq} before the directory was synced")
    return wrong


def steps_in_order(trace: list[Call], steps: list[tuple[str, str]]) -> str | None:
    """Whether calls whose name and arguments contain these (name, text) pairs came in this order.

    Returns None when they did, else the first step that was missing after the ones before it. `sync` as a name stands
    for fsync or fdatasync.
    """
    position = 0
    for name, text in steps:
        while position < len(trace):
            call = trace[position]
            position += 1
            if call.name in (("fsync", "fdatasync") if name == "sync" else (name,)) and text in call.args:
                break
        else:
            return f"{name} {text}"
    return None
