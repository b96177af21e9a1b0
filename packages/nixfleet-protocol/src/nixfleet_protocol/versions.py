"""Protocol versions: major.minor. Same major: additions are optional and strangers ignored; majors may differ."""

from typing import NamedTuple


class Version(NamedTuple):
    """A protocol version. `str()` gives `"1.0"`."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


PROTOCOL = Version(1, 1)
"""What this package speaks."""

SUPPORTED_MAJORS = (1,)
"""The current major and, once there is one, the previous. A server understands all of them."""

CAPABILITIES = ("batch", "options.ref", "options.timeout", "options.force")
"""What this package can do beyond the bare protocol; peers use the intersection, never exact versions."""


class Agreement(NamedTuple):
    """What two peers settled on. `compatible=False`: show the peer, let it be told to update, nothing else."""

    version: Version
    compatible: bool


def parse(text: str) -> Version:
    """Turn `"1.0"` into a Version.

    Raises ValueError, naming the text, unless it is two decimal numbers of at most 4 digits joined by a dot.
    """
    major, dot, minor = text.partition(".")
    if not dot or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in (major, minor)):
        raise ValueError(f"not a protocol version (expected MAJOR.MINOR): {text!r}")
    return Version(int(major), int(minor))


def negotiate(
    theirs: Version, ours: Version = PROTOCOL, majors: tuple[int, ...] = SUPPORTED_MAJORS
) -> Agreement:
    """Settle on the highest version both speak: the lower of the two when the major is supported."""
    if theirs.major not in majors:
        return Agreement(ours, compatible=False)
    return Agreement(min(theirs, ours), compatible=True)
