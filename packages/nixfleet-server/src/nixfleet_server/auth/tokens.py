"""Bearer tokens: 256 random bits behind a prefix that says what they are, kept as a hash."""

import hashlib
import secrets

SCOPES = {"read": 0, "operate": 1, "admin": 2}
"""What an API token may do: each scope includes those below it."""


def new_token(prefix: str) -> str:
    """A new token: `nfa_` for an agent's, `nfc_` for a script's."""
    return prefix + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """The form in which a token or session id is kept. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def allows(scope: str, needed: str) -> bool:
    """Whether a scope covers what is needed."""
    return SCOPES[scope] >= SCOPES[needed]
