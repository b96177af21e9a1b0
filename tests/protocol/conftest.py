"""A pretended server for the client's and the command line's tests."""

from collections.abc import Iterator

import pytest

from tests.protocol.standin import TOKEN, StandIn, standing_in


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Started, with the environment pointing at it."""
    with standing_in() as made:
        for name in ("TOKEN_FILE", "CA_FILE", "ALLOW_PLAIN_HTTP"):
            monkeypatch.delenv(f"NIXFLEET_{name}", raising=False)
        monkeypatch.setenv("NIXFLEET_URL", made.url)
        monkeypatch.setenv("NIXFLEET_TOKEN", TOKEN)
        yield made
