"""The commands of `nixfleet-server`: one file each, with `add(subparsers)` and a function that runs it."""
