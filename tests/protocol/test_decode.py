"""The small decoder, and that it stays small."""

import json
import subprocess
import sys

import pytest

from nixfleet_protocol.decode import Unknown, decode, read
from nixfleet_protocol.errors import RemoteProtocolError
from nixfleet_protocol.messages import SERVER_TO_AGENT, Ack, CommandMessage, Options, Ping

SLIM = (
    "messages",
    "decode",
    "encode",
    "session.agent_end",
    "text",
    "record",
    "limits",
    "versions",
    "states",
    "errors",
)


def test_the_residents_modules_import_nothing_heavy() -> None:
    code = (
        f"import sys; [__import__('nixfleet_protocol.' + name) for name in {SLIM!r}]; "
        "print([n for n in ('pydantic', 'pydantic_core', 'httpx', 'websockets', 'asyncio', 'subprocess', "
        "'annotated_types', 'typing_extensions') if n in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_unknown_types_and_fields_of_a_later_minor_are_ignored() -> None:
    frame = '[{"type":"later","payload":{"a":1}},{"type":"ping","payload":{"at":5,"why":"new"},"id":3}]'
    unknown, ping = decode(frame, SERVER_TO_AGENT)
    assert isinstance(unknown, Unknown)
    assert unknown.type == "later"
    assert ping == Ping(at=5)


def test_nested_parts_are_built() -> None:
    frame = json.dumps(
        {
            "type": "command",
            "payload": {"run_id": "a" * 32, "command": "pull", "options": {"ref": "main", "new": 1}},
        }
    )
    assert decode(frame, SERVER_TO_AGENT) == [
        CommandMessage(run_id="a" * 32, command="pull", options=Options(ref="main"))
    ]


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"run_id": "A" * 32, "command": "pull"}, "command: run_id: expected text"),
        ({"run_id": "a" * 32}, "command: command: missing"),
        (
            {"run_id": "a" * 32, "command": "pull", "options": {"timeout": -1}},
            "command: options.timeout: expected number",
        ),
        ({"run_id": "a" * 32, "command": "pull", "options": []}, "command: options: expected an object"),
    ],
)
def test_the_field_is_named_by_its_path(payload: object, told: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(json.dumps({"type": "command", "payload": payload}), SERVER_TO_AGENT)
    assert str(caught.value).startswith(told)
    assert caught.value.close_code == 1008


def test_read_builds_parts_alone() -> None:
    assert read(Ack, {"run_id": "a" * 32, "seq": 3}) == Ack(run_id="a" * 32, seq=3)
    with pytest.raises(ValueError, match="expected an object"):
        read(Ack, [])
