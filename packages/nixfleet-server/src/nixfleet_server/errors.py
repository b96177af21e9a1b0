"""What the server raises on purpose."""

from collections.abc import Mapping

from nixfleet_protocol.errors import NixFleetError


class ConfigError(NixFleetError):
    """The configuration can't be used. `str()` names the variable, what was found and what is allowed."""


class Damaged(ConfigError):
    """The database can't be used as it is: damaged, or on a disk that is full or failing. `str()` says what was found."""


class BadArgument(ConfigError):
    """An argument that can never be right, as a name with a blank. `str()` says what is allowed."""


class Busy(NixFleetError):
    """Another server owns the data directory."""


class Refused(NixFleetError):
    """What an operator asked for can't be done, as a name that is taken. `str()` says what to do, `code` is the problem
    that a request for it is answered with."""

    def __init__(self, detail: str, code: str = "invalid") -> None:
        super().__init__(detail)
        self.code = code


class Declined(NixFleetError):
    """A request that is answered with a problem. `code` is a key of `api.problems.PROBLEMS`; `str()` says what to do."""

    def __init__(self, code: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = headers or {}
