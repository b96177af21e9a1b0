"""When and from where sessions and tokens were last used: noted on each request, written now and then."""

from dataclasses import dataclass, field

EVERY_MS = 60_000
"""Milliseconds between two writes about one session or token, unless its address changes."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use. `key` is the hash of what let it in, `client` what the program calls itself."""

    key: str
    at: int
    address: str
    client: str


@dataclass(slots=True)
class Seen:
    """The uses that are not written yet."""

    _written: dict[str, Use] = field(default_factory=dict)
    _waiting: dict[str, Use] = field(default_factory=dict)

    def touch(self, use: Use) -> None:
        """Something was used."""
        last = self._written.get(use.key)
        if last is None or last.address != use.address or use.at - last.at >= EVERY_MS:
            self._waiting[use.key] = use

    def take(self, now: int) -> list[Use]:
        """What is to be written; it counts as written from now on."""
        uses = list(self._waiting.values())
        self._waiting.clear()
        day = now - 86_400_000
        self._written = {key: use for key, use in self._written.items() if use.at > day}
        self._written |= {use.key: use for use in uses}
        return uses
