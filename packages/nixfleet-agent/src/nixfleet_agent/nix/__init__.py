"""What Nix tells: its structured log, and what a host's files say about its generations. Nothing here runs a program.

Not wired in yet: the `nixos` platform of the next release uses it.
"""
