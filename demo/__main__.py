"""`hatch run demo`: a fleet to look at, until Ctrl-C. `hatch run demo --once`: the same, checked, without a person."""

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from demo import once
from demo.fleet import Fleet, running
from demo.processes import DidNotStart


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 something did not go as expected, 2 wrong usage or a program is missing."""
    parser = argparse.ArgumentParser(prog="hatch run demo", description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="run pull-switch and test on every host, print all of it, exit"
    )
    parser.add_argument("--port", type=int, help="port of the page (default: a free one)")
    parser.add_argument(
        "--directory", type=Path, help="keep everything there (default: temporary, removed at the end)"
    )
    parser.add_argument("--pause", type=float, default=0.4, help="seconds each step of a demo switch takes")
    options = parser.parse_args(argv)
    if shutil.which("git") is None:
        print("demo: git is needed and not on PATH", file=sys.stderr)
        return 2
    if options.directory and options.directory.exists() and any(options.directory.iterdir()):
        print(f"demo: {options.directory} is not empty; name a new directory", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    try:
        with running(options.directory, port=options.port, pause=options.pause) as fleet:
            if options.once:
                return 0 if once.check(fleet) else 1
            _tell(fleet)
            while True:
                time.sleep(1)
                fleet.supervise()
    except DidNotStart as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        left = f"its files are in {options.directory}" if options.directory else "nothing is left behind"
        print(f"\ndemo: ended; {left}", file=sys.stderr)
    return 0


def _tell(fleet: Fleet) -> None:
    print(
        f"""
  The page       {fleet.server.url}
  Password       {fleet.server.password}

  The terminal   export NIXFLEET_URL={fleet.server.url} NIXFLEET_TOKEN_FILE={fleet.directory / "token"}
                 ./hatch run nixfleet hosts
                 ./hatch run nixfleet run web1 pull-switch --follow

  The repository {fleet.repository} (commit a change, then Pull + Switch)

  Ctrl-C ends it all.
""",
        flush=True,
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
