"""The server's own log: structlog, for people on a terminal and as JSON lines otherwise. It goes to stderr.

Never logged: tokens, passwords, cookies, the output of commands, the content of a frame that broke a rule.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_OURS = ("exception", "stack")
_QUIET = ("uvicorn", "uvicorn.error", "asyncio", "alembic", "sqlalchemy")


def configure(level: str = "info", format: str = "auto") -> None:
    """Set up logging for the process; what libraries log through `logging` comes out the same way."""
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(key="time", fmt="%H:%M:%S" if console else "iso", utc=not console),
    ]
    final: list[Any]
    if console:
        final = [
            _printable,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # the pretty one takes seconds, on the event loop
            ),
        ]
    else:
        final = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _printable(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Strangers write some of the values (a path, an address): none of them may write to the terminal."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _OURS and not value.isprintable():
            event[key] = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value)
    return event


def get(name: str) -> Any:
    """A logger with `debug`, `info`, `warning`, `error`, `exception`: an event in words, then key=value."""
    return structlog.get_logger(name)
