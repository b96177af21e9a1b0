"""The operator's command line, `nixfleet`. It is built on `nixfleet_protocol.client` and on nothing else."""

import sys
from importlib.util import find_spec


def main(argv: list[str] | None = None) -> int:
    """Run `nixfleet` and return its exit code (see `nixfleet --help`)."""
    # The package is installed without the client's libraries wherever only an agent runs.
    if missing := [name for name in ("httpx", "websockets", "pydantic") if find_spec(name) is None]:
        print(
            f"nixfleet: {' and '.join(missing)} not installed: pip install 'nixfleet-protocol[client]'",
            file=sys.stderr,
        )
        return 2
    try:
        from nixfleet_protocol.cli.app import main as app

        return app(argv)
    except KeyboardInterrupt:  # also while the client's libraries are still loading
        return 130
