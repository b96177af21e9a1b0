"""The error tree. Whoever catches one knows from its type whose fault it was.

NixFleetError
├── ProtocolError
│   ├── LocalProtocolError      we broke the protocol: a bug of ours, fails tests
│   └── RemoteProtocolError     the peer broke it: costs that connection, never the process
└── ClientError                 what the scripting client raises
    ├── Misconfigured           what the client was given can't work: URL, token file, CA file (exit code 2)
    ├── NotConnected            the server can't be reached (exit code 3)
    ├── NotAllowed              the token is missing, wrong, expired or lacks the scope (exit code 4)
    └── Refused                 the server answered with a problem; `code` says which (exit code 1 or 2)
"""


class NixFleetError(Exception):
    """Base of every error that NixFleet raises on purpose. `str()` is one line for a person."""


class ProtocolError(NixFleetError):
    """A rule of the protocol was broken."""


class LocalProtocolError(ProtocolError):
    """We were about to send what the protocol forbids."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol forbids.

    `close_code` is the WebSocket close code (RFC 6455 section 7.4.1) to end the connection with: 1002 protocol
    error, 1003 not text, 1007 not JSON, 1008 rule broken, 1009 too big. `str()` never holds the peer's input.
    """

    def __init__(self, detail: str, close_code: int = 1008) -> None:
        super().__init__(detail)
        self.close_code = close_code


class ClientError(NixFleetError):
    """The scripting client could not do what was asked."""


class Misconfigured(ClientError):
    """The client's URL, token or CA file is missing or can't be used; the text says how to set it."""


class NotConnected(ClientError):
    """The server can't be reached, or the connection broke and did not come back in time."""


class NotAllowed(ClientError):
    """HTTP 401 or 403: the token is missing, wrong, expired, or its scope is too small."""


class Refused(ClientError):
    """The server said no. `status` is the HTTP status (400–599), `code` the stable word from its problem+json."""

    def __init__(self, detail: str, *, status: int, code: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
