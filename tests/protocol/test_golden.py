"""Frames of every released protocol version still mean what they meant."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nixfleet_protocol.decode import Unknown, decode
from nixfleet_protocol.messages import AGENT_TO_SERVER, DIRECTIONS, SERVER_TO_AGENT, name_of
from nixfleet_protocol.session.agent_end import AgentEnd
from nixfleet_protocol.session.server_end import ServerEnd
from nixfleet_protocol.validate import validator

GOLDEN = Path(__file__).parent / "golden"
TRANSCRIPTS = sorted(GOLDEN.glob("*/*.jsonl"))
TABLES = {"agent": ("agent → server", AGENT_TO_SERVER), "server": ("server → agent", SERVER_TO_AGENT)}

each_transcript = pytest.mark.parametrize(
    "transcript", TRANSCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def lines(transcript: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]


def meaning(message: Any) -> dict[str, Any]:
    if isinstance(message, Unknown):
        return {"unknown": message.type}
    return {"type": name_of(message), "payload": json.loads(json.dumps(asdict(message)))}


def holds(recorded: Any, now: Any) -> bool:
    """Everything that was recorded is still so; fields added since don't matter."""
    if isinstance(recorded, dict):
        return isinstance(now, dict) and all(
            key in now and holds(value, now[key]) for key, value in recorded.items()
        )
    if isinstance(recorded, list):
        return isinstance(now, list) and len(recorded) == len(now) and all(map(holds, recorded, now))
    return bool(recorded == now)


@each_transcript
def test_both_decoders_read_what_was_meant(transcript: Path) -> None:
    for line in lines(transcript):
        direction, table = TABLES[line["from"]]
        for messages in (decode(line["frame"], table), validator(direction)(line["frame"])):
            assert holds(line["means"], [meaning(message) for message in messages]), line["frame"]


@each_transcript
def test_the_conversation_is_still_legal_on_both_ends(transcript: Path) -> None:
    ends = {"agent": AgentEnd(), "server": ServerEnd()}
    unknown = dict.fromkeys(ends, 0)
    for line in lines(transcript):
        sender, receiver = line["from"], {"agent": "server", "server": "agent"}[line["from"]]
        read = decode(line["frame"], TABLES[sender][1])
        known = [message for message in read if not isinstance(message, Unknown)]
        unknown[receiver] += len(read) - len(known)
        ends[sender].send(*known)
        assert ends[receiver].receive(line["frame"]) == known
    assert {name: end.unknown for name, end in ends.items()} == unknown
    assert ends["server"].refused == 0  # type: ignore[union-attr]
    assert ends["agent"].state == ends["server"].state


def test_the_transcripts_use_every_message_between_agent_and_server() -> None:
    seen = {means.get("type") for path in TRANSCRIPTS for line in lines(path) for means in line["means"]}
    assert seen >= set(DIRECTIONS["agent → server"]) | set(DIRECTIONS["server → agent"])


def test_the_comparison_can_fail() -> None:
    assert holds({"a": [1]}, {"a": [1], "b": 2})
    for other in ({"a": [2]}, {"a": [1, 2]}, {"b": 2}, {"a": None}, []):
        assert not holds({"a": [1]}, other)
