"""`nixfleet-server serve`: own the data directory, listen, and leave without losing anything."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from sqlalchemy.exc import DatabaseError
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from nixfleet_protocol import limits
from nixfleet_server import backup, broken, logging
from nixfleet_server.app import build
from nixfleet_server.auth.login import first_setup
from nixfleet_server.auth.plain import PlainHttp, check_listen
from nixfleet_server.auth.sessions import SessionCookies, session_secrets
from nixfleet_server.clock import wall_clock
from nixfleet_server.context import Context
from nixfleet_server.errors import Damaged, Refused
from nixfleet_server.httpd import Server
from nixfleet_server.intake import Sockets, bounded, raise_file_limit
from nixfleet_server.leaving import Signals, leave
from nixfleet_server.listen import listen
from nixfleet_server.live.bulk import Bulks
from nixfleet_server.live.history import History
from nixfleet_server.live.hub import Hub
from nixfleet_server.live.keeper import Keeper
from nixfleet_server.live.ticker import Ticker
from nixfleet_server.live.webhook import Webhook
from nixfleet_server.lock import make_data_dir, owner
from nixfleet_server.logs.files import Files
from nixfleet_server.memory import give_big_blocks_back
from nixfleet_server.settings import Settings
from nixfleet_server.store.database import Database, open_database
from nixfleet_server.store.schema import migrate

log = logging.get(__name__)

LOCK_WAIT = 1.0
"""Seconds a starting server waits for one that is just leaving."""
BACKLOG = 2048
"""Connections that may wait while another server still owns the data."""
MEND_EVERY = 5.0
"""Seconds until a database that could not be opened is tried again."""


def serve(settings: Settings, wait: float = 0.0) -> int:
    """Serve until SIGTERM or SIGINT.

    Raises ConfigError when it can't start, and Busy when another server still owns the data after `wait` seconds.
    """
    check_listen(settings)
    give_big_blocks_back()
    make_data_dir(settings.data_dir)
    with contextlib.closing(listen(settings)) as listener:
        if wait > 0:
            listener.listen(BACKLOG)  # who comes early waits with us, instead of being refused
        with owner(settings.data_dir, max(wait, LOCK_WAIT)):
            asyncio.run(_serve(settings, listener))
    return 0


@contextlib.asynccontextmanager
async def running(
    settings: Settings, database: Database, files: Files | None = None
) -> AsyncIterator[Context]:
    """The fleet's state, loaded, looked after, and in the end written out."""
    hub = Hub(settings, database, files=files)
    bulks = Bulks(hub)
    history = History(hub)
    ticker = Ticker(hub, bulks, history, Keeper(hub, settings), Webhook(hub, settings))
    await hub.load()
    await bulks.load()
    await history.load()
    looking = asyncio.create_task(ticker.run())
    try:
        hashed = settings.password_hash.get_secret_value() if settings.password_hash else ""
        shared = Context(
            settings, hub, ticker, SessionCookies(session_secrets(settings), hashed), bulks, history
        )
        ticker.savers.append(shared.save_seen)
        yield shared
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        for last in (history.write, hub.close):
            try:  # a database that can't be written must not keep us from stopping, nor from taking over a restored one
                await last()
            except DatabaseError as error:
                log.warning("what hosts said last could not be written", reason=str(error.orig))


def make_server(shared: Context, started: Callable[[], None]) -> Server:
    """The HTTP server around a context."""
    proxies = list(shared.settings.trusted_proxies)
    app: ASGIApp = build(shared)
    if proxies:  # ours and not uvicorn's, so that the next one sees who really connects
        app = ProxyHeadersMiddleware(app, proxies)  # type: ignore[arg-type,assignment]
    if not shared.settings.allow_plain_http:
        app = PlainHttp(app, proxies)
    return Server(
        uvicorn.Config(
            app,
            http=bounded(shared.connections_max, shared.head_timeout),
            lifespan="off",
            ws=Sockets,
            ws_max_size=limits.FRAME_MAX,
            ws_per_message_deflate=False,
            ws_ping_interval=limits.PING_INTERVAL,
            ws_ping_timeout=limits.SILENCE_MAX - limits.PING_INTERVAL,
            timeout_graceful_shutdown=3,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
        ),
        started,
    )


async def _serve(settings: Settings, listener: socket.socket) -> None:
    """Serve, whatever the data: what can't be used is shown as that until it is mended or another is restored."""
    signals = Signals()
    while listener.fileno() >= 0:  # whoever is told to stop closes it
        try:
            database = await asyncio.to_thread(open_data, settings)
        except Damaged as damage:
            await broken.serve(listener, str(damage), functools.partial(signals.wait, MEND_EVERY))
            continue
        await _serve_data(settings, database, listener, signals)
    log.info("stopped")


def open_data(settings: Settings) -> Database:
    """The database, restored and migrated as need be. The caller owns the data directory.

    Raises Damaged when it can't be used as it is, ConfigError when it is of a later version.
    """
    try:
        if backup.swap(settings):
            log.warning("restored from a backup", replaced=str(settings.data_dir / backup.REPLACED))
        database = open_database(settings.database)
        try:
            if migrate(database):
                log.info("database migrated")
        except BaseException:
            database.close()
            raise
    except (DatabaseError, Refused) as error:
        raise Damaged(str(getattr(error, "orig", None) or error)) from None
    except OSError as error:
        raise Damaged(f"{settings.data_dir}: {error.strerror or error}") from None
    return database


async def _serve_data(
    settings: Settings, database: Database, listener: socket.socket, signals: Signals
) -> None:
    host, port = listener.getsockname()[:2]
    url = settings.base_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    code = database.write_now(lambda db: first_setup(settings, db, wall_clock()))

    def started() -> None:
        print(f"NixFleet serves at {url} (listening on {host} port {port})", flush=True)
        if code:
            print(
                f"No password is set yet. Set it here, once, within 24 hours: {url}/setup#{code}", flush=True
            )
        log.info("serving", url=url, data_dir=str(settings.data_dir))
        signals.on_signal = stop
        if signals.told:  # while the data was opened
            stop()

    signals.on_signal = lambda: None
    async with running(settings, database) as shared:
        shared.connections_max = raise_file_limit()
        server = make_server(shared, started)
        leaving: list[asyncio.Task[None]] = []

        def go(drain: float = 0.0) -> None:
            if leaving:
                server.force_exit = server.should_exit = True
            else:
                leaving.append(asyncio.get_running_loop().create_task(leave(shared.hub, server, drain)))

        def stop() -> None:
            server.door = listener
            if signals.told > 1 or not leaving:  # after a restore the next one stops, and nobody is cut
                go(settings.drain)

        shared.ticker.on_restore = go
        with listener.dup() as own:  # uvicorn closes what it is given, and after a restore we go on
            await server.serve(sockets=[own])
