"""Text that Nix, a builder or a file wrote, made fit to show."""

import re

from nixfleet_protocol import limits

_ESCAPE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]?)"
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
_DROP = re.compile(f"{_ESCAPE}|{_CONTROL}")
_DROP_BUT_COLOUR = re.compile(rf"(\x1b\[[0-9;:]*m)|{_ESCAPE}|{_CONTROL}")
_HASH_LENGTH = 32
_NOTE_MAX = 40


def plain(text: str) -> str:
    """Without terminal escapes and control characters, but for tab and line feed; encodable as UTF-8."""
    return text if text.isprintable() else _DROP.sub("", text)


def coloured(text: str) -> str:
    """As `plain`, but colours stay, as they do in Nix's own output. Nothing that moves the cursor gets through."""
    return text if text.isprintable() else _DROP_BUT_COLOUR.sub(lambda match: match[1] or "", text)


def short(text: str, limit: int) -> str:
    """At most `limit` characters, an ellipsis in place of what was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cap(line: bytes, limit: int = limits.LINE_MAX, missing: int = 0) -> bytes:
    """At most `limit` bytes, a note included that says how many are left out; `missing` were left out before."""
    if len(line) <= limit and not missing:
        return line
    end = max(0, min(len(line), limit) - _NOTE_MAX)
    while end > 0 and line[end] & 0xC0 == 0x80:  # don't leave half a character
        end -= 1
    return line[:end] + b" [%d more bytes]" % (len(line) - end + missing)


def store_name(path: str) -> str:
    """`hello-2.12` of `/nix/store/HASH-hello-2.12.drv`; text that isn't a store path comes back as it is."""
    name = path.rsplit("/", 1)[-1].removesuffix(".drv")
    head, dash, rest = name.partition("-")
    return rest if dash and len(head) == _HASH_LENGTH and rest else name
