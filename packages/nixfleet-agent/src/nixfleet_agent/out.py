"""What a step of the core gathers: the actions to do, and the connection's end that turns messages into frames."""

from typing import Any

from nixfleet_agent import actions as a
from nixfleet_protocol.session.agent_end import MAY_SEND, AgentEnd


class Out:
    """Shared by the parts of the core. `now` (monotonic seconds) and `wall` (milliseconds since the epoch) are this step's."""

    def __init__(self) -> None:
        self.end = AgentEnd()
        self.now = 0.0
        self.wall = 0
        self._actions: list[a.Action] = []

    def begin(self, now: float, wall: int) -> None:
        """A new step."""
        self.now, self.wall, self._actions = now, wall, []

    @property
    def actions(self) -> list[a.Action]:
        """What the step wants done, in order."""
        return self._actions

    @property
    def active(self) -> bool:
        """Registered: output and results can be sent."""
        return self.end.state == "active"

    def do(self, *actions: a.Action) -> None:
        self._actions += actions

    def send(self, *messages: Any) -> None:
        """Send what may be sent now; the rest is said again after the next `registered`."""
        allowed = [message for message in messages if isinstance(message, MAY_SEND[self.end.state])]
        if allowed:
            self.do(a.Send(self.end.send(*allowed)))

    def say(self, level: str, event: str, **fields: Any) -> None:
        """One line for the agent's own log."""
        self.do(a.Say(level, event, fields))
