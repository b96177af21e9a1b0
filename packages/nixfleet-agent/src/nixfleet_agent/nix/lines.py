"""Bytes that arrive in any pieces, as lines of bounded length."""

from nixfleet_agent.nix.text import cap
from nixfleet_protocol import limits


class LineSplitter:
    """Cuts a byte stream at line feeds. What comes out does not depend on how the bytes were chunked.

    Of a line longer than `limit` bytes the rest is dropped and counted in a note at its end, so that a program which
    never ends its line can't fill the memory.
    """

    def __init__(self, limit: int = limits.MIB) -> None:
        self._limit = limit
        self._held = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ended in `data`, without their line feeds."""
        first, *others = data.split(b"\n")
        self._hold(first)
        if not others:
            return []
        lines = [self._take()]
        tail = others.pop()
        if len(data) <= self._limit:
            lines += others
        else:
            for line in others:
                self._hold(line)
                lines.append(self._take())
        self._hold(tail)
        return lines

    def end(self) -> list[bytes]:
        """What is left: a last line without a line feed, if there is one."""
        return [self._take()] if self._held else []

    def _hold(self, piece: bytes) -> None:
        room = self._limit - len(self._held)
        self._held += piece[:room]
        self._dropped += max(0, len(piece) - room)

    def _take(self) -> bytes:
        line = bytes(self._held)
        if (
            self._dropped
        ):  # no record can be made of it; it will be shown, so what is shown of a line is enough
            line = cap(line, min(self._limit, limits.LINE_MAX), self._dropped)
        self._held.clear()
        self._dropped = 0
        return line
