"""`backup`."""

import argparse
import os
import sys
from pathlib import Path

from nixfleet_server import backup
from nixfleet_server.commands.common import complete, settings_of
from nixfleet_server.errors import ConfigError, Refused
from nixfleet_server.store import snapshot


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    complete(parser, run)
    parser.add_argument("file", metavar="FILE", help="where to write it; - writes it to standard output")


def run(args: argparse.Namespace) -> int:
    """Make a backup; the server may run."""
    settings = settings_of(args)
    database = snapshot.file_of(settings.database)
    if not database.exists():
        raise ConfigError(
            f"there is no database {database}: is NIXFLEET_DATA_DIR (or --data-dir) the server's?"
        )
    if args.file == "-":
        backup.write(settings, sys.stdout.buffer)
        return 0
    target = Path(args.file)
    temporary = target.with_name(target.name + ".tmp")
    try:
        with temporary.open("wb") as out:
            backup.write(settings, out)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Refused(f"can't write {target}: {error.strerror}") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    print(f"wrote {target}: {target.stat().st_size} bytes; whoever has it has every secret of the server")
    return 0
