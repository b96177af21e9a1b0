"""The second factor's arithmetic: which codes are good when, and that no text is a fault."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixfleet_server.auth.second import (
    DRIFT,
    STEP,
    check_secret,
    new_recovery_codes,
    new_secret,
    recovery_hash,
    step_of,
)

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
"""Of RFC 6238's appendix B."""
MOMENTS = st.integers(min_value=0, max_value=2**41)


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_the_codes_are_those_of_the_standard(second: int, code: str) -> None:
    """RFC 6238 gives eight digits; six are their end."""
    assert step_of(code, RFC_SECRET, second * 1000) == second // STEP
    assert step_of(f"{code[:3]} {code[3:]}", RFC_SECRET, second * 1000) == second // STEP


@given(MOMENTS, st.integers(-5, 5))
def test_a_code_is_good_a_step_early_and_a_step_late(now: int, steps: int) -> None:
    made = now + steps * STEP * 1000
    if made < 0:
        return
    import pyotp

    step = made // 1000 // STEP
    found = step_of(pyotp.TOTP(RFC_SECRET).generate_otp(step), RFC_SECRET, now)
    if abs(steps) <= DRIFT:
        assert found == step
    else:
        assert found is None or found != step  # but for the one in a million that two steps share


@given(st.text(), MOMENTS)
def test_no_text_is_a_fault(text: str, now: int) -> None:
    step_of(text, RFC_SECRET, now)
    recovery_hash(text)
    step_of("\udcff\udc80", RFC_SECRET, now)


@given(st.text())
def test_a_secret_is_checked_once_and_for_all(text: str) -> None:
    try:
        secret = check_secret(text)
    except ValueError:
        return
    assert check_secret(secret) == secret
    step_of("000000", secret, 0)


def test_recovery_codes_are_typed_as_one_likes() -> None:
    codes = new_recovery_codes()
    assert len({recovery_hash(code) for code in codes}) == len(codes)
    for code in codes:
        assert recovery_hash(code) == recovery_hash(code.lower()) == recovery_hash(code.replace("-", " "))
    assert check_secret(new_secret())
