"""Password hashes of both kinds."""

import pytest

from nixfleet_server.auth.passwords import check_new, hash_password, verify


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


def test_without_a_password_the_same_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from nixfleet_server.auth import passwords

    hashed: list[str] = []
    real = passwords._ARGON2

    class Counting:
        def verify(self, stored: str, data: bytes) -> bool:
            hashed.append(stored)
            return real.verify(stored, data)

    right = hash_password("right horse")
    monkeypatch.setattr(passwords, "_ARGON2", Counting())
    assert not verify("anything", None)
    assert not verify("wrong", right)
    assert verify("right horse", right)
    assert len(hashed) == 3
    parameters = {text.split("$")[3] for text in hashed}
    assert len(parameters) == 1  # the same memory, passes and lanes


@pytest.mark.parametrize("password", ["short", "x" * 11, "a" * 40, "abababababababab"])
def test_a_weak_password_is_not_taken(password: str) -> None:
    with pytest.raises(ValueError, match="password"):
        check_new(password)


def test_a_long_password_is_taken() -> None:
    check_new("correct horse battery")
