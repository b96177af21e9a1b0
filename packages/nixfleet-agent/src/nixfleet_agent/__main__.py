"""`python -m nixfleet_agent` is `nixfleet-agent`."""

import sys

from nixfleet_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
