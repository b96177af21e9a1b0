r"""Output bytes as JSON-safe text, without losing one.

Valid UTF-8 stays as it is. Each byte that is not part of valid UTF-8 becomes one character of the last 128 of Unicode's
private plane 16: byte 0x80 is U+10FF80, byte 0xFF is U+10FFFF. Those characters themselves, should a program print
them, are treated as not valid and escaped byte by byte, so the mapping is one-to-one. (Surrogate escapes would be the
usual choice, but lone surrogates are not allowed in JSON texts that a strict peer accepts.)
"""

_BASE = 0x10FF00
_TO_ESCAPE = {0xDC00 + byte: chr(_BASE + byte) for byte in range(0x80, 0x100)}
_TO_SURROGATE = {_BASE + byte: chr(0xDC00 + byte) for byte in range(0x80, 0x100)}
# Our escapes occurring in real input, as their four UTF-8 bytes, seen as four bytes that are not valid.
_OWN = {
    _BASE + byte: "".join(chr(_BASE + b) for b in chr(_BASE + byte).encode()) for byte in range(0x80, 0x100)
}
_OWN_PREFIXES = (b"\xf4\x8f\xbe", b"\xf4\x8f\xbf")


def to_text(data: bytes) -> str:
    """Decode any bytes to text that `to_bytes` turns back into exactly these bytes."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="surrogateescape")
        return text.translate(_OWN | _TO_ESCAPE) if _has_own(data) else text.translate(_TO_ESCAPE)
    return text.translate(_OWN) if _has_own(data) else text


def to_bytes(text: str) -> bytes:
    """The inverse of `to_text`. Text that did not come from `to_text` encodes to UTF-8 with escapes resolved.

    Raises UnicodeEncodeError for lone surrogates, which no validated message holds.
    """
    if text.isascii():
        return text.encode()
    if max(text) >= "\U0010ff80":
        text.encode()  # a lone surrogate must not slip through the escape below
        return text.translate(_TO_SURROGATE).encode(errors="surrogateescape")
    return text.encode()


def split(data: bytes, limit: int) -> list[bytes]:
    """Cut bytes into pieces of at most `limit` (at least 4), not inside a UTF-8 character where there is one."""
    pieces = []
    start = 0
    while len(data) - start > limit:
        end = start + limit
        for back in range(4):
            if data[end - back] & 0xC0 != 0x80:  # not a continuation byte: a character starts here
                end -= back
                break
        pieces.append(data[start:end])
        start = end
    pieces.append(data[start:])
    return pieces


def _has_own(data: bytes) -> bool:
    return any(prefix in data for prefix in _OWN_PREFIXES)
