"""TLS before a plain server, as a proxy in production does it, with a certificate authority of its own."""

import asyncio
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path


def certificate(directory: Path, name: str = "localhost", made_on: str | None = None) -> tuple[Path, Path]:
    """A self-signed certificate for `name` and 127.0.0.1; returns (certificate, key). It is its own authority.

    It is good for two days, from `made_on` (as `2020-01-01`) if given.
    """
    directory.mkdir(parents=True, exist_ok=True)
    made, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        [
            *(["faketime", made_on] if made_on else []),
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName=DNS:{name},IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(made),
        ],
        check=True,
        capture_output=True,
    )
    return made, key


class TlsProxy:
    """Serves https://localhost:`port` and forwards the bytes to 127.0.0.1:`target`."""

    def __init__(
        self, target: int, directory: Path, name: str = "localhost", made_on: str | None = None
    ) -> None:
        self.ca_file, key = certificate(directory, name, made_on)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(self.ca_file, key)
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        )
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(_take_leave())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled: the proxy is being closed.
        with suppress(OSError, ssl.SSLError, asyncio.CancelledError):
            try:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
                try:
                    await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
                finally:
                    inner_writer.close()
            finally:
                writer.transport.abort()


async def _take_leave() -> None:
    """End every other task and let what was closed go, so that nothing is left for a closed loop."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.1)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    with suppress(OSError, ssl.SSLError):
        sink.close()
