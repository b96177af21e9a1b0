"""What httpx and websockets raise, as our errors."""

import ssl

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from nixfleet_protocol.client.calls import Call, read_answer
from nixfleet_protocol.errors import NixFleetError, NotAllowed, NotConnected, RemoteProtocolError

BROKEN = (OSError, EOFError, WebSocketException, RemoteProtocolError)
"""A follower's connection is gone or of no use; TimeoutError is an OSError."""


def unreachable(url: str, error: Exception) -> NotConnected:
    """NotConnected with the reason in words, and the mend where there is one."""
    reason = str(error) or type(error).__name__
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return NotConnected(
                f"{url} shows a certificate that is not trusted ({seen.verify_message}): "
                "set NIXFLEET_CA_FILE or pass --ca-file if it is signed by your own CA"
            )
        if isinstance(seen, ssl.SSLError) and seen.reason == "WRONG_VERSION_NUMBER":
            return NotConnected(f"{url} does not speak TLS: is it http://, or is its TLS proxy missing?")
        if isinstance(seen, ConnectionClosed) and seen.rcvd is not None:
            return NotConnected(f"{url} closed the connection: {seen.rcvd.reason or seen.rcvd.code}")
        if isinstance(seen, OSError) and seen.strerror:
            reason = seen.strerror
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return NotConnected(f"{url} does not answer in time: is the server up, and the network?")
    return NotConnected(f"can't reach {url}: {reason}")


def broken(url: str, error: Exception) -> NixFleetError:
    """What ended a follower's connection. Raises it when trying again is of no use."""
    if isinstance(error, RemoteProtocolError):
        return error
    if isinstance(error, InvalidStatus):
        status, body = error.response.status_code, bytes(error.response.body or b"")
        try:
            read_answer(Call("GET", "/ws/browser", bytes), status, body)
        except NotAllowed:
            raise
        except NixFleetError as reason:
            if (
                status < 500 and status != 429
            ):  # a server on its way up or down answers with 5xx, or its proxy does
                raise NotConnected(f"{url}/ws/browser: {reason}") from error
            return NotConnected(str(reason))
    return unreachable(url, error)
