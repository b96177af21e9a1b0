"""Password hashes of both kinds."""

import pytest

from nixfleet_server.auth.passwords import hash_password, verify


@pytest.mark.parametrize("scheme", ["argon2id", "bcrypt"])
@pytest.mark.parametrize("password", ["hunter2", "ä ö ü", "x" * 72])
def test_only_the_password_itself_fits(scheme: str, password: str) -> None:
    hashed = hash_password(password, scheme)
    assert verify(password, hashed)
    for other in (password + "x", password[:-1], ""):
        assert not verify(other, hashed)


def test_bcrypt_would_cut_a_long_password_so_it_is_refused() -> None:
    with pytest.raises(ValueError, match="72"):
        hash_password("ä" * 37, "bcrypt")
    assert not verify("x" * 73, hash_password("x" * 72, "bcrypt"))
    assert verify("x" * 500, hash_password("x" * 500, "argon2id"))
    with pytest.raises(ValueError, match="empty"):
        hash_password("")


@pytest.mark.parametrize("hashed", ["$argon2id$nonsense", "$2b$nonsense", "", "plain"])
def test_a_broken_hash_lets_nobody_in(hashed: str) -> None:
    assert not verify("", hashed)
    assert not verify("plain", hashed)
