"""How often one may try to log in."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address

ATTEMPTS = 5
WINDOW = 60.0
"""Attempts allowed to one address in so many seconds (NFR-3.5)."""
WAIT_MIN = 0.001
"""Rounding must not turn a refusal into a wait of 0, which means that it was allowed."""
ADDRESSES_MAX = 10_000
"""Addresses remembered, so that a botnet can't fill the memory; the longest unused are forgotten first."""

Attempts = Mapping[str, tuple[float, ...]]


def address_key(address: str) -> str:
    """What counts as one address: IPv4 whole, IPv6 by its /64, since one customer owns all of it."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return f"{IPv6Address(int(ip) >> 64 << 64)}/64"


def attempt(attempts: Attempts, address: str, now: float, most: int = ATTEMPTS) -> tuple[Attempts, float]:
    """Count an attempt. Gives the new state and the seconds to wait: 0 when this attempt may go on.

    `most` are allowed in WINDOW seconds. A refused attempt is not counted, so waiting always helps. `now` is any clock that never goes back.
    """
    key = address_key(address)
    recent = tuple(at for at in attempts.get(key, ()) if at > now - WINDOW)
    if len(recent) >= most:
        return attempts, max(recent[0] + WINDOW - now, WAIT_MIN)
    kept = {name: times for name, times in attempts.items() if name != key and times[-1] > now - WINDOW}
    for name in list(kept)[: max(0, len(kept) - ADDRESSES_MAX + 1)]:
        del kept[name]
    return {**kept, key: (*recent, now)}, 0.0


def forget(attempts: Attempts, address: str) -> Attempts:
    """A login succeeded: its address starts afresh."""
    key = address_key(address)
    return {name: times for name, times in attempts.items() if name != key}
