"""The second factor: codes of an authenticator (TOTP, RFC 6238), and recovery codes for when it is lost."""

import base64
import binascii
import hashlib
import hmac
import io
import re
import secrets

import pyotp

STEP = 30
"""Seconds that a code is shown."""
DRIFT = 1
"""Steps to either side whose codes are taken too: clocks differ, and typing takes time."""
SECRET_MIN = 16
"""Characters of a base32 secret: 80 bits, what the oldest authenticators make."""
RECOVERY_CODES = 10
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SEPARATORS = re.compile(r"[\s-]+")


def check_secret(text: str) -> str:
    """A base32 secret, normalised. Raises ValueError."""
    secret = _SEPARATORS.sub("", text).upper().rstrip("=")
    try:
        base64.b32decode(secret + "=" * (-len(secret) % 8))
    except binascii.Error:
        raise ValueError("expected a base32 secret, as `nixfleet-server totp --print` makes one") from None
    if len(secret) < SECRET_MIN:
        raise ValueError(f"expected a base32 secret of at least {SECRET_MIN} characters")
    return secret


def new_secret() -> str:
    """160 random bits, base32."""
    return pyotp.random_base32()


def uri(secret: str, issuer: str) -> str:
    """The secret as an authenticator reads it."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name="admin", issuer_name=issuer)


def svg(text: str) -> str:
    """A QR code as an SVG image without style or script."""
    import segno  # only who sets a second factor up needs it

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", scale=4, xmldecl=False, svgclass=None, lineclass=None, nl=False, light="#fff"
    )
    return out.getvalue().decode()


def step_of(code: str, secret: str, now: int) -> int | None:
    """The time step whose code this is, around `now` in milliseconds; None when it is none's. The same work for both."""
    totp = pyotp.TOTP(secret, interval=STEP)
    given = _SEPARATORS.sub("", code).encode(errors="replace")
    current = now // 1000 // STEP
    found = None
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(max(0, step)).encode(), given):
            found = step
    return found


def new_recovery_codes() -> tuple[str, ...]:
    """Codes of 80 random bits, in groups to be read and typed."""
    return tuple(
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
        for _ in range(RECOVERY_CODES)
    )


def recovery_hash(code: str) -> str:
    """The form in which a recovery code is kept; 80 random bits need no slow hash."""
    return hashlib.sha256(_SEPARATORS.sub("", code).upper().encode(errors="replace")).hexdigest()
