"""Text from hosts, made safe for a terminal: of all escape sequences only colours (SGR) pass.

Whoever can print on a host must not be able to retitle a window, move the cursor over other lines, write the clipboard
or answer for the user. Sequences split over the records of one line are still seen as one.
"""

import re

from nixfleet_protocol.text import to_bytes

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""What ends plain text: C0 but tab, LF and CR; DEL; C1."""
_SGR = re.compile(r"[0-9;:]{0,64}")
_CAN_SUB = "\x18\x1a"
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Zero-width characters and changes of direction: in a table they make one name look like another."""

# What opens a sequence, as 8-bit control and as the character after ESC.
_OPENS = {
    "\x9b": "csi",
    "\x90": "string",
    "\x98": "string",
    "\x9d": "string",
    "\x9e": "string",
    "\x9f": "string",
}
_AFTER_ESC = {
    "[": "csi", "]": "string", "P": "string", "X": "string", "^": "string", "_": "string",
}  # fmt: skip


class Cleaner:
    """Cleans one stream, piece by piece. With `colour` false SGR goes too."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour
        self._state = "plain"
        self._held = ""

    def feed(self, text: str, end_of_line: bool = True) -> str:
        """The safe part of the next piece. A sequence that is still open at the end of its line is dropped."""
        if self._state == "plain" and not _CONTROL.search(text):
            return text
        out: list[str] = []
        at = 0
        while at < len(text):
            if self._state == "plain":
                found = _CONTROL.search(text, at)
                end = found.start() if found else len(text)
                out.append(text[at:end])
                if found:
                    self._state = _OPENS.get(found[0], "escape" if found[0] == "\x1b" else "plain")
                    end += 1
                at = end
            else:
                out.append(self._step(text[at]))
                at += 1
        if end_of_line:
            self._state, self._held = "plain", ""
        return "".join(out)

    def _step(self, char: str) -> str:
        """One character inside a sequence; returns what it lets through."""
        if char in _CAN_SUB:
            self._to("plain")
        elif char == "\x1b":
            self._to("escape")
        elif self._state == "escape":
            # ESC, intermediates, one final character; ESC \ is what ends a string, and nothing by itself.
            self._to("escape" if " " <= char <= "/" else _AFTER_ESC.get(char, "plain"))
        elif self._state == "string":
            if char in "\x07\x9c":
                self._to("plain")
        elif "@" <= char <= "~":
            return self._end_of_csi(char)
        elif " " <= char <= "?":
            if len(self._held) <= 64:
                self._held += char
        else:
            self._to(_OPENS.get(char, "plain"))
        return ""

    def _end_of_csi(self, final: str) -> str:
        held = self._held
        self._to("plain")
        return f"\x1b[{held}m" if self._colour and final == "m" and _SGR.fullmatch(held) else ""

    def _to(self, state: str) -> None:
        self._state, self._held = state, ""


def shown(line: str) -> str:
    """A record's text as a terminal can show it: bytes that are not UTF-8 as U+FFFD."""
    if line.isascii() or max(line) < "\U0010ff80":
        return line
    return to_bytes(line).decode(errors="replace")


def clean(text: str) -> str:
    """One line of plain text for tables and messages."""
    return " ".join(_INVISIBLE.sub("", Cleaner(colour=False).feed(shown(text))).split())
