"""`python -m nixfleet_protocol.cli` is `nixfleet`."""

from nixfleet_protocol.cli import main

raise SystemExit(main())
