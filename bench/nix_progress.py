"""Parsing a million lines of Nix's log, against decoding the JSON of each line."""

import json
import time

from nixfleet_agent.nix.internal_json import PREFIX
from nixfleet_agent.nix.pace import Pace
from nixfleet_agent.nix.progress import Snapshot
from nixfleet_agent.nix.reader import NixLog
from tests.agent.nix.records import MILLION, Truth, records

CHUNK = 65536


def main() -> dict[str, float]:
    data = b"".join(records(1, MILLION, Truth()))
    log, pace, snapshots = NixLog(), Pace[Snapshot](time.monotonic), 0
    began = time.process_time()
    for start in range(0, len(data), CHUNK):
        log.feed(data[start : start + CHUNK])
        snapshots += pace.offer(log.snapshot) is not None
    log.end()
    parsed = time.process_time() - began
    began = time.process_time()
    for line in data.split(b"\n"):
        if line.startswith(PREFIX):
            json.loads(line[len(PREFIX) :])
    decoded = time.process_time() - began
    return {
        "records": data.count(b"\n"),
        "megabytes": round(len(data) / 1e6, 1),
        "parse_seconds": round(parsed, 2),
        "json_loads_seconds": round(decoded, 2),
        "ratio": round(parsed / decoded, 2),
        "snapshots": snapshots,
    }


if __name__ == "__main__":
    print(json.dumps(main()))
