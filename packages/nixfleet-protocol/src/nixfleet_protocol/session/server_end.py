"""The server's end of an agent's connection.

    new ──register──▶ registering ──(send registered)──▶ active ──(send goodbye)──▶ leaving

An agent of another major is `registering` and then `active` too, with `agreement.compatible` false: the owner of the
connection offers it nothing but `update`.
"""

import json
from typing import Any

from nixfleet_protocol import limits
from nixfleet_protocol.decode import Unknown, parse_json
from nixfleet_protocol.encode import encode_batches
from nixfleet_protocol.errors import LocalProtocolError, RemoteProtocolError
from nixfleet_protocol.messages import (
    Ack,
    CommandMessage,
    Goodbye,
    Heartbeat,
    Output,
    Ping,
    Pong,
    Progress,
    Register,
    Registered,
    Status,
)
from nixfleet_protocol.validate import read_json, validator
from nixfleet_protocol.versions import Agreement, negotiate, parse

_WORK = (Heartbeat, Output, Progress, Status, Pong)
MAY_RECEIVE: dict[str, tuple[type, ...]] = {
    "new": (Register,),
    "registering": (Pong,),
    "active": _WORK,
    "leaving": _WORK,
}
MAY_SEND: dict[str, tuple[type, ...]] = {
    "new": (Ping, Goodbye),
    "registering": (Registered, Ping, Goodbye),
    "active": (CommandMessage, Ack, Ping, Goodbye),
    "leaving": (Ack, Ping),
}


class ServerEnd:
    """Order and versions on one agent's connection. `state` is a key of MAY_SEND."""

    def __init__(self) -> None:
        self.state = "new"
        self.agreement: Agreement | None = None
        self.unknown = 0
        """Messages of unknown type received and ignored."""
        self.refused = 0
        """Output records whose content broke a rule: kept as a tombstone, so that the agent need not resend for ever."""
        self._validate = validator("agent → server")

    def send(self, *messages: Any) -> list[str]:
        """The frames that carry these messages. Raises LocalProtocolError when the state forbids one of them."""
        for message in messages:
            if not isinstance(message, MAY_SEND[self.state]):
                raise LocalProtocolError(f"{type(message).__name__} can't be sent while {self.state}")
            if isinstance(message, Registered):
                self.state = "active"
            elif isinstance(message, Goodbye):
                self.state = "leaving"
        return encode_batches(list(messages))

    def receive(self, frame: str) -> list[Any]:
        """The messages of a frame, unknown types left out. Raises RemoteProtocolError when the agent broke a rule."""
        out = []
        for message in self._read(frame):
            if isinstance(message, Unknown):
                self.unknown += 1
                continue
            if not isinstance(message, MAY_RECEIVE[self.state]):
                raise RemoteProtocolError(f"{type(message).__name__} received while {self.state}")
            if isinstance(message, Register):
                self.agreement = negotiate(parse(message.protocol))
                self.state = "registering"
            out.append(message)
        return out

    def _read(self, frame: str) -> list[Any]:
        try:
            return self._validate(frame)
        except RemoteProtocolError as error:
            if error.close_code == 1007:
                raise
            return self._read_one_by_one(frame, error)

    def _read_one_by_one(self, frame: str, error: RemoteProtocolError) -> list[Any]:
        """One output record with bad content must not cost the batch, nor make the agent resend it for ever."""
        items = parse_json(frame)
        if isinstance(items, list) and len(items) > limits.BATCH_MESSAGES_MAX:
            raise error
        out: list[Any] = []
        for item in items if isinstance(items, list) else [items]:
            try:
                out += self._validate(_dumps([item]))  # in brackets: a batch inside a batch is no message
            except RemoteProtocolError:
                out.append(self._tombstone(item, error))
        return out

    def _tombstone(self, item: Any, error: RemoteProtocolError) -> Output:
        payload = item.get("payload") if isinstance(item, dict) and item.get("type") == "output" else None
        if not isinstance(payload, dict):
            raise error
        head = {key: payload.get(key) for key in ("run_id", "command", "seq")}
        try:
            record = read_json(Output, _dumps(head | {"stream": "note", "at": 0, "line": ""}))
        except RemoteProtocolError:
            raise error from None
        self.refused += 1
        return Output(
            run_id=record.run_id,
            command=record.command,
            seq=record.seq,
            stream="note",
            line="[this record broke a rule of the protocol and was not kept]",
            at=0,
        )


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
