"""Version negotiation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_protocol.versions import PROTOCOL, SUPPORTED_MAJORS, Version, negotiate, parse

VERSIONS = st.builds(Version, st.integers(0, 9999), st.integers(0, 9999))


@given(VERSIONS)
def test_text_round_trip(version: Version) -> None:
    assert parse(str(version)) == version


@pytest.mark.parametrize(
    "text", ["", "1", "1.", ".1", "1.0.0", "1.-1", "1.x", " 1.0", "1.00000", "١.٠", "1_0.0"]
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="not a protocol version"):
        parse(text)


@given(VERSIONS, VERSIONS)
def test_the_lower_wins_within_a_major(theirs: Version, ours: Version) -> None:
    agreed = negotiate(theirs, ours, majors=(ours.major,))
    assert agreed.compatible == (theirs.major == ours.major)
    assert agreed.version == (min(theirs, ours) if agreed.compatible else ours)


def test_we_support_what_we_speak() -> None:
    assert PROTOCOL.major in SUPPORTED_MAJORS
    assert negotiate(PROTOCOL).compatible
    assert not negotiate(Version(PROTOCOL.major + 1, 0)).compatible
