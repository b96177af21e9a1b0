"""Configuration: what is wrong is named, and a secret's value never."""

from pathlib import Path

import pytest

from nixfleet_server.address import parse_address
from nixfleet_server.errors import ConfigError
from nixfleet_server.settings import Address, load

HASH = "$2b$12$" + "x" * 53


def test_defaults() -> None:
    settings = load({})
    assert (str(settings.listen), settings.data_dir, settings.password_hash) == (
        "127.0.0.1:8000",
        Path("nixfleet-data"),
        None,
    )
    assert settings.database.startswith("sqlite:////")


def test_the_command_line_goes_before_the_environment() -> None:
    settings = load(
        {"NIXFLEET_LISTEN": "127.0.0.1:1", "NIXFLEET_DATA_DIR": "/a"}, listen="[::1]:2", data_dir=None
    )
    assert (settings.listen, settings.data_dir) == (Address("::1", 2), Path("/a"))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LISTEN", "8000", "HOST:PORT"),
        ("LISTEN", "::1:8000", "brackets"),
        ("LISTEN", "127.0.0.1:99999", "HOST:PORT"),
        ("LOG_LEVEL", "loud", "debug"),
        ("LOG_FORMAT", "xml", "json"),
        ("BASE_URL", "fleet.example", "http"),
        ("BASE_URL", "https://fleet.example/path", "path"),
        ("TRUSTED_PROXIES", "proxy.example", "IP"),
        ("ALLOW_PLAIN_HTTP", "perhaps", "boolean"),
        ("DATABASE_URL", "mysql://x", "sqlite"),
        ("PASSWORD_HASH", "hunter2", "hash-password"),
        ("SESSION_SECRETS", "short", "32"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(name: str, value: str, told: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load({f"NIXFLEET_{name}": value})
    text = str(wrong.value)
    assert text.startswith(f"NIXFLEET_{name}: ")
    assert told in text
    assert (value in text) == (name not in ("PASSWORD_HASH", "SESSION_SECRETS"))
    assert "\n" not in text


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "hash"
    path.write_text(HASH + "\n")
    secret = load({"NIXFLEET_PASSWORD_HASH_FILE": str(path)}).password_hash
    assert secret
    assert secret.get_secret_value() == HASH
    for env in (
        {"NIXFLEET_PASSWORD_HASH_FILE": str(tmp_path / "none")},
        {"NIXFLEET_PASSWORD_HASH_FILE": str(path), "NIXFLEET_PASSWORD_HASH": HASH},
    ):
        with pytest.raises(ConfigError, match="NIXFLEET_PASSWORD_HASH_FILE"):
            load(env)


def test_lists_are_split_and_empty_means_not_set() -> None:
    settings = load(
        {
            "NIXFLEET_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8",
            "NIXFLEET_SESSION_SECRETS": f"{'a' * 32},{'b' * 32}",
            "NIXFLEET_BASE_URL": "",
        }
    )
    assert settings.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
    assert [s.get_secret_value()[0] for s in settings.session_secrets] == ["a", "b"]
    assert settings.base_url is None


def test_a_second_factor_must_be_one() -> None:
    settings = load({"NIXFLEET_TOTP_SECRET": "jbsw y3dp-ehpk 3pxp"})
    assert settings.totp_secret is not None
    assert settings.totp_secret.get_secret_value() == "JBSWY3DPEHPK3PXP"
    for bad in ("JBSWY3DP", "not base32 at all!", "11111111111111111"):
        with pytest.raises(ConfigError, match="NIXFLEET_TOTP_SECRET") as error:
            load({"NIXFLEET_TOTP_SECRET": bad})
        assert bad not in str(error.value)


def test_loopback() -> None:
    assert parse_address("localhost:1").loopback
    assert parse_address("[::1]:1").loopback
    assert not parse_address("0.0.0.0:1").loopback
    assert not parse_address("fleet.example:1").loopback
