"""`python -m nixfleet_server` is `nixfleet-server`."""

import sys

from nixfleet_server.cli import main

sys.exit(main())
