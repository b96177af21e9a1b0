"""In which order hosts are shown: by criticality, then name."""

CRITICALITY = {"high": 0, "medium": 1, "low": 2}
"""How much a host matters, and its rank."""


def order(criticality: str, name: str) -> tuple[int, str, str]:
    """The sort key of a host."""
    return CRITICALITY.get(criticality, len(CRITICALITY)), name.lower(), name
