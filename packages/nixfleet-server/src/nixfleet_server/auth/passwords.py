"""Password hashes: bcrypt and argon2id, told apart by their prefix."""

import contextlib

import argon2
import bcrypt

BCRYPT_MAX = 72
"""Bytes of a password that bcrypt looks at."""
_ARGON2 = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# OWASP's figures; the library's own 64 MiB would be most of what the server may take (NFR-1.4).


PASSWORD_MIN = 12
"""Characters of a password set over the page: one factor guards root on every machine."""
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$D1eRjYGzbm8PjYTuBiqKWw$fHMlQEhtt4oHpmfE3nVsiYqD4Z8bOCFQsV39ih+xD0A"
"""Of random bits that are gone. Compared with where no password is set, so that it takes as long as a wrong one."""


def hash_password(password: str, scheme: str = "argon2id") -> str:
    """Hash with `argon2id` or `bcrypt`. Raises ValueError for an empty password, or one bcrypt would cut short."""
    if not password:
        raise ValueError("the password is empty")
    if scheme == "argon2id":
        return _ARGON2.hash(password)
    data = password.encode()
    if len(data) > BCRYPT_MAX:
        raise ValueError(
            f"bcrypt only looks at the first {BCRYPT_MAX} bytes and this password has {len(data)}:"
            " take a shorter one, or --scheme argon2id"
        )
    return bcrypt.hashpw(data, bcrypt.gensalt(12)).decode()


def check_new(password: str) -> None:
    """Raises ValueError unless it may become the password."""
    if len(password) < PASSWORD_MIN:
        raise ValueError(f"a password has at least {PASSWORD_MIN} characters")
    if len(set(password)) < 4:
        raise ValueError("this password repeats itself too much")


def verify(password: str, hashed: str | None) -> bool:
    """Whether the password is the one. Takes as long for a wrong one as for the right one, and where there is none."""
    data = password.encode()
    if hashed is None:
        with contextlib.suppress(argon2.exceptions.VerificationError):
            _ARGON2.verify(_NOBODY, data)
        return False
    if hashed.startswith("$argon2id$"):
        try:
            return _ARGON2.verify(hashed, data)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
    try:
        matches = bcrypt.checkpw(data[:BCRYPT_MAX], hashed.encode())
    except ValueError:
        return False
    return matches and len(data) <= BCRYPT_MAX
