"""The server's configuration: `NIXFLEET_*` variables, checked once at start.

Secrets may stand in a file instead: `NIXFLEET_PASSWORD_HASH_FILE` for `NIXFLEET_PASSWORD_HASH`. What is wrong is told
with the variable's name, what was found (a secret's value never) and what is allowed.
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from nixfleet_server.address import Address, parse_address
from nixfleet_server.auth.second import check_secret
from nixfleet_server.domain import timeouts
from nixfleet_server.errors import ConfigError

PREFIX = "NIXFLEET_"
SECRETS = ("password_hash", "totp_secret", "session_secrets", "webhook_url")
"""Settings whose values are never shown, and which have a `_FILE` variant."""
SESSION_SECRET_MIN = 32
"""Characters of a session secret: 128 bits even when it is hexadecimal."""


class Settings(BaseSettings):
    """One field for each variable; its description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    listen: Annotated[Address, NoDecode] = Field(
        Address("127.0.0.1", 8000), description="HOST:PORT to listen on; port 0 takes a free one"
    )
    data_dir: Path = Field(Path("nixfleet-data"), description="directory of the database and the logs")
    database_url: str | None = Field(None, description="sqlite:///PATH; by default in the data directory")
    base_url: str | None = Field(None, description="public URL, for cookies, Origin checks and links")
    password_hash: SecretStr | None = Field(
        None, description="bcrypt or argon2id hash of the login's password"
    )
    totp_secret: SecretStr | None = Field(None, description="base32 secret of the second factor (TOTP)")
    session_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="comma list: the first signs, all are accepted; by default made in the data directory"
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma list of addresses or networks whose X-Forwarded-* headers are believed"
    )
    allow_plain_http: bool = Field(
        False,
        description="1 serves plain HTTP to other machines than trusted proxies, on a protected network",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, JSON otherwise"
    )
    timeouts: str = Field(
        timeouts.DEFAULT_TEXT,
        description="COMMAND=WARN/HARD,…: seconds until a run counts as slow and until it is stopped; 0: never",
    )
    log_compress_after: int = Field(
        3600, ge=0, description="seconds after its end that a run's log is compressed (`zcat` shows it)"
    )
    log_keep_days: int = Field(0, ge=0, description="days that logs are kept; 0: for ever")
    log_keep_runs: int = Field(0, ge=0, description="logs kept of each host; 0: all")
    log_keep_bytes: ByteSize = Field(
        "20GiB",
        validate_default=True,
        description="for all logs together, compressed; the oldest go; 0: no limit",
    )
    log_keep_host_bytes: ByteSize = Field(
        "4GiB",
        validate_default=True,
        description="the same for each host, so that one can't push out the others",
    )
    drain: float = Field(
        0.0,
        ge=0,
        le=45,
        description="seconds to go on unready after SIGTERM, for a proxy that checks /readyz to send no more; the"
        " supervisor has to wait 10 more before it kills",
    )
    webhook_url: SecretStr | None = Field(
        None, description="https:// address that is told of hosts that stay away and runs that failed"
    )
    webhook_grace: int = Field(300, ge=0, description="seconds that a host may be away before that is told")
    web_dir: Path | None = Field(None, description="another unpacked nixfleet-web to serve")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` gives: it has read the environment, `_FILE` variants and options included."""
        return (init_settings,)

    @field_validator("listen", mode="before")
    @classmethod
    def _listen(cls, value: Any) -> Any:
        return parse_address(value) if isinstance(value, str) else value

    @field_validator("webhook_url")
    @classmethod
    def _webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            text = value.get_secret_value()
            if not (text.isascii() and text.isprintable()) or " " in text:
                raise ValueError(
                    "expected an address of ASCII characters without blanks: escape others as %C3%A9"
                )
            url = urlsplit(text)
            port = url.port  # raises ValueError for one that is none
            plain = url.scheme == "http" and Address(url.hostname or "", port or 80).loopback
            if not url.hostname or not (url.scheme == "https" or plain) or url.username is not None:
                raise ValueError("expected https://HOST[:PORT]/PATH (http:// only to this machine)")
        return value

    @field_validator("timeouts")
    @classmethod
    def _timeouts(cls, value: str) -> str:
        timeouts.parse(value)
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("sqlite:///"):
            raise ValueError("expected sqlite:///PATH (other databases come with a later version)")
        return value

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
            raise ValueError("expected http(s)://HOST[:PORT] without a path")
        return f"{url.scheme}://{url.netloc.lower()}"

    @field_validator("password_hash")
    @classmethod
    def _hash(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(
            ("$2a$", "$2b$", "$2y$", "$argon2id$")
        ):
            raise ValueError(
                "expected a bcrypt or argon2id hash, as `nixfleet-server hash-password` prints it"
                " (in a shell or compose file quote it: `$` is taken as a variable)"
            )
        return value

    @field_validator("totp_secret")
    @classmethod
    def _totp(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(check_secret(value.get_secret_value()))

    @field_validator("session_secrets", mode="before")
    @classmethod
    def _secrets(cls, value: Any) -> Any:
        secrets = _split(value)
        if any(len(secret) < SESSION_SECRET_MIN for secret in secrets):
            raise ValueError(f"expected secrets of at least {SESSION_SECRET_MIN} characters each")
        return tuple(SecretStr(secret) for secret in secrets)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _proxies(cls, value: Any) -> Any:
        proxies = _split(value)
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ValueError("expected IP addresses or networks, as 127.0.0.1,10.0.0.0/8") from None
        return proxies

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'nixfleet.db'}"


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the configuration. `overrides` are command-line options by field name; None means not given.

    Raises ConfigError naming the first thing that is wrong.
    """
    env = os.environ if environ is None else environ
    given = {name: value for name, value in overrides.items() if value is not None}
    values = {
        name: env[variable(name)]
        for name in Settings.model_fields
        if env.get(variable(name), "") != "" and name not in given
    }
    for name in SECRETS:
        path = env.get(f"{variable(name)}_FILE")
        if path:
            if name in values:
                raise ConfigError(f"{variable(name)} and {variable(name)}_FILE are both set: keep one")
            values[name] = _read(f"{variable(name)}_FILE", path)
    try:
        return Settings(**(values | given))
    except ValidationError as error:
        raise ConfigError(_explain(error, values | given, given)) from None


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _explain(error: ValidationError, values: dict[str, Any], given: dict[str, Any]) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    label = f"--{name.replace('_', '-')}" if name in given else variable(name)
    text = str(values.get(name, ""))
    found = f"a text of {len(text)} characters" if name in SECRETS else repr(text)
    wanted = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{label}: found {found}; {wanted}"


def _read(name: str, path: str) -> str:
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ConfigError(f"{name}: can't read {path}: {reason}") from None
    if not text:
        raise ConfigError(f"{name}: {path} is empty")
    return text


def _split(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(item.get_secret_value() if isinstance(item, SecretStr) else item for item in value)
