"""What a host of the gallery did before: a day of its load, and a run every few hours, written where the server keeps them."""

import json
import math
import uuid
from collections.abc import Iterator
from random import Random

from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages.parts import Outcome, Step
from nixfleet_server.live.history import SAMPLE_MS
from nixfleet_server.store import history
from nixfleet_server.store.database import open_database
from nixfleet_server.store.history import Point
from nixfleet_server.store.tables import Run
from tests.support.lab import Lab

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
RUNS = 29
RESULTS = {3: "failed", 11: "degraded", 12: "failed", 20: "stopped", 24: "rolled_back"}
"""How the runs ended that did not end well, by number."""
COMMANDS = ("pull-switch", "test", "pull", "switch")
DIFFERENCE = """\
caddy: 2.9.1 → 2.10.0, +1.3 MiB
curl: 8.14.1 → 8.16.0, +24.1 KiB
etc-hosts: +0.2 KiB
firmware: 20251011 → 20251111, +4.1 MiB
glibc: 2.40-66 → 2.40-68
initrd-linux: 6.12.58 → 6.12.60, +38.4 KiB
linux: 6.12.58, 6.12.58-modules → 6.12.60, 6.12.60-modules, +118.2 KiB
nixos-system-db-main: 25.11.20261113 → 25.11.20261120
openssl: 3.4.2 → 3.4.3
perl5.40.0-Config-IniFiles: 3.000003 → ∅, -91.0 KiB
pgvector: ∅ → 0.8.1, +612.7 KiB
postgresql: 17.5 → 17.6, +41.9 KiB
system-units: +0.4 KiB
zstd: 1.5.6 → 1.5.7, -12.0 KiB
"""
"""As `nix store diff-closures` says it."""


def remember(lab: Lab, host: str, now: int, store_path: str, generation: int) -> None:
    """Give a host that has run nothing yet a past that ends just before `now`, with the switch to this system."""
    database = open_database(f"sqlite:///{lab.server.data}/nixfleet.db")
    try:
        database.write_now(
            lambda session: history.write(
                session,
                [(host, load(at, at - (now - DAY))) for at in range(now - DAY, now, 10 * SAMPLE_MS)],
                [],
            )
        )
        database.write_now(lambda session: session.add_all(runs(host, now, store_path, generation)))
    finally:
        database.close()


def load(at: int, since: int) -> Point:
    """A server's day: quiet at night, busy by day, a backup once, nothing heard for a while."""
    hours = since / HOUR
    busy = 0.5 - 0.5 * math.cos((hours - 3) / 24 * math.tau)
    chance = Random(at // (4 * MINUTE))
    noise = chance.gauss(0, 0.5) + (chance.random() < 0.04) * 2
    backup = 1.0 if 5 < hours < 5.8 else 0.0
    if 13.2 < hours < 13.9:
        return Point(at, None, None, None, None)
    cpu = max(1.0, min(100.0, 12 + 42 * busy + 9 * noise + 30 * backup))
    ram = min(94.0, 68 + 20 * busy + noise + 3 * backup)
    return Point(at, cpu, ram, 24 + 10 * busy, max(0.1, cpu / 12 + noise / 3))


def runs(host: str, now: int, store_path: str, generation: int) -> Iterator[Run]:
    """Oldest first; all have ended, their logs long removed. The last one made the system of today."""
    for number in range(RUNS):
        last = number == RUNS - 1
        at = now - (RUNS - number) * 7 * HOUR - (number * 37 % 60) * MINUTE
        result = RESULTS.get(number, "ok")
        yield Run(
            run_id=uuid.uuid4().hex,
            host=host,
            command="pull-switch" if last else COMMANDS[number % len(COMMANDS)],
            state="ended",
            result=result,
            exit_code=int(result != "ok"),
            started_by="ada",
            created_at=at,
            started_at=at,
            ended_at=at + (40 + number * 53 % 200) * 1000,
            generation=str(generation) if last else None,
            outcome=json.dumps(to_dict(switched(store_path))) if last else None,
            log_removed_at=at + HOUR,
        )


def switched(store_path: str) -> Outcome:
    """What a switch left that went well."""
    steps = (("pull", 1.6), ("build", 131.0), ("compare", 0.8), ("activate", 7.9), ("confirm", 2.2))
    return Outcome(
        steps=tuple(Step(name=name, outcome="ok", seconds=seconds) for name, seconds in steps),
        store_path=store_path,
        changes=DIFFERENCE,
    )
